"""A committee taught by many hosts, which are told of their atoms' surroundings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pair_world import (
    GUEST,
    TEMPERATURE_K,
    energies,
    host_of,
    insertions,
    own_encoders,
    rms,
)

from data.errors import ModelError
from ml.committee import train_committee
from ml.committee_lessons import Lessons
from ml.fields import build_fields
from ml.fitting import fit_surrogate
from ml.graphs import SITE_CUTOFF_ANGSTROM, GuestSites, HostArrays
from ml.many_hosts import Lesson
from ml.observing import observations
from ml.source_model import SourceModel, SourceModels
from ml.surrogate import Surrogate
from ml.training import LabelSet
from ml.transfer import Lot, Source, train_source_models

ELEMENTS = (6, 8, 30)
STEPS = 250


def told(host: HostArrays) -> HostArrays:
    """Return a host whose atoms' features say which element they are."""
    flags = (host.atomic_numbers[:, None] == np.array(ELEMENTS)).astype(np.float32)
    return replace(host, features=flags)


def with_slopes(host: HostArrays, labels: LabelSet) -> LabelSet:
    """Return labels with forces, by differences; torques are not known."""
    step, forces = 1e-4, np.zeros((len(labels.energy_kj_per_mol), 3))
    inverse = np.linalg.inv(host.lattice_angstrom)
    for axis in range(3):
        shift = step * np.eye(3)[axis] @ inverse
        ends = [energies(host, labels.fractional + s * shift, labels.quaternions) for s in (1, -1)]
        added = [reference - baseline for baseline, reference in ends]
        forces[:, axis] = -(added[0] - added[1]) / (2 * step)
    return replace(labels, force_correction=forces)


def source_of(seed: int, labels: int = 50) -> Source:
    host = host_of(seed)
    free = insertions(host, 50, 1)
    lesson = Lesson(told(host), free.fractional, free.quaternions, free.baseline_kj_per_mol)
    return Source(lesson, with_slopes(host, insertions(host, labels, 2)))


def train(seeds: tuple[int, ...]) -> SourceModel:
    sources = tuple(source_of(seed) for seed in seeds)
    options = {"temperature_k": TEMPERATURE_K, "seed": 5, "members": 1, "steps": STEPS}
    return train_source_models([Lot(GUEST, sources)], **options)[0].of(GUEST)


@pytest.fixture(scope="module")
def model() -> SourceModel:
    torch.set_num_threads(1)
    return train((1, 2, 3, 4))


@pytest.fixture(scope="module")
def target() -> HostArrays:
    return told(host_of(9))


def lessons_of(sources: tuple[Source, ...], guest: GuestSites = GUEST, **places: object) -> Lessons:
    return Lessons.build(
        [source.lesson.host for source in sources],
        [source.labels for source in sources],
        [observations(source.labels, 2.48) for source in sources],
        guest,
        SITE_CUTOFF_ANGSTROM,
        **places,
    )


def test_a_host_never_seen_is_predicted(model, target) -> None:
    test = insertions(target, 200, 3)
    raw = float(np.sqrt(np.mean((test.energy_kj_per_mol - test.baseline_kj_per_mol) ** 2)))
    assert rms(model.for_host(target, GUEST), test) < 0.3 * raw


def test_no_member_that_judges_a_source_has_seen_its_labels() -> None:
    """Other labels of the first source change nothing of how it is predicted."""
    sources = tuple(source_of(seed, 12) for seed in (1, 2, 3))
    changed = replace(sources[0].labels, energy_kj_per_mol=sources[0].labels.energy_kj_per_mol + 9)
    other = (replace(sources[0], labels=changed), *sources[1:])
    one, two = (
        train_committee([lessons_of(some)], [GUEST], seed=1, steps=10)[0]
        for some in (sources, other)
    )
    for what in ("energy", "force", "torque"):
        assert torch.equal(getattr(one.unseen[0], what), getattr(two.unseen[0], what))
        assert not torch.equal(getattr(one.unseen[1], what), getattr(two.unseen[1], what))


SLIM = GuestSites(("X",), np.zeros((1, 3)))
"""Another guest, of one site at the body's origin."""


def slim_source(seed: int, labels: int, strength: float = 1.0) -> Source:
    """Return a source of the other guest: its corrections are those of the first, scaled."""
    source = source_of(seed, labels)
    known = source.labels
    added = strength * (known.energy_kj_per_mol - known.baseline_kj_per_mol)
    bare = replace(
        known, energy_kj_per_mol=known.baseline_kj_per_mol + added, force_correction=None
    )
    return replace(source, labels=bare)


