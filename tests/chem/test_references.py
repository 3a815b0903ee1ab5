"""References that need no neural network: specs, cells, force fields, ASE, xTB."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chem.energies import ClassicalSettings
from chem.guests import load_guest
from chem.hosts import load_host, replicate
from chem.references.ase_calculator import AseReference
from chem.references.cells import (
    label_cell,
    needed_replication,
    short_lattice_vectors,
    shortest_vector,
)
from chem.references.classical import OVERLAP_ENERGY_KJ_PER_MOL
from chem.references.contract import Reference
from chem.references.dispersion import DispersionInteraction
from chem.references.registry import (
    make_reference,
    parse_reference_spec,
    validate_reference_spec,
)
from chem.references.selfcheck import check_reference, pore_centre
from chem.references.validator import validate_reference
from chem.rotations import random_quaternions
from data.errors import ForceFieldError, OffsetReferenceError, ReferenceLevelError, SettingsError
from data.records import Guest, Host

CALCULATORS = '''
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones

made = []


def soft():
    return LennardJones(sigma=2.8, epsilon=0.01, rc=8.0, ro=6.0, smooth=True)


class Shifted(LennardJones):
    """Adds a constant to whatever holds a guest and more."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if len(self.atoms) > 100 and len(self.atoms) % 2:
            self.results["energy"] += 0.05


def shifted():
    return Shifted(sigma=1.0, epsilon=1e-9, rc=3.0)


class Flaky(LennardJones):
    """Raises in the third call of the first object made."""

    calls = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        Flaky.calls += 1
        if Flaky.calls == 3:
            raise RuntimeError("no convergence in 60 steps")
        super().calculate(atoms, properties, system_changes)


def flaky():
    return Flaky(sigma=2.8, epsilon=0.01, rc=8.0)


