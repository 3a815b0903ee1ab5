"""One isotherm against RASPA3 through its Python package (MIT; dev dependency)."""

from dataclasses import replace

import numpy as np
import pytest
from ase.geometry import cell_to_cellpar, cellpar_to_cell

from chem.energies import ClassicalModel
from chem.force_fields import load_force_field
from chem.gcmc import GcmcSettings, mix_guests, run_isotherm
from chem.gcmc.gas_phase import critical_constants
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs

KELVIN = 298.0
REPEATS = (2, 2, 2)
T_95_FOUR_DEGREES = 2.776  # RASPA prints 95 % intervals over five blocks


@pytest.fixture(scope="module")
def raspalib():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RASPALIB_QUIET", "1")
        return pytest.importorskip("raspalib")


def raspa_loading(raspalib, host, guest, ff, pressure, cycles):
    """Guests in the box by RASPA3, mean and standard error."""
    names = [ff.host_type(*kind).name for kind in zip(host.labels, host.elements, strict=True)]
    types = sorted(set(names))
    parameters = [(ff.types[n].epsilon_k, ff.types[n].sigma_angstrom) for n in types]
    field = raspalib.ForceField(
        pseudo_atoms=[
            raspalib.PseudoAtom(name=n, framework_type=n != "guest", mass=12.0, charge=0.0)
            for n in [*types, "guest"]
        ],
        parameters=[
            raspalib.VDWParameters(*pair)
            for pair in [*parameters, (guest.epsilon_k[0], guest.sigma_angstrom[0])]
        ],
        shifted=True,
        use_charge=False,
    )
    lengths_angles = cell_to_cellpar(host.lattice_angstrom)
    framework = raspalib.Framework(
        force_field=field,
        component_name="host",
        simulation_box=raspalib.SimulationBox(*lengths_angles[:3], *np.radians(lengths_angles[3:])),
        space_group_hall_number=1,
        defined_atoms=[
            raspalib.Atom(position=tuple(x), charge=0.0, type=types.index(n))
            for x, n in zip(host.fractional.tolist(), names, strict=True)
        ],
        number_of_unit_cells=list(REPEATS),
    )
    gas = critical_constants(guest)
    component = raspalib.Component(
        force_field=field,
        component_name="guest",
        critical_temperature=gas.temperature_k,
        critical_pressure=gas.pressure_pa,
        acentric_factor=gas.acentric_factor,
        defined_atoms=[raspalib.Atom(position=(0.0, 0.0, 0.0), charge=0.0, type=len(types))],
        particle_probabilities=raspalib.MCMoveProbabilities(
            translation_probability=0.5, reinsertion_cbmc_probability=0.5, swap_cbmc_probability=1.0
        ),
    )
    system = raspalib.System(
        force_field=field,
        external_temperature=KELVIN,
        external_pressure=pressure,
        framework_components=framework,
        components=[component],
        initial_number_of_molecules=[0],
    )
    run = raspalib.MonteCarlo(
        number_of_cycles=cycles,
        number_of_initialization_cycles=cycles // 5,
        systems=[system],
        random_seed=11,
    )
    run.setup()
    run.run()
    mean, interval = run.systems[0].average_loadings.average_loading_number_of_molecules(0)
    return mean, interval / T_95_FOUR_DEGREES


def test_methane_isotherm_in_irmof_1_agrees_with_raspa3(raspalib, gcmc, tmp_path, monkeypatch):
    """CH4 at 1, 5 and 15 bar, each engine with its own Peng-Robinson fugacities."""
    monkeypatch.chdir(tmp_path)
    host, ff = load_host("IRMOF-1"), load_force_field("IRMOF-1-Dubbeldam")
    host = replace(host, lattice_angstrom=cellpar_to_cell(cell_to_cellpar(host.lattice_angstrom)))
    guest = load_guest("CH4:Dubbeldam")
    pairs = mix_pairs(host, guest, ff, charges="none")
    model = ClassicalModel(host, guest, pairs, gcmc.settings(12.0, "shifted"))
    settings = GcmcSettings(
        initialisation_cycles=500,
        production_cycles=6_000,
        repeats=REPEATS,
        pilot_insertions=20_000,
    )
    pressures = (1e5, 5e5, 1.5e6)
    points = run_isotherm(model, mix_guests(guest, ff), KELVIN, pressures, settings, seed=1)
    for point, cycles in zip(points, (2_500, 800, 350), strict=True):
        theirs, error = raspa_loading(raspalib, host, guest, ff, point.pressure_pa, cycles)
        cells = np.prod(REPEATS)
        ours = point.molecules_per_cell.mean * cells
        combined = np.hypot(point.molecules_per_cell.standard_error * cells, error)
        assert combined < 0.05 * ours
        assert abs(ours - theirs) < 2.5 * combined