def test_what_judges_a_source_has_not_seen_its_host_with_another_guest_either() -> None:
    sources = tuple(source_of(seed, 12) for seed in (1, 2, 3))
    committees = []
    for strength in (1.0, 3.0):
        slim = (slim_source(3, 10, strength), slim_source(4, 10))
        lessons = [
            lessons_of(sources, numbers=[0, 1, 2]),
            lessons_of(slim, SLIM, numbers=[2, 3], first_kind=2),
        ]
        committees.append(train_committee(lessons, [GUEST, SLIM], seed=1, members=4, steps=10))
    one, two = (committee[0].unseen for committee in committees)
    assert torch.equal(one[2].energy, two[2].energy)
    assert not torch.equal(one[0].energy, two[0].energy)
    assert torch.equal(committees[0][1].unseen[0].energy, committees[1][1].unseen[0].energy)


def test_each_of_two_guests_gets_a_model_that_knows_its_corrections(
    target: HostArrays, tmp_path: Path
) -> None:
    seeds = (1, 2, 3, 4)
    lots = [
        Lot(GUEST, tuple(source_of(seed) for seed in seeds)),
        Lot(SLIM, tuple(slim_source(seed, 50, -1.0) for seed in seeds)),
    ]
    options = {"temperature_k": TEMPERATURE_K, "seed": 5, "members": 1, "steps": 2 * STEPS}
    models, held_out = train_source_models(lots, **options)
    test = insertions(target, 200, 3)
    added = test.energy_kj_per_mol - test.baseline_kj_per_mol
    raw = float(np.sqrt(np.mean(added**2)))
    assert rms(models.of(GUEST).for_host(target, GUEST), test) < 0.4 * raw
    opposite = replace(test, energy_kj_per_mol=test.baseline_kj_per_mol - added)
    assert rms(models.of(SLIM).for_host(target, SLIM), opposite) < 0.9 * raw
    assert [len(part) for part in held_out] == [4, 4]
    models.save(tmp_path / "model.pt")
    again = SourceModels.load(tmp_path / "model.pt").of(SLIM).for_host(target, SLIM)
    place = test.fractional, test.quaternions, test.baseline_kj_per_mol
    said = models.of(SLIM).for_host(target, SLIM)
    assert np.array_equal(said.predict(*place)[0], again.predict(*place)[0])


def test_forces_and_torques_are_slopes_of_the_energy(model, target) -> None:
    said = model.for_host(target, GUEST)
    labels = insertions(target, 12, 8)
    place = labels.fractional, labels.quaternions
    _, force, torque = said.correction_and_gradient(*place)
    step = 1e-3
    inverse = np.linalg.inv(target.lattice_angstrom)
    for axis in range(3):
        unit = np.eye(3)[axis]
        moved = [
            said.correction_and_gradient(place[0] + s * step * unit @ inverse, place[1])[0]
            for s in (1, -1)
        ]
        assert np.allclose(force[:, axis], (moved[1] - moved[0]) / (2 * step), atol=0.02, rtol=0.02)
        turned = [
            said.correction_and_gradient(place[0], _turned(place[1], s * step, unit))[0]
            for s in (1, -1)
        ]
        slope = (turned[1] - turned[0]) / (2 * step)
        assert np.allclose(torque[:, axis], slope, atol=0.02, rtol=0.02)


def _turned(quaternions: np.ndarray, angle: float, axis: np.ndarray) -> np.ndarray:
    """Return orientations after a further rotation about an axis in space."""
    a, (x, y, z) = np.cos(angle / 2), np.sin(angle / 2) * axis
    w, i, j, k = quaternions.T
    return np.stack(
        [
            a * w - x * i - y * j - z * k,
            a * i + x * w + y * k - z * j,
            a * j - x * k + y * w + z * i,
            a * k + x * j - y * i + z * w,
        ],
        axis=1,
    )


def test_order_of_atoms_and_lattice_translation_change_nothing(model, target) -> None:
    labels = insertions(target, 30, 8)
    place = labels.fractional, labels.quaternions
    energy = model.for_host(target, GUEST).correction_and_gradient(*place)[0]
    order = np.array([2, 0, 3, 1])
    shuffled = HostArrays(
        target.lattice_angstrom,
        target.positions_angstrom[order],
        target.atomic_numbers[order],
        target.known_features[order],
    )
    again = model.for_host(shuffled, GUEST).correction_and_gradient(place[0] + [1, -2, 0], place[1])
    assert np.allclose(energy, again[0], atol=1e-3)


