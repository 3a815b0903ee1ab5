"""Labels as extended XYZ: host and guest atoms with the reference energy, to train on.

The interaction energy E(host + guest) - E(host) - E(guest) is no energy of the frame, so it has
a name of its own and is not stored as ``energy``. eV, angstrom and eV/angstrom, as ASE has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.constants import KJ_PER_MOL_PER_EV
from data.schemas import PLACEMENT_COLUMNS
from data.store import read_rows, write_atomically
from flows.report.words import known

if TYPE_CHECKING:
    from ase import Atoms

    from chem.references.cells import LabelCell
    from data.records import Guest
    from flows.campaign.export.export import ExportRecord
    from flows.campaign.folder import CampaignFolder

ENERGY = "REF_interaction_energy"
BASELINE = "baseline_interaction_energy"
FORCE = "REF_guest_force"
TORQUE = "REF_guest_torque"


def write_xyz(folder: CampaignFolder, out: Path) -> ExportRecord:
    """Write one extended XYZ file per unit that has labels.

    Args:
        folder: the campaign.
        out: folder of the files.
    """
    from ase.io import write

    from flows.campaign.export.export import ExportRecord

    files = labels = 0
    for unit in folder.units():
        frames = [] if unit.is_classical else list(label_frames(folder.runs / unit.id))
        if not frames:
            continue
        path = out / f"{unit.id}.xyz"
        write_atomically(path, lambda p, frames=frames: write(p, frames, format="extxyz"))  # type: ignore[misc]
        files, labels = files + 1, labels + len(frames)
    return ExportRecord(out, files, labels)


def label_frames(run_dir: Path) -> Iterator[Atoms]:
    """Yield a run's labels as ASE atoms, each once, in the order they were paid for."""
    rows: dict[str, dict[str, Any]] = {}
    for path in sorted((run_dir / "labels").glob("*.parquet")):
        for row in read_rows(path):
            rows.setdefault(row["label_key"], row)
    if not rows:
        return
    from tasks.context import load_context

    context = load_context(str(run_dir))
    guest = context.system.guest
    cell = _cell(context.system.host, guest, context.atomistic)
    names = {
        "host": context.system.host.name,
        "guest": guest.name,
        "reference": context.reference,
        "baseline": context.system.pairs.force_field,
        "host_cells": np.array(cell.replication),
        "guest_atoms": len(guest.atom_elements),
        "units": "eV angstrom",
    }
    for row in rows.values():
        yield _frame(row, cell, guest, names)


def _cell(host: Any, guest: Guest, atomistic: bool) -> LabelCell:
    """Return the cell the labels were computed in; pair potentials need the host's own only."""
    from chem.references.cells import label_cell

    return label_cell(host, guest, None if atomistic else (1, 1, 1))


def _frame(row: dict[str, Any], cell: LabelCell, guest: Guest, names: dict[str, Any]) -> Atoms:
    from ase import Atoms

    placement = np.array([row[name] for name in PLACEMENT_COLUMNS], dtype=float)
    placed, _ = cell.guest_atoms(guest, placement[None, :3], placement[None, 3:])
    host = cell.host
    atoms = Atoms(
        symbols=[*host.elements, *guest.atom_elements],
        positions=np.vstack([host.positions_angstrom, placed[0]]),
        cell=host.lattice_angstrom,
        pbc=True,
        info=names | _info(row),
    )
    atoms.set_array("is_guest", np.arange(len(atoms)) >= len(host.elements))
    return atoms


def _info(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a label says, in eV; energy and forces only where it has them."""
    info = {
        # A hash such as 12e45 alone would be read back as a number.
        "label_key": f"label-{row['label_key']}",
        "reference_key": f"reference-{row['reference_key']}",
        "status": row["status"],
        "round": row["round"],
        "seconds": row["seconds"],
    }
    if row["reason"]:
        info["reason"] = row["reason"]
    for name, column in ((ENERGY, "energy_kj_per_mol"), (BASELINE, "baseline_kj_per_mol")):
        if known(row[column]):
            info[name] = row[column] / KJ_PER_MOL_PER_EV
    for name, column in ((FORCE, "force"), (TORQUE, "torque")):
        vector = [row[f"{column}_{axis}"] for axis in "xyz"]
        if all(known(part) for part in vector):
            info[name] = np.array(vector) / KJ_PER_MOL_PER_EV
    return info
