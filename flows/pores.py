"""The pores of a host in words: diameters, void fraction, what a guest can reach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.prepare import build_system, widom_settings

if TYPE_CHECKING:
    from rich.console import Console

    from chem.pores.pocket_map import PocketMap
    from data.records import Host
    from flows.settings import HenrySettings

PROBE_RADIUS_ANGSTROM = 1.86


def describe_pores(settings: HenrySettings, block_file: Path | None = None) -> dict[str, Any]:
    """Return diameters, void fractions and the pores a guest can reach.

    Args:
        settings: host, guest, force field and charges; the rest is not used.
        block_file: where to write the closed pockets as a RASPA block file, in the cell of the
            structure as given.
    """
    from chem.hosts import host_density_kg_per_m3, load_host
    from chem.pores.diameters import pore_diameters
    from chem.pores.void import helium_void_fraction, probe_volume
    from chem.widom import choose_model, map_pockets

    system = build_system(settings, settings.force_field)
    host = system.host
    diameters = pore_diameters(host)
    helium = build_system(settings.model_copy(update={"guest": "He"}), settings.force_field)
    void = helium_void_fraction(helium.model())
    probe = probe_volume(host, PROBE_RADIUS_ANGSTROM)
    model, _, notes = choose_model(system.model(), (298.15,), widom_settings(settings))
    found = map_pockets(model, settings.pocket_threshold_kt)
    if block_file is not None:
        whole = load_host(settings.host, charges="none", primitive=False)
        _write_blocks(block_file, found, whole)
    return {
        "host": host.name,
        "guest": system.guest.name,
        "force_field": system.pairs.force_field,
        "density_kg_per_m3": host_density_kg_per_m3(host),
        "included_sphere_angstrom": diameters.included_angstrom,
        "free_sphere_angstrom": diameters.free_angstrom,
        "included_along_free_angstrom": diameters.included_along_free_angstrom,
        "helium_void_fraction": void.mean,
        "helium_void_fraction_standard_error": void.standard_error,
        "probe_radius_angstrom": PROBE_RADIUS_ANGSTROM,
        "probe_volume_accessible": probe.accessible.mean,
        "probe_volume_inaccessible": probe.inaccessible.mean,
        "pocket_threshold_kt": settings.pocket_threshold_kt,
        "channels": [region.dimensionality for region in found.channels],
        "pockets": len(found.pockets),
        "excluded_share": found.excluded_share,
        "block_file": None if block_file is None else str(block_file),
        "notes": [*notes, *([found.warning] if found.warning else [])],
    }


def _write_blocks(path: Path, found: PocketMap, whole: Host) -> None:
    from chem.pores.block_file import write_block_file
    from chem.pores.spheres import cover_pockets

    write_block_file(path, cover_pockets(found).in_cell(np.asarray(whole.lattice_angstrom)))


def print_pores(facts: dict[str, Any], console: Console | None = None) -> None:
    """Print the pores of a host, one fact a line."""
    from rich.console import Console

    out = console or Console(highlight=False, soft_wrap=True)
    channels = ", ".join(f"{d}D" for d in facts["channels"]) or "none"
    lines = (
        ("largest included sphere", f"{facts['included_sphere_angstrom']:.2f} angstrom"),
        ("largest free sphere", f"{facts['free_sphere_angstrom']:.2f} angstrom"),
        ("largest along its path", f"{facts['included_along_free_angstrom']:.2f} angstrom"),
        (
            "void fraction (helium)",
            f"{facts['helium_void_fraction']:.4f} +- "
            f"{facts['helium_void_fraction_standard_error']:.4f}",
        ),
        (
            f"probe of {2 * facts['probe_radius_angstrom']:.2f} angstrom",
            f"{facts['probe_volume_accessible']:.4f} of the cell in channels, "
            f"{facts['probe_volume_inaccessible']:.4f} in pockets",
        ),
        (f"channels for {facts['guest']}", channels),
        (f"pockets for {facts['guest']}", str(facts["pockets"])),
        ("their share of K_H", f"{100 * facts['excluded_share']:.3g} %"),
    )
    out.print(f"{facts['host']}, {facts['density_kg_per_m3']:.1f} kg/m3")
    for name, text in lines:
        out.print(f"  {name:<25}{text}")
    for note in facts["notes"]:
        out.print(f"  note: {note}")
    if facts["block_file"]:
        out.print(f"  block file               {facts['block_file']}")
