"""``widomill show`` and ``widomill list``: what is bundled or in a file, with its sources."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from chem.site_types import ForceField
    from data.records import Guest, Host

KINDS = ("hosts", "guests", "force-fields")
SHORT_SOURCE = 72


def show(name: str, console: Console) -> None:
    """Print everything known of a host, a guest or a force field; of all that bear the name.

    Args:
        name: a bundled name (letter case ignored), or the path of a CIF, YAML or JSON file.
        console: where to print.

    Raises:
        SettingsError: nothing has that name.
        InputError: or one of its kinds; the file cannot be read.
    """
    from data.bundled import match_name

    shown = False
    for kind, names in _names().items():
        known = match_name(name, names)
        if known is not None:
            _SHOW[kind](known, console)
            shown = True
    if shown:
        return
    path = Path(name).expanduser()
    if not path.is_file():
        raise SettingsError(_unknown(name))
    _show_file(path, console)


def list_table(kind: str) -> Table:
    """Return what is bundled of one kind: names, other names, sources in short.

    Args:
        kind: one of `KINDS`.

    Raises:
        SettingsError: another kind.
    """
    if kind not in KINDS:
        raise SettingsError(f"Cannot list {kind!r}; choose one of {', '.join(KINDS)}.")
    table = _table("name", "also", "source") if kind == "guests" else _table("name", "source")
    for row in _ROWS[kind]():
        table.add_row(*row[:-1], textwrap.shorten(row[-1], SHORT_SOURCE, placeholder=" ..."))
    return table


def _names() -> dict[str, list[str]]:
    """Return every bundled name by kind, the other names of guests included."""
    from chem.force_fields import bundled_force_fields
    from chem.guests import guest_aliases
    from chem.hosts import bundled_hosts

    guests = guest_aliases()
    return {
        "hosts": list(bundled_hosts()),
        "guests": [*guests, *(alias for aliases in guests.values() for alias in aliases)],
        "force-fields": list(bundled_force_fields()),
    }


def _unknown(name: str) -> str:
    """Return the message for a name nobody knows."""
    every = {entry.lower(): entry for names in _names().values() for entry in names}
    near = [every[hit] for hit in difflib.get_close_matches(name.lower(), every, cutoff=0.5)]
    guess = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"There is no file and no bundled host, guest or force field named {name!r}.{guess} "
        f"`widomill list {'|'.join(KINDS)}` names them all."
    )


def _show_file(path: Path, console: Console) -> None:
    """Show a file as the kind its suffix and its content say."""
    suffix = path.suffix.lower()
    if suffix in {".cif", ".mcif"}:
        return show_host(str(path), console)
    if suffix not in {".json", ".yaml", ".yml"}:
        raise SettingsError(
            f"{path} is no CIF, YAML or JSON file. Give a host, a guest or a force field."
        )
    if suffix == ".json":
        from chem.json_files import read_json_object

        content = read_json_object(path, SettingsError)
        force_field = "selfinteractions" in content or "binaryinteractions" in content
    else:
        from chem.yaml_files import read_yaml_mapping

        force_field = "sites" not in read_yaml_mapping(path, str(path), SettingsError)
    return (show_force_field if force_field else show_guest)(str(path), console)


def show_host(name_or_path: str, console: Console) -> None:
    """Print formula, cell, symmetry, density, charges and source of a host."""
    from ase.geometry import cell_to_cellpar

    from chem.descriptions import formula, space_group
    from chem.hosts import host_density_kg_per_m3, load_host

    host = load_host(name_or_path)
    lengths = cell_to_cellpar(host.lattice_angstrom)
    _print_title("Host", host.name, console)
    _print_facts(
        [
            ("formula of the primitive cell", formula(host)),
            ("atoms in the primitive cell", str(len(host.elements))),
            ("a, b, c (angstrom)", ", ".join(f"{value:.4f}" for value in lengths[:3])),
            ("alpha, beta, gamma (degrees)", ", ".join(f"{value:.3f}" for value in lengths[3:])),
            ("volume (cubic angstrom)", f"{host.volume_angstrom3:.2f}"),
            ("space group (to 0.01 angstrom)", space_group(host)),
            ("density (kg/m3)", f"{host_density_kg_per_m3(host):.1f}"),
            ("charges (e)", _charge_range(host)),
            ("source", host.source),
            *(("note", note) for note in host.notes),
        ],
        console,
    )


def _charge_range(host: Host) -> str:
    """Return lowest and highest charge of every element."""
    if host.charges_e is None:
        return "none in the file"
    elements = np.array(host.elements)
    parts = []
    for element in dict.fromkeys(host.elements):
        own = host.charges_e[elements == element]
        low, high = f"{own.min():+.3f}", f"{own.max():+.3f}"
        parts.append(f"{element} {low}" + ("" if low == high else f" to {high}"))
    return ", ".join(parts)


def show_guest(name_or_path: str, console: Console) -> None:
    """Print sites, mass, moments and source of a guest."""
    from chem.descriptions import dipole_debye, quadrupole_debye_angstrom
    from chem.guests import guest_aliases, guest_note, load_guest

    guest = load_guest(name_or_path)
    facts = [("molar mass (g/mol)", f"{guest.molar_mass_g_per_mol:.3f}")]
    if np.all(np.isfinite(guest.charges_e)) and guest.charges_e.any():
        values = ", ".join(f"{value:+.3f}" for value in quadrupole_debye_angstrom(guest))
        facts.append(("dipole (D)", f"{dipole_debye(guest):.3f}"))
        facts.append(("quadrupole, principal (D angstrom)", values))
    atoms = " ".join(guest.atom_elements) or "unknown; give a YAML guest with an atoms list"
    facts.append(("real atoms", atoms))
    named = [(name, *others) for name, others in guest_aliases().items()]
    aliases = next((names[1:] for names in named if name_or_path in names), ())
    facts += [("also named", ", ".join(aliases))] if aliases else []
    facts.append(("source", guest.source))
    note = guest_note(name_or_path)
    facts += [("note", note)] if note else []
    _print_title("Guest", guest.name, console)
    console.print(_site_table(guest))
    _print_facts(facts, console)


def _site_table(guest: Guest) -> Table:
    """Return the sites with positions and parameters."""
    table = _table("site", "x, y, z (angstrom)", "epsilon/k (K)", "sigma (angstrom)", "charge (e)")
    positions = np.round(guest.positions_angstrom, 4) + 0.0  # no minus zero
    for index, name in enumerate(guest.site_types):
        position = ", ".join(f"{value:.4f}" for value in positions[index])
        epsilon, sigma = guest.epsilon_k[index], guest.sigma_angstrom[index]
        table.add_row(
            name,
            position,
            "-" if epsilon == 0.0 else _number(epsilon),
            "-" if epsilon == 0.0 else _number(sigma),
            _number(guest.charges_e[index]),
        )
    return table


def show_force_field(name_or_path: str, console: Console) -> None:
    """Print rule, truncation, types and pairs of a force field."""
    from chem.force_fields import load_force_field

    field = load_force_field(name_or_path)
    tail = {None: "not said", True: "yes", False: "no"}[field.tail_correction]
    cutoff = "not said" if field.cutoff_angstrom is None else f"{field.cutoff_angstrom:g} angstrom"
    facts = [
        ("mixing rule", field.mixing),
        ("truncation", field.truncation or "not said"),
        ("tail correction", tail),
        ("cutoff", cutoff),
        *([("charges", "switched off")] if field.without_charges else []),
        ("source", field.source),
    ]
    _print_title("Force field", field.name, console)
    console.print(_type_table(field))
    if field.pairs:
        table = _table("pair", "epsilon/k (K)", "sigma (angstrom)")
        for (one, two), (epsilon, sigma) in sorted(field.pairs.items()):
            table.add_row(f"{one} - {two}", _number(epsilon), _number(sigma))
        console.print(table)
    _print_facts(facts, console)


def _type_table(field: ForceField) -> Table:
    """Return the site types with their parameters."""
    table = _table("type", "for", "epsilon/k (K)", "sigma (angstrom)", "charge (e)")
    for name, site in field.types.items():
        used = " and ".join(
            word for word, holds in (("host", site.for_host), ("guest", site.for_guest)) if holds
        )
        values = (site.epsilon_k, site.sigma_angstrom, site.charge_e)
        table.add_row(name, used, *("-" if value is None else _number(value) for value in values))
    return table


def _number(value: float) -> str:
    """Return a number with all its digits, or that it is still unknown."""
    return "from the force field" if np.isnan(value) else f"{value:.10g}"


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print_title(kind: str, name: str, console: Console) -> None:
    from rich.text import Text

    console.print(Text(f"{kind} {name}", style="bold"))


def _print_facts(facts: list[tuple[str, str]], console: Console) -> None:
    from rich.text import Text

    table = _table("", "")
    table.show_header = False
    for label, value in facts:
        table.add_row(Text(label), Text(value))
    console.print(table)
    console.print()


def _host_rows() -> list[tuple[str, ...]]:
    from data.bundled import bundled_files

    rows: list[tuple[str, ...]] = []
    for name, file in bundled_files("hosts", ".cif").items():
        lines = file.read_text(encoding="utf-8").splitlines()
        comment = " ".join(line.lstrip("# ") for line in lines[:12] if line.startswith("#"))
        rows.append((name, comment.partition(" Written for")[0].removeprefix("Source: ")))
    return rows


def _guest_rows() -> list[tuple[str, ...]]:
    from chem.guests import guest_aliases, load_guest

    return [
        (name, ", ".join(aliases), load_guest(name).source)
        for name, aliases in guest_aliases().items()
    ]


def _force_field_rows() -> list[tuple[str, ...]]:
    from chem.force_fields import bundled_force_fields, load_force_field

    return [(name, load_force_field(name).source) for name in bundled_force_fields()]


_SHOW: dict[str, Callable[[str, Any], None]] = {
    "hosts": show_host,
    "guests": show_guest,
    "force-fields": show_force_field,
}
_ROWS: dict[str, Callable[[], list[tuple[str, ...]]]] = {
    "hosts": _host_rows,
    "guests": _guest_rows,
    "force-fields": _force_field_rows,
}
