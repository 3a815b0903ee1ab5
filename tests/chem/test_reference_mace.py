"""MACE-DAC-1 called on explicit graphs, against its own ASE calculator and known numbers."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from chem.guests import load_guest
from chem.hosts import load_host
from chem.references.cells import label_cell
from chem.references.mace import MaceReference
from chem.references.mace_graph import Edges, periodic_edges
from chem.references.mace_model import Graph, MaceModel, mace_dac_path
from chem.references.registry import make_reference
from chem.references.selfcheck import check_reference
from chem.references.validator import validate_reference
from chem.rotations import random_quaternions
from data.constants import KJ_PER_MOL_PER_EV
from data.errors import ReferenceLevelError
from data.records import Guest, Host

pytest.importorskip("mace")

# CO2 bound to the open metal of Mg-MOF-74, relaxed with MACE-DAC-1 + D3 in the rigid host.
OPEN_SITE = (
    np.array([[0.30855132, 0.87113332, 0.64328851]]),
    np.array([[0.97515236, -0.17048958, 0.13396429, 0.04543941]]),
)


@pytest.fixture(scope="module")
def co2() -> Guest:
    return load_guest("CO2")


def calculator_energy(host: Host, guest: Guest, place: np.ndarray, turn: np.ndarray) -> float:
    """The interaction energy through MACE's and dftd3's ASE calculators, double precision."""
    from ase import Atoms
    from ase.calculators.mixing import SumCalculator
    from dftd3.ase import DFTD3

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mace.calculators import MACECalculator

        mace = MACECalculator(
            model_paths=str(mace_dac_path()), device="cpu", default_dtype="float64"
        )
    calculator = SumCalculator([mace, DFTD3(method="pbe", damping="d3bj")])
    atoms = label_cell(host, guest).guest_atoms(guest, place, turn)[0][0]

    def energy(elements: tuple[str, ...], positions: np.ndarray) -> float:
        structure = Atoms(elements, positions=positions, cell=host.lattice_angstrom, pbc=True)
        structure.calc = calculator
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(structure.get_potential_energy())

    every = np.vstack([host.positions_angstrom, atoms])
    parts = energy(host.elements, host.positions_angstrom) + energy(guest.atom_elements, atoms)
    return (energy(host.elements + guest.atom_elements, every) - parts) * KJ_PER_MOL_PER_EV


def test_graph_call_equals_the_ase_calculator(co2: Guest) -> None:
    """Mg-MOF-74's 6.9 angstrom axis brings guest images within the cutoff: a full test."""
    host = load_host("Mg-MOF-74")
    expected = calculator_energy(host, co2, *OPEN_SITE)
    double = make_reference("mace-dac", host, co2, dtype="float64", device="cpu")
    single = make_reference("mace-dac", host, co2, device="cpu")
    for reference, tolerance in ((double, 1e-5), (single, 2e-3)):
        label = reference.interaction_energies(*OPEN_SITE)[0]
        assert label.status == "ok"
        assert label.energy_kj_per_mol == pytest.approx(expected, abs=tolerance)
    assert double.key != single.key
    assert expected / KJ_PER_MOL_PER_EV == pytest.approx(-0.596, abs=0.005)


def test_contract(co2: Guest) -> None:
    host = load_host("SOD")
    reference = make_reference("mace-dac", host, co2, dtype="float64", device="cpu")
    rng = np.random.default_rng(3)
    insertions = (0.03 * rng.normal(size=(2, 3)), random_quaternions(rng, 2))
    report = validate_reference(reference, host, co2, *insertions)
    # Forces to within D3's sharp 60 bohr cutoff; in vacuum its tail at 26 angstrom remains.
    assert report.failures(1e-6, 0.01, vacuum_tolerance=1e-3) == ()


def test_wide_pore_holds_dispersion_and_no_more(co2: Guest, tmp_path: Path) -> None:
    """In IRMOF-1, 9 angstrom from any atom: -0.012 eV, all of it D3(BJ, PBE)."""
    host = load_host("CALF-20")
    reference = make_reference("mace-dac", host, co2)
    check = check_reference(reference, host, co2, cache_dir=tmp_path)
    assert check.passed
    assert check.pore_energy_kj_per_mol == pytest.approx(-0.012 * KJ_PER_MOL_PER_EV, abs=0.06)
    assert check.offset_kj_per_mol == pytest.approx(0.0, abs=0.01)
    assert check.larger_cell_change_kj_per_mol == pytest.approx(-0.13, abs=0.05)
    again = check_reference(reference, host, co2, cache_dir=tmp_path)
    assert again == check


