"""Any ASE calculator as a reference, up to real DFT.

ASE: Larsen et al., J. Phys.: Condens. Matter 29 (2017) 273002.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from chem.references.cells import LabelCell, label_cell
from chem.references.contract import (
    LabelResult,
    failed_label,
    net_force_and_torque,
    why_implausible,
)
from data.constants import KJ_PER_MOL_PER_EV
from data.errors import LabelFailure, ReferenceLevelError
from data.records import Guest, Host, content_hash
from data.shortage import shortage_of

CalculatorFactory = Callable[[], Any]


@dataclass(frozen=True)
class AseLevel:
    """What makes an ASE level the level it is.

    Attributes:
        name: as the user wrote it.
        key: content hash of settings and versions.
        factory: returns a fresh calculator.
        safer_factory: returns one with safer settings for a second attempt.
        safer_note: what is safer about it, for the label's reason.
    """

    name: str
    key: str
    factory: CalculatorFactory
    safer_factory: CalculatorFactory
    safer_note: str


class AseReference:
    """An ASE calculator bound to a host and a guest.

    One calculator object computes the host and then every insertion; another computes the guest
    alone in the same cell and orientation, so that each keeps what it can reuse between calls.
    A call that raises, or gives no energy that can be true, is repeated once with the safer
    calculator (all three energies at the safer settings) and then recorded as failed.

    Args:
        level: name, key and calculator factories.
        cell: the label cell.
        guest: the molecule; its real atoms are what the calculator sees.
    """

    atomistic = True
    slow = True

    def __init__(self, level: AseLevel, cell: LabelCell, guest: Guest) -> None:
        self.name = level.name
        self.level_key = level.key
        self.key = content_hash(level.key, cell.replication)
        self.cell_note = cell.note
        self.image_distance_angstrom = cell.image_distance_angstrom
        self.warnings = cell.warnings
        self._level, self._cell, self._guest = level, cell, guest
        self._attempts: dict[str, _Attempt] = {}
        self._host_energies_ev: dict[str, float] = {}
        self._finalizer = weakref.finalize(self, _release, self._attempts)

    def for_host(
        self, host: Host, guest: Guest, replication: tuple[int, int, int] | None = None
    ) -> AseReference:
        """Return the same level for another host; see ``contract.Reference``."""
        return AseReference(self._level, label_cell(host, guest, replication), guest)

    def close(self) -> None:
        """Drop the calculators now instead of when the reference goes away."""
        _release(self._attempts)

    def interaction_energies(
        self, fractional: np.ndarray, quaternions: np.ndarray, *, forces: bool = False
    ) -> list[LabelResult]:
        """Label insertions one by one; see ``contract.Reference``."""
        positions, origins = self._cell.guest_atoms(self._guest, fractional, quaternions)
        return [
            self._label(atoms, origin, forces)
            for atoms, origin in zip(positions, origins, strict=True)
        ]

    def _label(self, positions: np.ndarray, origin: np.ndarray, forces: bool) -> LabelResult:
        began = time.perf_counter()
        reasons = []
        for which in ("first", "safer"):
            try:
                attempt = self._attempt(which)
                self._host_energies_ev[which] = attempt.host_energy_ev()
                energy, atom_forces = attempt.interaction(positions, forces)
                if wrong := why_implausible(energy):
                    raise LabelFailure(wrong)
            except (Exception, SystemExit) as error:  # a foreign calculator may raise anything
                short = shortage_of(error)
                if short is not None:  # a full disk says nothing of this insertion
                    raise short from error
                reasons.append(_one_line(error))
                continue
            force = torque = None
            if atom_forces is not None:
                force, torque = net_force_and_torque(atom_forces, positions, origin)
            seconds = time.perf_counter() - began
            if which == "first":
                return LabelResult(energy, force, torque, "ok", "", seconds)
            reason = f"{reasons[0]}; second attempt with {self._level.safer_note}"
            return LabelResult(energy, force, torque, "retried", reason, seconds)
        reason = f"{reasons[0]}; with {self._level.safer_note}: {reasons[1]}"
        return failed_label(reason, time.perf_counter() - began)

    def _attempt(self, which: str) -> _Attempt:
        if which == "safer":  # never reuse a calculator that has just failed
            self._attempts.pop("first", None)
            self._attempts.pop("safer", None)
        if which not in self._attempts:
            level = self._level
            factory = level.factory if which == "first" else level.safer_factory
            known = self._host_energies_ev.get(which)
            self._attempts[which] = _Attempt(factory, self._cell, self._guest, known)
        return self._attempts[which]


class _Attempt:
    """Calculators of one setting, with the host's energy kept."""

    def __init__(
        self,
        factory: CalculatorFactory,
        cell: LabelCell,
        guest: Guest,
        host_energy_ev: float | None,
    ) -> None:
        from ase import Atoms

        host = cell.host
        lattice = host.lattice_angstrom

        def structure(elements: tuple[str, ...], positions: np.ndarray) -> Any:
            return Atoms(elements, positions=positions.copy(), cell=lattice, pbc=True)

        self._host_positions = host.positions_angstrom
        self._host = structure(host.elements, self._host_positions)
        nowhere = np.zeros((len(guest.atom_elements), 3))
        self._both = structure(
            host.elements + guest.atom_elements, np.vstack([self._host_positions, nowhere])
        )
        self._guest = structure(guest.atom_elements, nowhere)
        self._calculator = factory()
        self._guest.calc = factory()
        self._host_energy_ev = host_energy_ev

    def host_energy_ev(self) -> float:
        """Return the energy of the bare host in eV, computed once."""
        if self._host_energy_ev is None:
            self._host.calc = self._calculator
            self._host_energy_ev = _energy_ev(self._host, "host")
            self._host.calc = None
        return self._host_energy_ev

    def interaction(
        self, guest_positions: np.ndarray, forces: bool
    ) -> tuple[float, np.ndarray | None]:
        """Return the energy in kJ/mol and the (k, 3) guest forces in kJ/mol/angstrom, or None."""
        self._both.calc = self._calculator
        self._both.positions = np.vstack([self._host_positions, guest_positions])
        self._guest.positions = guest_positions
        able = forces and "forces" in getattr(self._calculator, "implemented_properties", ())
        both, both_forces = _energy_ev(self._both, "host and guest"), None
        if able:
            both_forces = self._both.get_forces()[len(self._host_positions) :]
        alone = _energy_ev(self._guest, "guest")
        energy = (both - self.host_energy_ev() - alone) * KJ_PER_MOL_PER_EV
        if both_forces is None:
            return energy, None
        change = (both_forces - self._guest.get_forces()) * KJ_PER_MOL_PER_EV
        if not np.isfinite(change).all():
            raise LabelFailure("forces of the guest are not finite")
        return energy, change