class Nowhere(Calculator):
    implemented_properties = ["energy"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results["energy"] = float("nan")


class Quits(Calculator):
    implemented_properties = ["energy"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        raise SystemExit(3)


number = 3
'''


@pytest.fixture(scope="module")
def sodalite() -> Host:
    return load_host("SOD")


@pytest.fixture(scope="module")
def co2() -> Guest:
    return load_guest("CO2")


@pytest.fixture
def calculators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of calculators in the current directory, under a name of its own."""
    name = f"calculators_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(CALCULATORS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return name


def somewhere(host: Host, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Insertions around the widest place of the host."""
    rng = np.random.default_rng(seed)
    fractional = pore_centre(host)[0] + 0.03 * rng.normal(size=(n, 3))
    return fractional, random_quaternions(rng, n)


@pytest.mark.parametrize(
    "text",
    ["dft", "", "mace", "forcefield", "forcefield:", "mace-dac:x", "classical:UFF", "xtb:", "ase"],
)
def test_unknown_level_is_refused_with_the_list(text: str) -> None:
    with pytest.raises(ReferenceLevelError, match="choose one of: classical, forcefield"):
        parse_reference_spec(text)


def test_spec_parts() -> None:
    assert parse_reference_spec("xtb").argument == "GFN1-xTB"
    assert parse_reference_spec("mace-dac").dispersion
    assert not parse_reference_spec("mace:a/b.model").dispersion
    spec = parse_reference_spec("mace:a/b.model+d3")
    assert (spec.argument, spec.dispersion) == ("a/b.model", True)
    assert parse_reference_spec("ase:mine.dft:make").argument == "mine.dft:make"


def test_bad_levels_are_refused_before_anything_runs(calculators: str, tmp_path: Path) -> None:
    with pytest.raises(ReferenceLevelError, match="GFN1-xTB, GFN2-xTB"):
        validate_reference_spec("xtb:GFN9")
    with pytest.raises(ReferenceLevelError, match="no MACE model file"):
        validate_reference_spec(f"mace:{tmp_path / 'none.model'}")
    with pytest.raises(ForceFieldError):
        validate_reference_spec("forcefield:no-such-force-field")
    with pytest.raises(ReferenceLevelError, match="ase:MODULE:CALLABLE"):
        validate_reference_spec("ase:only_a_module")
    with pytest.raises(ReferenceLevelError, match="cannot be imported"):
        validate_reference_spec("ase:no_such_module_here:make")
    with pytest.raises(ReferenceLevelError, match=r"no callable number; it has: .*soft"):
        validate_reference_spec(f"ase:{calculators}:number")
    assert validate_reference_spec(f"ase:{calculators}:soft").kind == "ase"


def test_unknown_model_file_needs_trust(tmp_path: Path) -> None:
    path = tmp_path / "mine.model"
    path.write_bytes(b"not a pickle")
    with pytest.raises(ReferenceLevelError, match=r"SHA-256 [0-9a-f]{64}.*--trust-model-file"):
        validate_reference_spec(f"mace:{path}")
    assert validate_reference_spec(f"mace:{path}", trust_model_file=True).kind == "mace"


def test_short_vectors_of_a_skewed_cell() -> None:
    lattice = np.array([[10.0, 0.0, 0.0], [8.0, 3.0, 0.0], [0.0, 0.0, 9.0]])
    length, coefficients = shortest_vector(lattice)
    assert length == pytest.approx(np.sqrt(13.0))
    assert np.abs(coefficients).tolist() == [1, 1, 0]
    brute = {
        c
        for c in np.ndindex(13, 13, 5)
        if 0 < np.linalg.norm((np.array(c) - [6, 6, 2]) @ lattice) <= 9.0
    }
    assert 2 * len(short_lattice_vectors(lattice, 9.0)) == len(brute)


def test_replication_keeps_images_apart() -> None:
    assert needed_replication(np.diag([5.0, 20.0, 4.0]), 6.3) == (2, 1, 2)
    assert needed_replication(np.diag([6.3, 6.3, 6.3]), 6.3) == (1, 1, 1)
    skewed = np.array([[10.0, 0.0, 0.0], [8.0, 3.0, 0.0], [0.0, 0.0, 9.0]])
    counts = np.array(needed_replication(skewed, 8.0))
    assert shortest_vector(counts[:, None] * skewed)[0] >= 8.0
    assert counts.prod() <= 4


def test_label_cell_says_what_it_is(co2: Guest) -> None:
    cell = label_cell(load_host("CALF-20"), co2)
    assert cell.replication == (1, 1, 1)
    assert cell.image_distance_angstrom == pytest.approx(8.937, abs=1e-3)
    assert "8.9 angstrom" in cell.warnings[0]
    assert "1x1x1 cell (44 host atoms)" in cell.note
    assert label_cell(load_host("IRMOF-1", charges="none"), co2).warnings == ()


def test_replicated_label_cell_puts_the_guest_in_the_same_place(sodalite: Host, co2: Guest) -> None:
    fractional, quaternions = somewhere(sodalite, 3)
    plain = label_cell(sodalite, co2).guest_atoms(co2, fractional, quaternions)
    double = label_cell(sodalite, co2, (2, 1, 3)).guest_atoms(co2, fractional, quaternions)
    for a, b in zip(plain, double, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_dispersion_forces_are_gradients_and_pairwise_limit(sodalite: Host, co2: Guest) -> None:
    cell = label_cell(sodalite, co2)
    fractional, quaternions = somewhere(sodalite, 1)
    atoms = cell.guest_atoms(co2, fractional, quaternions)[0][0]
    d3 = DispersionInteraction(
        sodalite.elements, sodalite.positions_angstrom, sodalite.lattice_angstrom, ("C", "O", "O")
    )
    energy, forces = d3.interaction(atoms, forces=True)
    assert -60.0 < energy < -10.0
    assert forces is not None
    step = np.zeros_like(atoms)
    step[1, 2] = 1e-3
    slope = (d3.interaction(atoms + step)[0] - d3.interaction(atoms - step)[0]) / 2e-3
    assert forces[1, 2] == pytest.approx(-slope, abs=1e-4)


def test_force_field_reference_keeps_the_contract(sodalite: Host, co2: Guest) -> None:
    settings = ClassicalSettings(cutoff_angstrom=10.0)
    reference = make_reference("forcefield:DREIDING", sodalite, co2, settings=settings)
    assert isinstance(reference, Reference)
    report = validate_reference(reference, sodalite, co2, *somewhere(sodalite, 3), step=2e-4)
    assert report.failures(1e-6, 1e-4) == ()
    check = check_reference(reference, sodalite, co2)
    assert check.passed
    assert check.offset_kj_per_mol is None
    assert len(check.skipped) == 2


def test_force_field_overlap_is_a_valid_label(sodalite: Host, co2: Guest) -> None:
    reference = make_reference("forcefield:UFF", sodalite, co2)
    label = reference.interaction_energies(
        sodalite.fractional[:1], np.array([[1.0, 0.0, 0.0, 0.0]]), forces=True
    )[0]
    assert label.status == "ok"
    assert label.energy_kj_per_mol == OVERLAP_ENERGY_KJ_PER_MOL
    assert label.force_kj_per_mol_angstrom is None


def test_force_field_key_follows_its_parameters(sodalite: Host, co2: Guest) -> None:
    keys = {
        make_reference(f"forcefield:{name}", sodalite, co2, settings=settings).key
        for name in ("UFF", "DREIDING")
        for settings in (ClassicalSettings(), ClassicalSettings(lj="shifted"))
    }
    assert len(keys) == 4


def test_classical_needs_the_baseline(sodalite: Host, co2: Guest) -> None:
    with pytest.raises(SettingsError, match="baseline"):
        make_reference("classical", sodalite, co2)


def test_ase_calculator_keeps_the_contract(calculators: str, sodalite: Host, co2: Guest) -> None:
    reference = make_reference(f"ase:{calculators}:soft", sodalite, co2)
    insertions = somewhere(sodalite, 3)
    assert validate_reference(reference, sodalite, co2, *insertions).failures(1e-6, 1e-3) == ()
    check = check_reference(reference, sodalite, co2)
    assert check.passed
    assert check.larger_cell_change_kj_per_mol == pytest.approx(0.0, abs=1e-6)
    tripled = reference.for_host(sodalite, co2, (1, 2, 1))
    assert tripled.key != reference.key
    assert tripled.level_key == reference.level_key
    np.testing.assert_allclose(
        [x.energy_kj_per_mol for x in tripled.interaction_energies(*insertions)],
        [x.energy_kj_per_mol for x in reference.interaction_energies(*insertions)],
        atol=1e-8,
    )


def test_many_body_calculator_takes_the_guest_in_the_same_cell(co2: Guest) -> None:
    """EMT densities of guest images drop out: a cell four times as large agrees."""
    copper = Host("copper", np.eye(3) * 9.0, np.zeros((1, 3)), ("Cu",), ("Cu",))
    reference = make_reference("ase:ase.calculators.emt:EMT", copper, co2)
    place, turn = np.full((1, 3), 0.45), np.array([[1.0, 0.0, 0.0, 0.0]])
    here = reference.interaction_energies(place, turn, forces=True)[0]
    assert here.status == "ok"
    assert here.force_kj_per_mol_angstrom is not None
    doubled = replicate(copper, (2, 1, 1))
    there = reference.for_host(doubled, co2).interaction_energies(place * [0.5, 1, 1], turn)[0]
    assert there.energy_kj_per_mol == pytest.approx(here.energy_kj_per_mol, abs=0.5)


def test_calculator_with_an_offset_is_refused_with_the_number(
    calculators: str, sodalite: Host, co2: Guest, tmp_path: Path
) -> None:
    reference = make_reference(f"ase:{calculators}:shifted", sodalite, co2)
    with pytest.raises(OffsetReferenceError, match=r"an offset of \+4\.82 kJ/mol.*accept-offset"):
        check_reference(reference, sodalite, co2, cache_dir=tmp_path / "cache")
    found = check_reference(
        reference, sodalite, co2, cache_dir=tmp_path / "cache", accept_offset=True
    )
    assert found.accepted
    assert not found.passed
    assert found.offset_kj_per_mol == pytest.approx(4.824, abs=1e-3)
    stored = [json.loads(p.read_text()) for p in (tmp_path / "cache").iterdir()]
    assert [s["host"] for s in stored] == ["IRMOF-1"]


def test_failing_call_is_retried_once_then_recorded(
    calculators: str, sodalite: Host, co2: Guest
) -> None:
    flaky = make_reference(f"ase:{calculators}:flaky", sodalite, co2)
    labels = flaky.interaction_energies(*somewhere(sodalite, 3))
    assert [x.status for x in labels] == ["retried", "ok", "ok"]
    assert "no convergence in 60 steps" in labels[0].reason
    assert "fresh calculator" in labels[0].reason
    nowhere = make_reference(f"ase:{calculators}:Nowhere", sodalite, co2)
    label = nowhere.interaction_energies(*somewhere(sodalite, 1), forces=True)[0]
    assert label.status == "failed"
    assert np.isnan(label.energy_kj_per_mol)
    assert "energy of host is nan" in label.reason
    with pytest.raises(OffsetReferenceError, match="could not be done"):
        check_reference(nowhere, sodalite, co2)


def test_calculator_that_quits_the_program_is_a_failed_label(
    sodalite: Host, co2: Guest, calculators: str
) -> None:
    quits = make_reference(f"ase:{calculators}:Quits", sodalite, co2)
    label = quits.interaction_energies(*somewhere(sodalite, 1))[0]
    assert label.status == "failed"
    assert "SystemExit: 3" in label.reason


def test_calculator_without_forces_gives_energies_only(sodalite: Host, co2: Guest) -> None:
    assert isinstance(make_reference("ase:ase.calculators.emt:EMT", sodalite, co2), AseReference)
    silicon = make_reference("ase:ase.calculators.emt:EMT", sodalite, co2)
    label = silicon.interaction_energies(*somewhere(sodalite, 1))[0]
    assert label.status == "failed"
    assert "NotImplementedError" in label.reason


def test_guest_without_atoms_is_refused(sodalite: Host, co2: Guest) -> None:
    bare = replace(co2, atom_elements=(), atom_positions_angstrom=np.zeros((0, 3)))
    with pytest.raises(SettingsError, match="has no atoms"):
        make_reference("xtb", sodalite, bare)


def test_xtb_gives_labels_and_leaves_the_terminal_quiet(tmp_path: Path) -> None:
    code = """
import numpy as np
from chem.guests import load_guest
from chem.hosts import load_host
from chem.references.registry import make_reference
host, guest = load_host("SOD"), load_guest("CO2")
reference = make_reference("xtb:GFN1-xTB", host, guest)
label = reference.interaction_energies(np.zeros((1, 3)), np.array([[1.0, 0, 0, 0]]), forces=True)[0]
print(label.status, label.energy_kj_per_mol, label.torque_kj_per_mol is not None)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    status, energy, has_torque = done.stdout.split()
    assert (status, has_torque) == ("ok", "True")
    assert -100.0 < float(energy) < 100.0
    assert done.stderr == ""


@pytest.mark.slow
def test_periodic_xtb_is_refused_for_its_offset(sodalite: Host, co2: Guest) -> None:
    """tblite 0.8.0 gives GFN1-xTB some +3.6 kJ/mol where dispersion alone is -1.1."""
    reference = make_reference("xtb", sodalite, co2)
    with pytest.raises(OffsetReferenceError, match=r"an offset of \+3\.[4-9]"):
        check_reference(reference, sodalite, co2)
