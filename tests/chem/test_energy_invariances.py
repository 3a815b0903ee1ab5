"""What must not change the classical energy: batches, images, atom order, rotation, cell."""

from dataclasses import replace

import numpy as np
import pytest

from chem.energies import ClassicalModel, ClassicalSettings
from chem.rotations import rotation_matrices

CUTOFF = 9.5  # beyond every width of the triclinic test cell: images count


def test_an_insertion_gets_the_same_bits_in_any_batch(systems, monkeypatch):
    model = ClassicalModel(*systems.triclinic(), ClassicalSettings(CUTOFF))
    fractional, quaternions = systems.insertions(500)
    energy, _, forces = model.energies_and_forces(fractional, quaternions)
    whole = model.energies(fractional, quaternions)[0]
    order = np.random.default_rng(0).permutation(500)
    shuffled = model.energies(fractional[order], quaternions[order])[0]
    assert np.array_equal(whole[order], shuffled)
    alone = [
        model.energies(x[None], q[None])[0] for x, q in zip(fractional, quaternions, strict=True)
    ]
    assert np.array_equal(whole, np.concatenate(alone))
    monkeypatch.setattr("chem.energies._CHUNK", 7)
    assert np.array_equal(whole, model.energies(fractional, quaternions)[0])
    again, _, same_forces = model.energies_and_forces(fractional, quaternions)
    assert np.array_equal(energy, again)
    assert np.array_equal(forces, same_forces)


def test_threads_give_the_same_bits(systems):
    from concurrent.futures import ThreadPoolExecutor

    model = ClassicalModel(*systems.triclinic(), ClassicalSettings(CUTOFF))
    fractional, quaternions = systems.insertions(4000)
    whole = model.energies(fractional, quaternions)[0]
    parts = [slice(i, i + 1000) for i in range(0, 4000, 1000)]
    with ThreadPoolExecutor(4) as pool:
        split = pool.map(lambda p: model.energies(fractional[p], quaternions[p])[0], parts)
        assert np.array_equal(whole, np.concatenate(list(split)))


def test_lattice_translations_change_nothing(systems):
    model = ClassicalModel(*systems.triclinic(), ClassicalSettings(CUTOFF))
    x, q, energy = systems.free(model, 50)
    shifts = np.random.default_rng(0).integers(-3, 4, (50, 3))
    assert model.energies(x + shifts, q)[0] == pytest.approx(energy, rel=1e-9, abs=1e-9)


def test_positions_on_the_cell_boundary_are_safe(systems):
    model = ClassicalModel(*systems.triclinic(), ClassicalSettings(CUTOFF))
    q = np.array([[1.0, 0.0, 0.0, 0.0]] * 3)
    edges = np.array([[0.0, 0.0, 0.0], [1.0, -1e-17, 1.0], [-1e-300, 1.0, np.nextafter(1, 0)]])
    energy, _ = model.energies(edges, q)
    assert energy == pytest.approx(np.full(3, energy[0]), rel=1e-9)


def test_order_of_host_atoms_changes_nothing(systems):
    host, guest, pairs = systems.triclinic()
    order = np.random.default_rng(3).permutation(7)
    shuffled = ClassicalModel(
        replace(host, fractional=host.fractional[order], charges_e=host.charges_e[order]),
        guest,
        replace(
            pairs,
            epsilon_kj_per_mol=pairs.epsilon_kj_per_mol[:, order],
            sigma_angstrom=pairs.sigma_angstrom[:, order],
            host_charges_e=pairs.host_charges_e[order],
        ),
        ClassicalSettings(CUTOFF),
    )
    model = ClassicalModel(host, guest, pairs, ClassicalSettings(CUTOFF))
    x, q, energy = systems.free(model, 20)
    assert shuffled.energies(x, q)[0] == pytest.approx(energy, rel=1e-10, abs=1e-10)


def test_turning_host_and_guest_together_changes_nothing(systems):
    host, guest, pairs = systems.triclinic()
    _, turn_q = systems.insertions(1, seed=9)
    turn = rotation_matrices(turn_q)[0]
    model = ClassicalModel(host, guest, pairs, ClassicalSettings(CUTOFF))
    turned_host = replace(host, lattice_angstrom=host.lattice_angstrom @ turn.T)
    turned_guest = replace(guest, positions_angstrom=guest.positions_angstrom @ turn.T)
    turned = ClassicalModel(turned_host, turned_guest, pairs, ClassicalSettings(CUTOFF))
    x, _ = systems.insertions(400)
    identity = np.tile([1.0, 0.0, 0.0, 0.0], (400, 1))
    energy, overlap = model.energies(x, identity)
    kept = ~overlap & (energy < 1e3)
    other = turned.energies(x, identity)[0]
    assert other[kept] == pytest.approx(energy[kept], rel=1e-9, abs=1e-9)


