"""Adsorption Information Files: the Henry regime of each unit and temperature, with its errors.

AIF [1] is a STAR (CIF) file of one isotherm. Names with the prefix ``_widomill`` are ours; the
others are from its dictionary, https://github.com/AIF-development-team/adsorptioninformationformat.
Readers of AIF expect one data block in a file, so each temperature has a file of its own.

References:
    [1] Evans, Bon, Senkovska, Kaskel, Langmuir 37 (2021) 4222.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.store import plain, write_text
from flows.report.words import known

if TYPE_CHECKING:
    from flows.campaign.export.export import ExportRecord
    from flows.campaign.folder import CampaignFolder

DICTIONARY = "6acf6ef"
"""Commit of the dictionary whose names are used; readers that check the version know it."""
LOADINGS_MOL_PER_KG = (0.0, 1e-4, 2e-4, 5e-4, 1e-3)
"""A thousandth of a molecule per cell of 1 kg/mol: guests do not meet."""
HIGHEST_PRESSURE_PA = 1e4
"""Beyond it gases are no longer quite ideal, and a pressure no fugacity."""


def write_aif(folder: CampaignFolder, out: Path) -> ExportRecord:
    """Write one AIF per finished unit and temperature.

    Args:
        folder: the campaign.
        out: folder of the files.
    """
    from flows.campaign.export.export import ExportRecord

    written, left_out = 0, []
    for result in folder.each_result():
        name = f"{result['unit_id']}_{result['temperature_k']:g}K"
        if not known(result["henry_mol_per_kg_pa"]) or result["henry_mol_per_kg_pa"] < 0:
            left_out.append(f"{name}: its Henry coefficient is negative or unknown")
            continue
        when = (folder.runs / result["unit_id"] / "result.json").stat().st_mtime
        write_text(out / f"{name}.aif", aif_text(name, result, datetime.fromtimestamp(when, UTC)))
        written += 1
    return ExportRecord(out, written, written, tuple(left_out))


def aif_text(name: str, result: dict[str, Any], when: datetime) -> str:
    """Return the AIF of one result.

    Args:
        name: of the data block.
        result: as in result.json, with the unit's names.
        when: time of the simulation.
    """
    values = plain(result)
    lines = [f"data_{re.sub(r'[^A-Za-z0-9._-]', '-', name)}"]
    lines += [f"{key} {value(content)}" for key, content in _items(values, when)]
    lines += _loop(values["henry_mol_per_kg_pa"], values["henry_relative_standard_error"])
    return "\n".join(lines) + "\n"


def _items(result: dict[str, Any], when: datetime) -> list[tuple[str, object]]:
    from importlib.metadata import version

    level = result["reference"]
    classical = result["rounds"] == 0
    model = f"force field {result['force_field']}" if classical else level
    low, high = result["henry_ci95"]
    return [
        ("_audit_aif_version", DICTIONARY),
        ("_exptl_method", "simulation"),
        ("_exptl_isotherm_type", "absolute"),
        ("_exptl_adsorptive", result["guest"]),
        ("_exptl_temperature", result["temperature_k"]),
        ("_adsnt_material_id", result["host"]),
        ("_adsnt_sample_id", result["unit_id"]),
        ("_adsnt_hashkey", result["host_hash"]),
        ("_adsnt_info", "rigid periodic framework"),
        ("_simltn_code", f"widomill {version('widomill')}"),
        ("_simltn_date", when.isoformat(timespec="seconds")),
        ("_simltn_size", f"{result['insertions']} insertions, {result['labels']} reference labels"),
        ("_simltn_forcefield_adsorptive", model),
        ("_simltn_forcefield_adsorbent", model),
        ("_units_temperature", "K"),
        ("_units_pressure", "Pa"),
        ("_units_mass", "g"),
        ("_units_loading", "mmol/g"),
        ("_widomill_regime", "Henry: amount = henry_coefficient * pressure"),
        ("_widomill_level", result["level"]),
        ("_widomill_units_henry", "mol/(kg Pa)"),
        ("_widomill_henry_coefficient", result["henry_mol_per_kg_pa"]),
        ("_widomill_henry_ci95_low", low),
        ("_widomill_henry_ci95_high", high),
        ("_widomill_henry_relative_standard_error", result["henry_relative_standard_error"]),
        ("_widomill_units_energy", "kJ/mol"),
        ("_widomill_qst", result["qst_kj_per_mol"]),
        ("_widomill_qst_uncertainty", result["qst_standard_error"]),
        ("_widomill_binding_energy", result["binding_energy_kj_per_mol"]),
        ("_widomill_stopped_because", result["stopped_because"]),
        ("_widomill_seed", result["seed"]),
        ("_widomill_guest_hash", result["guest_hash"]),
        ("_widomill_reference_key", result["reference_key"]),
        ("_widomill_warnings", "\n".join(result["warnings"]) or None),
    ]


def pressures_pa(henry_mol_per_kg_pa: float) -> Sequence[float]:
    """Return pressures at which a guest is alone in the host and its gas ideal."""
    top = LOADINGS_MOL_PER_KG[-1]
    scale = min(HIGHEST_PRESSURE_PA, top / henry_mol_per_kg_pa if henry_mol_per_kg_pa else 1e300)
    return [scale * loading / top for loading in LOADINGS_MOL_PER_KG]


def _loop(henry: float, relative_error: float | None) -> list[str]:
    names = ["_adsorp_pressure", "_adsorp_amount", "_adsorp_amount_uncertainty"]
    lines = ["loop_", *names]
    for pressure in pressures_pa(henry):
        amount = henry * pressure
        error = None if relative_error is None else relative_error * amount
        lines.append(f"{pressure!r} {amount!r} {value(error)}")
    return lines


def value(content: object) -> str:
    """Return a value as CIF 1.1 text: numbers bare, text quoted and ASCII, nothing as ``?``."""
    if content is None:
        return "?"
    if isinstance(content, int | float):
        return repr(content)
    plain_text = unicodedata.normalize("NFKD", str(content)).encode("ascii", "replace").decode()
    text = "\n".join(plain_text.splitlines())
    if "\n" not in text:
        for quote in "'\"":
            if quote not in text:
                return f"{quote}{text}{quote}"
    return "\n;" + text.replace("\n;", "\n\\;") + "\n;"