def test_kernel_equals_the_models_own_forward() -> None:
    """Energies and forces of two graphs, one without edges, to rounding in double precision."""
    host = load_host("SIFSIX-3-Cu")
    fast, own = (
        MaceModel(mace_dac_path(), device="cpu", dtype="float64", fast=f) for f in (True, False)
    )
    edges = periodic_edges(host.positions_angstrom, host.lattice_angstrom, 6.0)
    graph = Graph(fast.species(host.elements), host.positions_angstrom, edges)
    none = np.zeros(0, dtype=int)
    no_edges = Edges(none, none, np.zeros((0, 3)))
    dimer = Graph(fast.species(("C", "O")), np.array([[0.0, 0, 0], [0, 0, 1.2]]), no_edges)
    for a, b in zip(
        fast.evaluate([graph, dimer], forces=True),
        own.evaluate([graph, dimer], forces=True),
        strict=True,
    ):
        np.testing.assert_allclose(a[0], b[0], atol=1e-11)
        assert a[1] is not None
        assert b[1] is not None
        np.testing.assert_allclose(a[1], b[1], atol=1e-11)
    assert fast.uses_kernel
    assert not own.uses_kernel


def test_labels_do_not_depend_on_their_company(co2: Guest) -> None:
    host = load_host("SOD")
    reference = make_reference("mace-dac", host, co2, device="cpu")
    rng = np.random.default_rng(4)
    places, turns = 0.03 * rng.normal(size=(3, 3)), random_quaternions(rng, 3)
    together = reference.interaction_energies(places, turns)
    for i in (2, 0, 1):
        alone = reference.interaction_energies(places[i : i + 1], turns[i : i + 1])[0]
        assert alone.energy_kj_per_mol == together[i].energy_kj_per_mol
    assert isinstance(reference, MaceReference)
    reference.insertions_per_call = 2
    for a, b in zip(reference.interaction_energies(places, turns), together, strict=True):
        assert a.energy_kj_per_mol == pytest.approx(b.energy_kj_per_mol, abs=5e-4)


def test_unknown_element_and_bad_file(co2: Guest, tmp_path: Path) -> None:
    polonium = Host("polonium", np.eye(3) * 9.0, np.zeros((1, 3)), ("Po",), ("Po",))
    with pytest.raises(ReferenceLevelError, match="knows no Po"):
        make_reference("mace-dac", polonium, co2)
    path = tmp_path / "mine.model"
    path.write_bytes(b"not a pickle")
    with pytest.raises(ReferenceLevelError, match="could not be loaded as a MACE model"):
        make_reference(f"mace:{path}", load_host("SOD"), co2, trust_model_file=True)


def test_model_file_by_path_has_no_dispersion_unless_asked(co2: Guest) -> None:
    host = load_host("SOD")
    place, turn = np.zeros((1, 3)), np.array([[1.0, 0.0, 0.0, 0.0]])
    energies = {
        spec: make_reference(spec, host, co2).interaction_energies(place, turn)[0].energy_kj_per_mol
        for spec in ("mace-dac", f"mace:{mace_dac_path()}", f"mace:{mace_dac_path()}+d3")
    }
    full, bare, with_d3 = energies.values()
    assert with_d3 == full
    assert bare - full > 10.0


def test_a_guest_the_model_was_not_fitted_to_is_a_warning(co2: Guest) -> None:
    host = load_host("SOD", charges="none")
    methane = make_reference("mace-dac", host, load_guest("CH4"), device="cpu")
    assert "fitted to other guests than CH4" in methane.warnings[0]
    assert "extrapolates" in methane.for_host(host, load_guest("CH4")).warnings[0]
    for guest in (co2, load_guest("H2O")):
        found = make_reference("mace-dac", host, guest, device="cpu").warnings
        assert not [text for text in found if "fitted" in text]