def replicated(host, pairs, axis):
    lattice, fractional = host.lattice_angstrom.copy(), host.fractional.copy()
    lattice[axis] *= 2
    fractional[:, axis] /= 2
    second = fractional.copy()
    second[:, axis] += 0.5
    return replace(
        host,
        lattice_angstrom=lattice,
        fractional=np.concatenate([fractional, second]),
        elements=host.elements * 2,
        labels=host.labels * 2,
        charges_e=np.tile(host.charges_e, 2),
    ), replace(
        pairs,
        epsilon_kj_per_mol=np.tile(pairs.epsilon_kj_per_mol, 2),
        sigma_angstrom=np.tile(pairs.sigma_angstrom, 2),
        host_charges_e=np.tile(pairs.host_charges_e, 2),
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_replicating_the_cell_changes_nothing(systems, axis):
    host, guest, pairs = systems.triclinic()
    settings = ClassicalSettings(CUTOFF, tail_correction=True)
    model = ClassicalModel(host, guest, pairs, settings)
    big_host, big_pairs = replicated(host, pairs, axis)
    big = ClassicalModel(big_host, guest, big_pairs, settings)
    x, q, energy = systems.free(model, 20)
    inside = x.copy()
    inside[:, axis] = (x[:, axis] + np.arange(20) % 2) / 2
    assert big.energies(inside, q)[0] == pytest.approx(energy, rel=1e-10, abs=1e-9)


def test_read_only_inputs_are_accepted_and_inputs_stay_unchanged(systems):
    host, guest, pairs = systems.triclinic()
    arrays = [
        host.lattice_angstrom,
        host.fractional,
        guest.positions_angstrom,
        guest.charges_e,
        pairs.epsilon_kj_per_mol,
        pairs.sigma_angstrom,
        pairs.guest_charges_e,
        pairs.host_charges_e,
    ]
    fractional, quaternions = systems.insertions(20)
    arrays += [fractional, quaternions]
    for array in arrays:
        array.flags.writeable = False
    before = [array.copy() for array in arrays]
    ClassicalModel(host, guest, pairs).energies_and_forces(fractional, quaternions)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


def test_empty_batch(systems):
    model = ClassicalModel(*systems.triclinic())
    energy, overlap, forces = model.energies_and_forces(np.zeros((0, 3)), np.zeros((0, 4)))
    assert energy.shape == overlap.shape == (0,)
    assert forces.shape == (0, 3, 3)


def test_a_pickled_model_gives_the_same_bits(systems):
    import pickle

    model = ClassicalModel(*systems.triclinic())
    copy = pickle.loads(pickle.dumps(model))
    x, q = systems.insertions(100)
    assert np.array_equal(model.energies(x, q)[0], copy.energies(x, q)[0])


def test_hash_follows_everything_that_decides_the_energy(systems):
    host, guest, pairs = systems.triclinic()
    neutral = replace(pairs, guest_charges_e=np.zeros(3))
    variants = [
        ClassicalModel(host, guest, pairs),
        ClassicalModel(host, guest, neutral),
        ClassicalModel(host, guest, pairs, ClassicalSettings(11.0)),
        ClassicalModel(host, guest, pairs, ClassicalSettings(lj="shifted")),
        ClassicalModel(host, guest, pairs, ClassicalSettings(lj="force-shifted")),
        ClassicalModel(host, guest, pairs, ClassicalSettings(tail_correction=True)),
        ClassicalModel(host, guest, pairs, ClassicalSettings(feynman_hibbs_k=77.0)),
        ClassicalModel(
            host,
            replace(guest, molar_mass_g_per_mol=2.0),
            pairs,
            ClassicalSettings(feynman_hibbs_k=77.0),
        ),
        ClassicalModel(host, guest, pairs, core_energy_k=2e5),
        ClassicalModel(replace(host, fractional=host.fractional + 1e-6), guest, pairs),
    ]
    assert len({model.hash for model in variants}) == len(variants)
    assert ClassicalModel(host, guest, pairs).hash == variants[0].hash