def _energy_ev(atoms: Any, what: str) -> float:
    energy = float(atoms.get_potential_energy())
    if not np.isfinite(energy):
        raise LabelFailure(f"energy of {what} is {energy}")
    if getattr(atoms.calc, "converged", None) is False:
        raise LabelFailure(f"energy of {what} did not converge")
    return energy


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _release(attempts: dict[str, _Attempt]) -> None:
    """Drop calculators while the interpreter is whole: some free foreign memory on the way."""
    attempts.clear()
    gc.collect()


def load_factory(target: str) -> CalculatorFactory:
    """Return the callable named ``MODULE:CALLABLE``; the current directory is importable.

    Raises:
        ReferenceLevelError: the module or the callable cannot be had.
    """
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise ReferenceLevelError(
            f"Reference ase:{target} should read ase:MODULE:CALLABLE, for example "
            "ase:my_dft:make_calculator with a function make_calculator in my_dft.py here."
        )
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # the user's module may raise anything
        raise ReferenceLevelError(
            f"Module {module_name} of reference ase:{target} cannot be imported from {here} or "
            f"the installed packages: {_one_line(error)}"
        ) from error
    finally:
        if added:
            sys.path.remove(here)
    found = getattr(module, attribute, None)
    if not callable(found):
        known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise ReferenceLevelError(
            f"Module {module_name} has no callable {attribute}; it has: "
            f"{', '.join(sorted(known)[:20]) or 'none'}."
        )
    factory: CalculatorFactory = found
    return factory


def ase_level(target: str) -> AseLevel:
    """Return the level of ``ase:MODULE:CALLABLE``.

    The key holds the text of the module, so an edited calculator makes new labels; what the
    module reads from elsewhere is not seen.

    Raises:
        ReferenceLevelError: see ``load_factory``.
    """
    factory = load_factory(target)
    module = inspect.getmodule(factory)
    try:
        text = inspect.getsource(module) if module is not None else ""
    except (OSError, TypeError):
        text = ""
    key = content_hash("ase", target, text, version("ase"))
    return AseLevel(f"ase:{target}", key, factory, factory, "a fresh calculator")
