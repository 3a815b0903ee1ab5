"""Reads one input the way the program does and judges what came of it.

There are two good outcomes: an error of our own that names the file, or a record that is sound.
Everything else is a finding: an exception of another class, a message without the file's name,
a record with a number that is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.errors import WidomillError

LONGEST_MESSAGE = 4000


class Unsound(Exception):
    """A reader handed back something that makes no sense."""


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes:
        good: whether it is one of the two good outcomes.
        result: ``error`` or ``record``, else the class of the finding.
        text: the message.
    """

    good: bool
    result: str
    text: str = ""


def judge(kind: str, path: Path) -> Outcome:
    """Read a file of a kind and judge the outcome."""
    try:
        READERS[kind](path)
    except WidomillError as error:
        return _message(error, path)
    except Unsound as error:
        return Outcome(False, "silent", str(error))
    except Exception as error:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = (
            ""
            if place is None
            else f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}"
        )
        return Outcome(False, f"traceback {type(error).__name__}", f"{where}: {str(error)[:200]}")
    return Outcome(True, "record")


def _message(error: WidomillError, path: Path) -> Outcome:
    """A good message names the file and fits on a screen."""
    text = str(error)
    if path.name not in text and path.stem not in text:
        return Outcome(False, "message without the file", text[:300])
    if len(text) > LONGEST_MESSAGE:
        return Outcome(False, "endless message", f"{len(text)} characters: {text[:200]}")
    return Outcome(True, "error", text)


def check(holds: object, what: str) -> None:
    """Raise `Unsound` unless something holds."""
    if not holds:
        raise Unsound(what)


def _finite(values: object, what: str, largest: float = 1e6) -> None:
    array = np.asarray(values, dtype=float)
    check(np.isfinite(array).all(), f"{what} is not finite")
    check((np.abs(array) <= largest).all(), f"{what} is absurd: {np.abs(array).max(initial=0.0):g}")


def check_host(host: object) -> None:
    """A host is a crystal: finite, in one cell, of known elements, neutral, without overlaps."""
    from ase.data import chemical_symbols

    count = len(host.elements)
    check(count > 0, "no atoms")
    check(host.fractional.shape == (count, 3) and len(host.labels) == count, "shapes differ")
    _finite(host.lattice_angstrom, "lattice", 1e4)
    check(host.volume_angstrom3 > 1.0, "no volume")
    check(((host.fractional >= 0) & (host.fractional < 1)).all(), "atom outside the cell")
    check(set(host.elements) <= set(chemical_symbols[1:]), "unknown element")
    check(len(host.hash) == 16, "no hash")
    if host.charges_e is not None:
        check(host.charges_e.shape == (count,), "charges of another shape")
        _finite(host.charges_e, "charges", 100.0)
        check(abs(host.charges_e.sum()) < 1e-6, f"net charge {host.charges_e.sum():g}")
        check(host.charges_e.any(), "charges all zero")
    if count <= 500:
        positions = host.positions_angstrom
        offsets = (positions[:, None] - positions[None]) @ np.linalg.inv(host.lattice_angstrom)
        offsets -= np.round(offsets)
        distance = np.linalg.norm(offsets @ host.lattice_angstrom, axis=2)
        np.fill_diagonal(distance, 9.0)
        check(distance.min() > 0.4, f"atoms {distance.min():.3f} angstrom apart")


def read_host(path: Path) -> None:
    """Read a CIF, hold it against `check_host`, and write and read it once more."""
    from dataclasses import replace

    from chem.cif import write_cif
    from chem.hosts import load_host

    host = load_host(str(path))
    check_host(host)
    copy = path.with_name("written-again.cif")
    write_cif(host, copy)
    again = load_host(str(copy), primitive=False)
    check(replace(host, notes=()).hash == again.hash, "another host after writing and reading")


def import_host(path: Path) -> None:
    """Examine a CIF as the import does: no exception, and a host only if it is accepted."""
    from chem.host_import import examine
    from chem.host_import.catalogue import row_of

    examined = examine(path)
    check((examined.host is None) == (examined.verdict == "refused"), "verdict and host disagree")
    check(examined.verdict != "refused" or examined.findings, "refused without a reason")
    row = row_of(examined, "x", None)
    if examined.host is not None:
        check_host(examined.host)
        _finite([row["volume_angstrom3"], row["density_kg_per_m3"]], "row", 1e12)


def read_force_field(path: Path) -> None:
    """Read a force field: every number finite and physical, and it mixes or says what is missing."""
    from chem.force_fields import load_force_field, mix_pairs
    from chem.guests import load_guest
    from chem.hosts import load_host
    from data.errors import InputError

    ff = load_force_field(str(path))
    check(ff.types, "no types")
    for site in ff.types.values():
        if site.epsilon_k is not None:
            _lennard_jones(site.epsilon_k, site.sigma_angstrom, site.name)
        if site.charge_e is not None:
            _finite(site.charge_e, f"charge of {site.name}", 100.0)
    for pair, (epsilon, sigma) in ff.pairs.items():
        _lennard_jones(epsilon, sigma, str(pair))
    if ff.cutoff_angstrom is not None:
        check(0.5 <= ff.cutoff_angstrom <= 1000.0, f"cutoff {ff.cutoff_angstrom:g}")
    check(ff.mixing in {"lorentz-berthelot", "geometric"}, "mixing rule")
    try:
        pairs = mix_pairs(load_host("Mg-MOF-74"), load_guest("CO2"), ff)
    except InputError:
        return
    _finite(pairs.epsilon_kj_per_mol, "mixed epsilon")
    _finite(pairs.sigma_angstrom, "mixed sigma")
    _finite(pairs.host_charges_e, "host charges")


