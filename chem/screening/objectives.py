"""What hosts are ranked by, from draws of ln K_H and heats of adsorption.

Every function takes draws of quantities and returns draws of a utility of the same shape, more is
better, so that uncertainty goes through whatever formula there is.
"""

from __future__ import annotations

import numpy as np

from data.constants import GAS_CONSTANT_KJ_PER_MOL_K


def ln_selectivity(ln_henry: np.ndarray, ln_henry_other: np.ndarray) -> np.ndarray:
    """Return ln S = ln K_1 - ln K_2 of two guests."""
    return np.asarray(ln_henry - ln_henry_other)


def heat_utility(qst_kj_per_mol: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return minus the distance of a heat of adsorption from the range wanted, kJ/mol.

    Args:
        qst_kj_per_mol: heats.
        low: lower end of the range, kJ/mol.
        high: upper end, kJ/mol.
    """
    return -np.maximum(0.0, np.maximum(low - qst_kj_per_mol, qst_kj_per_mol - high))


def working_capacity(
    ln_henry: np.ndarray,
    adsorption_pa: float,
    desorption_pa: float,
    ln_henry_desorption: np.ndarray | None = None,
) -> np.ndarray:
    """Return the working capacity in the Henry regime, mol/kg.

    K_H(T_ads) p_ads - K_H(T_des) p_des. It overstates the capacity of a host that is no longer
    in the Henry regime at the higher pressure, and at one temperature it ranks as K_H does.

    Args:
        ln_henry: ln of K_H in mol/(kg Pa) where the gas is adsorbed.
        adsorption_pa: partial pressure there, Pa.
        desorption_pa: partial pressure where it is given off, Pa.
        ln_henry_desorption: ln of K_H there; None at the same temperature.
    """
    given_off = ln_henry if ln_henry_desorption is None else ln_henry_desorption
    return np.asarray(np.exp(ln_henry) * adsorption_pa - np.exp(given_off) * desorption_pa)


def ln_henry_at(
    ln_henry: np.ndarray, qst_kj_per_mol: np.ndarray, temperature_k: float, other_k: float
) -> np.ndarray:
    """Return ln K_H at another temperature by van 't Hoff, the heat taken as constant.

    d ln K_H / d(1/T) = Qst / R.

    Args:
        ln_henry: at ``temperature_k``.
        qst_kj_per_mol: heats of adsorption.
        temperature_k: temperature, K.
        other_k: the other temperature, K.
    """
    step = 1.0 / other_k - 1.0 / temperature_k
    return np.asarray(ln_henry + qst_kj_per_mol / GAS_CONSTANT_KJ_PER_MOL_K * step)
