"""Single-point energies against RASPA3 through its Python package (MIT; dev dependency)."""

from dataclasses import replace

import numpy as np
import pytest
from ase.geometry import cell_to_cellpar, cellpar_to_cell

from chem.energies import ClassicalModel, ClassicalSettings
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs

RASPA_UNIT_KJ_PER_MOL = 0.01  # RASPA's energies are in 10 J/mol, whatever they are printed in
REPEATS = 3  # RASPA uses minimum images: the cell must be wider than two cutoffs


@pytest.fixture(scope="module")
def raspalib():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RASPALIB_QUIET", "1")
        return pytest.importorskip("raspalib")


@pytest.fixture(scope="module")
def system():
    """CALF-20 (monoclinic, charged) with CO2, the first cell vector along x as in RASPA."""
    host = load_host("CALF-20")
    cell = cellpar_to_cell(cell_to_cellpar(host.lattice_angstrom))
    assert cell[0, 1:] == pytest.approx([0.0, 0.0])
    host = replace(host, lattice_angstrom=cell)
    guest = load_guest("CO2")
    return host, guest, mix_pairs(host, guest, load_force_field("UFF"))


def raspa_system(raspalib, host, guest, shifted):
    """One guest at a random place in a supercell of the host; parameters from our files."""
    lennard_jones = load_force_field("UFF").types
    elements = sorted(set(host.elements))
    types = [*elements, *dict.fromkeys(guest.site_types)]
    parameters = [
        raspalib.VDWParameters(lennard_jones[e].epsilon_k, lennard_jones[e].sigma_angstrom)
        for e in elements
    ]
    for name in types[len(elements) :]:
        site = guest.site_types.index(name)
        parameters.append(raspalib.VDWParameters(guest.epsilon_k[site], guest.sigma_angstrom[site]))
    field = raspalib.ForceField(
        pseudo_atoms=[
            raspalib.PseudoAtom(
                name=f"{name}_{index}", framework_type=index < len(elements), mass=12.0, charge=0.0
            )
            for index, name in enumerate(types)
        ],
        parameters=parameters,
        shifted=shifted,
    )
    lengths_angles = cell_to_cellpar(host.lattice_angstrom)
    box = raspalib.SimulationBox(*lengths_angles[:3], *np.radians(lengths_angles[3:]))
    framework = raspalib.Framework(
        force_field=field,
        component_name="host",
        simulation_box=box,
        space_group_hall_number=1,
        defined_atoms=[
            raspalib.Atom(position=tuple(x), charge=q, type=types.index(e))
            for x, q, e in zip(
                host.fractional.tolist(), host.charges_e.tolist(), host.elements, strict=True
            )
        ],
        number_of_unit_cells=[REPEATS] * 3,
    )
    component = raspalib.Component(
        force_field=field,
        component_name="guest",
        critical_temperature=304.1282,
        critical_pressure=7377300.0,
        acentric_factor=0.22394,
        defined_atoms=[
            raspalib.Atom(position=tuple(x), charge=q, type=types.index(name))
            for x, q, name in zip(
                guest.positions_angstrom.tolist(),
                guest.charges_e.tolist(),
                guest.site_types,
                strict=True,
            )
        ],
    )
    return raspalib.System(
        force_field=field,
        external_temperature=300.0,
        framework_components=framework,
        components=[component],
        initial_number_of_molecules=[1],
    )


@pytest.mark.parametrize("shifted", [False, True])
def test_single_points_agree_with_raspa3(raspalib, system, shifted):
    """Lennard-Jones to its printed digits; Coulomb to the Ewald precision and guest images.

    RASPA's Coulomb energy holds the guest's own images 27 angstrom away, ours does not.
    """
    host, guest, pairs = system
    settings = ClassicalSettings(12.0, "shifted" if shifted else "truncated")
    uncharged = replace(pairs, guest_charges_e=np.zeros(3))
    for shift in np.random.default_rng(0).random((3, 3)):
        # RASPA places its first molecule with a fixed seed: move the host instead.
        host = replace(host, fractional=(host.fractional + shift) % 1.0)
        theirs = raspa_system(raspalib, host, guest, shifted)
        atoms = theirs.atom_data
        assert len(atoms) == REPEATS**3 * len(host.elements) + 3
        sites = np.array([list(atom.position) for atom in atoms[-3:]])
        placed = replace(guest, positions_angstrom=sites - sites[0])
        origin = (sites[0] @ np.linalg.inv(host.lattice_angstrom))[None]
        identity = np.array([[1.0, 0.0, 0.0, 0.0]])
        total = ClassicalModel(host, placed, pairs, settings).energies(origin, identity)[0][0]
        dispersion = ClassicalModel(host, placed, uncharged, settings)
        lennard_jones = dispersion.energies(origin, identity)[0][0]
        energies = theirs.compute_total_energies()
        vdw, coulomb = (
            term() if callable(term) else term
            for term in (energies.framework_molecule_vdw, energies.coulomb_energy)
        )
        assert lennard_jones == pytest.approx(vdw * RASPA_UNIT_KJ_PER_MOL, rel=1e-6)
        assert total - lennard_jones == pytest.approx(coulomb * RASPA_UNIT_KJ_PER_MOL, abs=5e-3)