def _lennard_jones(epsilon: float, sigma: float, what: str) -> None:
    _finite([epsilon, sigma], what)
    check(not isinstance(epsilon, bool) and not isinstance(sigma, bool), f"{what} is a truth value")
    check(
        epsilon >= 0 and sigma >= 0 and (sigma > 0 or epsilon == 0), f"{what}: {epsilon}, {sigma}"
    )
    check(sigma <= 100.0, f"{what}: sigma {sigma:g}")


def read_guest(path: Path) -> None:
    """Read a guest: finite positions, parameters or NaN together, elements known."""
    from ase.data import chemical_symbols

    from chem.guests import load_guest

    guest = load_guest(str(path))
    count = len(guest.site_types)
    check(count > 0, "no sites")
    _finite(guest.positions_angstrom, "positions", 100.0)
    _finite(guest.atom_positions_angstrom, "atoms", 100.0)
    check(set(guest.atom_elements) <= set(chemical_symbols[1:]), "unknown element")
    known = ~np.isnan(guest.epsilon_k)
    check((known == ~np.isnan(guest.sigma_angstrom)).all(), "half the parameters")
    _finite(guest.epsilon_k[known], "epsilon")
    check((guest.epsilon_k[known] >= 0).all(), "negative epsilon")
    check((guest.sigma_angstrom[known] > 0).all(), "sigma not positive")
    _finite(np.nan_to_num(guest.charges_e), "charges", 100.0)
    if len(guest.atom_elements) > 1:
        atoms = guest.atom_positions_angstrom
        gap = np.linalg.norm(atoms[:, None] - atoms[None], axis=2) + 9.0 * np.eye(len(atoms))
        check(gap.min() > 0.3, f"atoms of the guest {gap.min():.2f} angstrom apart")


def read_charges(path: Path) -> None:
    """Read a table of charges for a small host."""
    from chem.charges import assign_charges
    from data.records import Host

    host = Host(
        "dirty",
        10.0 * np.eye(3),
        np.array(
            [
                [0.1, 0.2, 0.3],
                [0.28, 0.2, 0.3],
                [0.4, 0.2, 0.31],
                [0.4, 0.32, 0.31],
                [0.48, 0.34, 0.3],
                [0.1, 0.2, 0.48],
            ]
        ),
        ("Zn", "O", "C", "N", "H", "Cl"),
        ("Zn1", "O1", "C1", "N1", "H1", "Cl1"),
    )
    check_host(assign_charges(host, str(path)))


def read_blocks(path: Path) -> None:
    """Read a block file."""
    from chem.pores.block_file import read_block_file

    spheres = read_block_file(path, 10.0 * np.eye(3))
    _finite(spheres.centres_fractional, "centres")
    _finite(spheres.radii_angstrom, "radii", 1e4)
    check((np.asarray(spheres.radii_angstrom) >= 0).all(), "negative radius")


def read_parquet(path: Path) -> None:
    """Read a table both ways."""
    from data.store import read_columns, read_rows

    columns = read_columns(path)
    rows = read_rows(path)
    lengths = {len(column) for column in columns.values()} or {0}
    check(lengths == {len(rows)}, "columns and rows disagree")
    if "value" in columns:  # the table of tests/dirty/tables.py: nothing may have changed
        wrong = [i for i, row in enumerate(rows) if row["value"] != 0.5 * i]
        check(not wrong and len(rows) == 300, f"values changed in {len(wrong)} of {len(rows)} rows")


def read_host_table(path: Path) -> None:
    """Read a list of hosts as a campaign does."""
    from flows.campaign.hosts import expand_hosts
    from flows.campaign.settings import HostList

    found = expand_hosts(HostList(list=str(path)), path.parent)
    check(found, "an empty list of hosts")
    for entry in found:
        check("/" not in entry.id and ".." not in entry.id and entry.id, f"id {entry.id!r}")


def read_cluster(path: Path) -> None:
    """Read a cluster file."""
    from flows import cluster_file

    cluster_file.read_pools(path)


def read_campaign(path: Path) -> None:
    """Read a campaign file with its hosts."""
    from flows.campaign.read import read_campaign as read

    campaign = read(path)
    check(campaign.hosts, "no hosts")
    check(all(np.isfinite(campaign.settings.temperatures_k)), "temperatures")


READERS: dict[str, Callable[[Path], None]] = {
    "cif": read_host,
    "import": import_host,
    "force field": read_force_field,
    "guest": read_guest,
    "charges": read_charges,
    "block file": read_blocks,
    "parquet": read_parquet,
    "host list": read_host_table,
    "cluster": read_cluster,
    "campaign": read_campaign,
}


def warm_up() -> None:
    """Import what the readers import, so that limits and times are those of the inputs."""
    import ase.data
    import pyarrow.parquet
    import pymatgen.io.cif
    import spglib

    import chem.guests
    import chem.host_import
    import flows.campaign.read

    _ = (ase.data, pyarrow.parquet, pymatgen.io.cif, spglib)
    _ = (chem.guests, chem.host_import, flows.campaign.read)
