"""Runs RASPA3 through its Python package on one of our systems, with the very same numbers.

RASPA3 is `raspalib` 3.1.0 (MIT), an optional dependency; it takes objects, not files.

References:
    [1] Ran, Sharma, Balestra, Li, Calero, Vlugt, Snurr, Dubbeldam, J. Chem. Phys. 161 (2024)
        114106 (RASPA3).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from ase.geometry import cell_to_cellpar, cellpar_to_cell

from chem.hosts import host_density_kg_per_m3
from chem.system import System
from data.constants import GAS_CONSTANT_J_PER_MOL_K, GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import SettingsError
from data.records import Host

KJ_PER_MOL_PER_RASPA_UNIT = 0.01
"""RASPA's energies are in 10 J/mol, whatever they are printed in."""
HOW_TO_INSTALL = "RASPA3 is not installed. Install it with: pip install raspalib==3.1.0"
STEPS_PER_CYCLE = 20
"""RASPA does at least this many Monte Carlo steps a cycle."""
CLOSEST_ATOMS_ANGSTROM = 0.316
"""RASPA silently drops framework atoms closer than this to another one."""


@dataclass(frozen=True)
class RaspaRun:
    """One independent RASPA3 simulation.

    Attributes:
        henry_mol_per_kg_pa: its Henry coefficient.
        insertions: its Widom insertions (each of ten positions and ten orientations).
        cpu_seconds: processor time of its production.
    """

    henry_mol_per_kg_pa: float
    insertions: int
    cpu_seconds: float


def import_raspalib() -> Any:
    """Return the package, quietly.

    Raises:
        SettingsError: it is not installed; the message says how to install it.
    """
    os.environ["RASPALIB_QUIET"] = "1"
    try:
        import raspalib
    except ImportError as error:
        raise SettingsError(HOW_TO_INSTALL) from error
    return raspalib


def in_raspa_orientation(host: Host) -> Host:
    """Return the host turned so that a lies along x and b in the xy plane, as RASPA has it."""
    return replace(host, lattice_angstrom=cellpar_to_cell(cell_to_cellpar(host.lattice_angstrom)))


def repeats_for(host: Host, cutoff_angstrom: float) -> tuple[int, int, int]:
    """Return the fewest cells along each vector that make every width two cutoffs or more.

    RASPA takes nearest images only.
    """
    widths = 1.0 / np.linalg.norm(np.linalg.inv(host.lattice_angstrom), axis=0)
    a, b, c = np.ceil(2.0 * cutoff_angstrom / widths - 1e-9).astype(int)
    return int(a), int(b), int(c)


def self_parameters(system: System) -> tuple[np.ndarray, np.ndarray]:
    """Return the host atoms' own (epsilon over k_B, sigma) behind the mixed pair table.

    RASPA mixes by itself (Lorentz-Berthelot), so the pair table is taken apart again, and the
    result is checked against every guest site.

    Returns:
        (n,) well depths in kelvin and (n,) diameters in angstrom.

    Raises:
        SettingsError: the table was not mixed by the Lorentz-Berthelot rule.
    """
    guest, pairs = system.guest, system.pairs
    epsilon_k = pairs.epsilon_kj_per_mol / GAS_CONSTANT_KJ_PER_MOL_K
    own = np.nan_to_num(guest.epsilon_k)
    site = int(np.argmax(own))
    if not own[site] > 0.0:
        raise SettingsError(f"guest {guest.name} has no site of its own to unmix the pairs with")
    host_epsilon = epsilon_k[site] ** 2 / own[site]
    host_sigma = 2.0 * pairs.sigma_angstrom[site] - guest.sigma_angstrom[site]
    mixed = np.sqrt(np.outer(own, host_epsilon))
    diameter = 0.5 * (guest.sigma_angstrom[:, None] + host_sigma)
    same = np.allclose(mixed, epsilon_k, rtol=1e-9, atol=1e-12)
    acts = epsilon_k > 0.0
    if not (same and np.allclose(diameter[acts], pairs.sigma_angstrom[acts], rtol=1e-9)):
        raise SettingsError("the pair table is not Lorentz-Berthelot; RASPA cannot be given it")
    return host_epsilon, np.where(host_sigma > 0.0, host_sigma, 1.0)


def raspa_system(
    raspalib: Any, system: System, temperature_k: float = 300.0, molecules: int = 0
) -> Any:
    """Build a RASPA3 system: the host replicated as needed and ``molecules`` guests.

    Raises:
        SettingsError: RASPA cannot do what the settings ask for, or it lost atoms.
    """
    settings = system.classical
    if settings.lj not in ("truncated", "shifted") or settings.tail_correction:
        raise SettingsError("the comparison is for truncated or shifted potentials without tail")
    system = _deepest_site_first(replace(system, host=in_raspa_orientation(system.host)))
    host = system.host
    repeats = repeats_for(host, settings.cutoff_angstrom)
    kinds, field = _force_field(raspalib, system)
    theirs = raspalib.System(
        force_field=field,
        external_temperature=temperature_k,
        external_pressure=1e5,
        framework_components=_framework(raspalib, field, system, repeats),
        components=[_component(raspalib, field, system, kinds)],
        initial_number_of_molecules=[molecules],
    )
    expected = int(np.prod(repeats)) * len(host.elements)
    found = len(theirs.atom_data) - molecules * len(system.guest.site_types)
    if found != expected:
        raise SettingsError(
            f"RASPA kept {found} of {expected} host atoms of {host.name}; it drops atoms closer "
            f"than {CLOSEST_ATOMS_ANGSTROM} angstrom"
        )
    return theirs