def test_labels_of_the_host_itself_add_to_what_the_committee_says(model, target) -> None:
    """Here the reference is a fifth stronger than in the sources: the committee cannot know."""
    own, test = (_stronger(insertions(target, n, seed)) for n, seed in ((12, 6), (200, 7)))
    prior = model.for_host(target, GUEST)
    encoders = own_encoders(target)
    options = {"temperature_k": TEMPERATURE_K, "seed": 1}
    without = fit_surrogate(encoders, target, GUEST, own, **options)
    known = {"prior": prior, "pairs": model.pairs, "departures": model.pairs_are_departures}
    fitted = fit_surrogate(encoders, target, GUEST, own, **known, **options)
    assert model.pairs_are_departures
    assert fitted.prior is not None
    assert rms(fitted, test) < 0.7 * min(rms(prior, test), rms(without, test))


def test_one_label_is_enough_to_say_how_a_host_departs(model, target) -> None:
    own, test = (_stronger(insertions(target, n, seed)) for n, seed in ((12, 6), (200, 7)))
    prior = model.for_host(target, GUEST)
    deepest = own.rows(np.argsort(own.energy_kj_per_mol)[:1])
    known = {"prior": prior, "pairs": model.pairs, "departures": True}
    options = {"temperature_k": TEMPERATURE_K, "seed": 1}
    fitted = fit_surrogate(own_encoders(target), target, GUEST, deepest, **known, **options)
    assert fitted.prior is not None
    assert rms(fitted, test) < rms(prior, test)


def test_predictions_may_go_deeper_than_labels_by_less_the_more_there_are(model, target) -> None:
    prior = model.for_host(target, GUEST)
    options = {"temperature_k": TEMPERATURE_K, "seed": 1}
    known = {"prior": prior, "pairs": model.pairs, "departures": True}
    margins = []
    for count, knowledge in ((6, known), (24, known), (24, {})):
        own = insertions(target, count, 6)
        fitted = fit_surrogate(own_encoders(target), target, GUEST, own, **knowledge, **options)
        margins.append(own.energy_kj_per_mol.min() - fitted.limits.lowest_kj_per_mol)
    assert margins[0] > 2.0 * margins[1] > 2.0 * margins[2] > 0.0


def test_without_a_usable_label_the_committee_speaks(model, target) -> None:
    own = insertions(target, 2, 6)
    failed = replace(own, energy_kj_per_mol=np.full(2, np.nan))
    prior = model.for_host(target, GUEST)
    known = {"prior": prior, "pairs": model.pairs, "departures": True}
    options = {"temperature_k": TEMPERATURE_K, "seed": 1}
    assert fit_surrogate(own_encoders(target), target, GUEST, failed, **known, **options) is prior


def _stronger(labels: LabelSet) -> LabelSet:
    added = labels.energy_kj_per_mol - labels.baseline_kj_per_mol
    return replace(labels, energy_kj_per_mol=labels.baseline_kj_per_mol + 1.2 * added)


def test_a_committee_is_scored_from_fields_and_comes_back(model, target, tmp_path: Path) -> None:
    said = model.for_host(target, GUEST)
    labels = insertions(target, 200, 7)
    place = labels.fractional, labels.quaternions, labels.baseline_kj_per_mol
    assert said.describer is not None
    quick = said.with_fields(build_fields(said.describer)).predict(*place)
    for one, other in zip(said.predict(*place, exact=True), quick, strict=True):
        assert np.abs(one - other).max() < 0.1
    said.save(tmp_path / "prior.pt")
    SourceModels((model,)).save(tmp_path / "model.pt")
    for again in (
        Surrogate.load(tmp_path / "prior.pt", "cpu"),
        SourceModels.load(tmp_path / "model.pt").of(GUEST).for_host(target, GUEST),
    ):
        for one, other in zip(said.predict(*place), again.predict(*place), strict=True):
            assert np.array_equal(one, other)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        sources = tuple(source_of(seed, 10) for seed in (1, 2))
        options = {"temperature_k": TEMPERATURE_K, "seed": 5, "members": 1, "steps": 5}
        train_source_models([Lot(GUEST, sources)], **options)[0].save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_atoms_that_nothing_is_known_of_are_refused(model, target) -> None:
    with pytest.raises(ModelError, match="surroundings of the host's atoms"):
        model.for_host(replace(target, features=None), GUEST)