def _deepest_site_first(system: System) -> System:
    """Return the system with the guest's deepest Lennard-Jones site listed first.

    RASPA places the first site before all others. Started from a charge without Lennard-Jones
    (the middle of N2) it needs a hundred times the insertions; its own files begin with an atom.
    """
    guest, pairs = system.guest, system.pairs
    order = np.argsort(-np.nan_to_num(guest.epsilon_k), kind="stable")
    return replace(
        system,
        guest=replace(
            guest,
            site_types=tuple(guest.site_types[i] for i in order),
            site_elements=tuple(guest.site_elements[i] for i in order),
            positions_angstrom=guest.positions_angstrom[order],
            charges_e=guest.charges_e[order],
            epsilon_k=guest.epsilon_k[order],
            sigma_angstrom=guest.sigma_angstrom[order],
        ),
        pairs=replace(
            pairs,
            epsilon_kj_per_mol=pairs.epsilon_kj_per_mol[order],
            sigma_angstrom=pairs.sigma_angstrom[order],
            guest_charges_e=pairs.guest_charges_e[order],
        ),
    )


def _host_kinds(system: System) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct (atomic number, epsilon, sigma), and the kind of every host atom."""
    epsilon, sigma = self_parameters(system)
    numbers = np.array([atomic_numbers[e] for e in system.host.elements], dtype=float)
    columns = np.column_stack([numbers, epsilon, sigma]).round(9)
    kinds, index = np.unique(columns, axis=0, return_inverse=True)
    return kinds, index.reshape(-1)


def _force_field(raspalib: Any, system: System) -> tuple[int, Any]:
    """Return the number of host kinds, and a force field of these and one type a guest site."""
    kinds = _host_kinds(system)[0]
    guest, settings = system.guest, system.classical
    atoms = [
        raspalib.PseudoAtom(
            name=f"H{index}",
            framework_type=True,
            mass=float(atomic_masses[number]),
            charge=0.0,
            atomic_number=int(number),
        )
        for index, number in enumerate(kinds[:, 0].astype(int))
    ]
    atoms += [
        raspalib.PseudoAtom(name=f"G{index}", framework_type=False, mass=12.0, charge=0.0)
        for index in range(len(guest.site_types))
    ]
    parameters = [raspalib.VDWParameters(*kind[1:]) for kind in kinds.tolist()]
    parameters += [
        raspalib.VDWParameters(float(e), float(s))
        for e, s in zip(guest.epsilon_k, guest.sigma_angstrom, strict=True)
    ]
    return len(kinds), raspalib.ForceField(
        pseudo_atoms=atoms,
        parameters=parameters,
        cutoff_framework_vdw=settings.cutoff_angstrom,
        cutoff_molecule_vdw=settings.cutoff_angstrom,
        cutoff_coulomb=settings.cutoff_angstrom,
        shifted=settings.lj == "shifted",
        tail_corrections=False,
        use_charge=system.pairs.has_charges,
    )


def _framework(raspalib: Any, field: Any, system: System, repeats: tuple[int, int, int]) -> Any:
    host, index = system.host, _host_kinds(system)[1]
    cell = cell_to_cellpar(host.lattice_angstrom)
    return raspalib.Framework(
        force_field=field,
        component_name="host",
        # Radians, whatever the stub says.
        simulation_box=raspalib.SimulationBox(*cell[:3], *np.radians(cell[3:])),
        space_group_hall_number=1,
        defined_atoms=[
            raspalib.Atom(position=tuple(place), charge=charge, type=kind)
            for place, charge, kind in zip(
                host.fractional.tolist(),
                system.pairs.host_charges_e.tolist(),
                index.tolist(),
                strict=True,
            )
        ],
        number_of_unit_cells=list(repeats),
    )


def _component(raspalib: Any, field: Any, system: System, first_type: int) -> Any:
    guest = system.guest
    return raspalib.Component(
        force_field=field,
        component_name="guest",
        # The equation of state of the gas; insertions do not use it.
        critical_temperature=304.1282,
        critical_pressure=7377300.0,
        acentric_factor=0.22394,
        defined_atoms=[
            raspalib.Atom(position=tuple(place), charge=charge, type=first_type + site)
            for site, (place, charge) in enumerate(
                zip(
                    guest.positions_angstrom.tolist(),
                    system.pairs.guest_charges_e.tolist(),
                    strict=True,
                )
            )
        ],
        particle_probabilities=raspalib.MCMoveProbabilities(widom_probability=1.0),
    )


def henry_run(
    raspalib: Any, system: System, temperature_k: float, cycles: int, seed: int
) -> RaspaRun:
    """Run one RASPA3 simulation of Widom insertions in the empty host."""
    theirs = raspa_system(raspalib, system, temperature_k)
    simulation = raspalib.MonteCarlo(
        number_of_cycles=cycles,
        number_of_initialization_cycles=0,
        number_of_equilibration_cycles=0,
        print_every=10 * cycles,
        write_binary_restart_every=10 * cycles,
        systems=[theirs],
        random_seed=seed,
        output_to_files=False,
    )
    simulation.setup()
    simulation.initialize()
    simulation.equilibrate()
    start = time.process_time()
    simulation.production()
    seconds = time.process_time() - start
    weight = simulation.systems[0].components[0].average_rosenbluth_weights.result()[0]
    simulation.tear_down()
    return RaspaRun(
        henry_mol_per_kg_pa=weight * henry_of_empty_cell(system.host, temperature_k),
        insertions=cycles * STEPS_PER_CYCLE,
        cpu_seconds=seconds,
    )


def henry_of_empty_cell(host: Host, temperature_k: float) -> float:
    """Return 1 / (rho R T), the Henry coefficient where nothing interacts, mol/(kg Pa)."""
    return 1.0 / (host_density_kg_per_m3(host) * GAS_CONSTANT_J_PER_MOL_K * temperature_k)
