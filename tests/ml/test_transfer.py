"""What labels in some hosts say of another one: a pair correction that all hosts share."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pair_world import GUEST, TEMPERATURE_K, host_of, insertions, own_encoders, rms

from data.errors import ModelError
from ml.encoder import Encoder, EncoderSettings
from ml.fields import build_fields
from ml.fitting import fit_surrogate
from ml.graphs import GuestSites, HostArrays
from ml.linear_system import Observations
from ml.many_hosts import Lesson, train_encoders
from ml.observing import beyond_prior
from ml.source_model import SourceModel, SourceModels
from ml.source_scores import HeldOut
from ml.surrogate import Surrogate
from ml.training import LabelSet, pretrain_encoders
from ml.transfer import Lot, Source, train_source_models


def source_of(seed: int, labels: int = 60) -> Source:
    host = host_of(seed)
    free = insertions(host, 800, 1)
    lesson = Lesson(host, free.fractional, free.quaternions, free.baseline_kj_per_mol)
    return Source(lesson, insertions(host, labels, 2))


def taught(sources: tuple[Source, ...], steps: int) -> tuple[SourceModel, tuple[HeldOut, ...]]:
    options = {"temperature_k": TEMPERATURE_K, "seed": 5, "members": 1, "steps": steps}
    trained, held_out = train_source_models([Lot(GUEST, sources)], **options)
    return trained.of(GUEST), held_out[0]


def train(seeds: tuple[int, ...], sources: tuple[Source, ...] | None = None) -> SourceModel:
    return taught(sources or tuple(source_of(seed) for seed in seeds), 80)[0]


@pytest.fixture(scope="module")
def model() -> SourceModel:
    torch.set_num_threads(1)
    return train((1, 2, 3))


@pytest.fixture(scope="module")
def target() -> HostArrays:
    return host_of(9)


def test_labels_elsewhere_say_something_of_a_host_never_seen(model, target) -> None:
    test = insertions(target, 200, 3)
    raw = float(np.sqrt(np.mean((test.energy_kj_per_mol - test.baseline_kj_per_mol) ** 2)))
    assert rms(model.for_host(target, GUEST), test) < 0.5 * raw


def test_each_source_is_predicted_from_the_others() -> None:
    sources = tuple(source_of(seed) for seed in (1, 2, 3))
    found = taught(sources, 80)[1]
    assert [one.labels for one in found] == [60, 60, 60]
    assert np.mean([one.error_kj_per_mol for one in found]) < np.mean(
        [one.raw_kj_per_mol for one in found]
    )
    alone = taught(sources[:1], 80)[1]
    assert np.isnan(alone[0].error_kj_per_mol)


def test_pair_potentials_that_all_hosts_share_are_recognised() -> None:
    """The corrections are sums over pairs: few labels elsewhere then say nearly everything."""
    sources = tuple(source_of(seed, 20) for seed in (1, 2, 3, 4))
    trained, found = taught(sources, 60)
    assert trained.pairs_first
    for one in found:
        assert one.error_kj_per_mol < 0.15 * one.raw_kj_per_mol


def test_a_model_comes_back_as_it_was(model, target, tmp_path: Path) -> None:
    SourceModels((model,)).save(tmp_path / "model.pt")
    again = SourceModels.load(tmp_path / "model.pt").of(GUEST)
    labels = insertions(target, 50, 4)
    place = labels.fractional, labels.quaternions, labels.baseline_kj_per_mol
    for one, other in zip(
        model.for_host(target, GUEST).predict(*place),
        again.for_host(target, GUEST).predict(*place),
        strict=True,
    ):
        assert np.array_equal(one, other)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        SourceModels((train((1, 2)),)).save(tmp_path / name / "model.pt")
    assert (tmp_path / "one" / "model.pt").read_bytes() == (
        tmp_path / "two" / "model.pt"
    ).read_bytes()


def test_a_damaged_or_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        SourceModels.load(tmp_path / "none.pt")
    (tmp_path / "bad.pt").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot be read"):
        SourceModels.load(tmp_path / "bad.pt")


def test_another_guest_is_refused(model, target) -> None:
    water = GuestSites(("O", "H", "H"), np.array([[0.0, 0, 0], [0.76, 0, 0.6], [-0.76, 0, 0.6]]))
    monoxide = GuestSites(("C", "O"), np.array([[0.0, 0, 0.64], [0, 0, -0.49]]))
    for guest, named in ((water, "H H O"), (monoxide, "C O")):
        for refuse in (
            lambda guest=guest: model.for_host(target, guest),
            lambda guest=guest: SourceModels((model,)).of(guest),
        ):
            with pytest.raises(ModelError, match=f"guest sites C O O; this guest has {named}\\."):
                refuse()


def test_without_features_each_guest_of_several_is_taught_alone() -> None:
    """Their models are those that each would have had without the other."""
    sources = tuple(source_of(seed, 20) for seed in (1, 2))
    slim = GuestSites(("X",), np.zeros((1, 3)))
    options = {"temperature_k": TEMPERATURE_K, "seed": 5, "members": 1, "steps": 5}
    both, held_out = train_source_models([Lot(GUEST, sources), Lot(slim, sources)], **options)
    alone = train_source_models([Lot(slim, sources)], **options)[0]
    assert [len(part) for part in held_out] == [2, 2]
    assert [model.sites for model in both.models] == [("C", "O", "O"), ("X",)]
    assert torch.equal(both.of(slim).head.weights, alone.of(slim).head.weights)


def test_an_element_no_source_has_is_an_average_atom(model, target) -> None:
    numbers = [target.atomic_numbers * 0 + z for z in (12, 13)]
    labels = insertions(target, 20, 4)
    place = labels.fractional, labels.quaternions, labels.baseline_kj_per_mol
    magnesium, aluminium = (
        model.for_host(
            HostArrays(target.lattice_angstrom, target.positions_angstrom, z), GUEST
        ).predict(*place)[0]
        for z in numbers
    )
    assert np.isfinite(magnesium).all()
    assert np.array_equal(magnesium, aluminium)


def test_few_labels_settle_what_pair_potentials_of_hosts_differ_in(model, target, tmp_path) -> None:
    own, test = insertions(target, 6, 6), insertions(target, 200, 7)
    encoders = own_encoders(target)
    options = {"temperature_k": TEMPERATURE_K, "seed": 1}
    without = fit_surrogate(encoders, target, GUEST, own, **options)
    fitted = fit_surrogate(encoders, target, GUEST, own, pairs=model.pairs, **options)
    assert fitted.head is not None
    assert fitted.head.pairs is not None
    assert rms(fitted, test) < 0.5 * rms(without, test)
    mean, sd = fitted.predict(*_place(test))
    fitted.save(tmp_path / "round.pt")
    again = Surrogate.load(tmp_path / "round.pt", "cpu").predict(*_place(test))
    assert np.array_equal(mean, again[0])
    assert np.array_equal(sd, again[1])


def test_pair_potentials_are_scored_from_fields_as_exactly(model, target) -> None:
    own, test = insertions(target, 12, 6), insertions(target, 200, 7)
    options = {"temperature_k": TEMPERATURE_K, "seed": 1, "pairs": model.pairs}
    fitted = fit_surrogate(own_encoders(target), target, GUEST, own, **options)
    assert fitted.describer is not None
    quick = fitted.with_fields(build_fields(fitted.describer)).predict(*_place(test))
    for one, other in zip(fitted.predict(*_place(test), exact=True), quick, strict=True):
        assert np.abs(one - other).max() < 0.1


def test_pair_potentials_of_an_element_that_no_source_has_are_learned_from_labels(model) -> None:
    """Where sources say nothing, the covariance stays broad, and labels are believed."""
    target = host_of(9)
    numbers = np.where(target.atomic_numbers == 30, 12, target.atomic_numbers)
    target = HostArrays(target.lattice_angstrom, target.positions_angstrom, numbers)
    own, test = (insertions(host_of(9), n, s) for n, s in ((40, 6), (200, 7)))
    options = {"temperature_k": TEMPERATURE_K, "seed": 1, "pairs": model.pairs}
    fitted = fit_surrogate(own_encoders(host_of(9)), host_of(9), GUEST, own, **options)
    unknown = fit_surrogate(_encoders_of(target), target, GUEST, own, **options)
    assert rms(unknown, test) < 2.0 * rms(fitted, test) + 0.5


def test_wrong_pair_potentials_do_no_harm(model, target) -> None:
    """They are left out, or their spread is widened until labels overrule them."""
    shifted = replace(model.pairs, mean=-3.0 * model.pairs.mean, own=0.01 * model.pairs.own)
    own, test = insertions(target, 40, 6), insertions(target, 200, 7)
    options = {"temperature_k": TEMPERATURE_K, "seed": 1}
    without = fit_surrogate(own_encoders(target), target, GUEST, own, **options)
    fitted = fit_surrogate(own_encoders(target), target, GUEST, own, pairs=shifted, **options)
    assert rms(fitted, test) < 1.2 * rms(without, test) + 0.05


def _encoders_of(host: HostArrays) -> tuple[Encoder, ...]:
    free = insertions(host_of(9), 800, 5)
    place = free.fractional, free.quaternions, free.baseline_kj_per_mol
    return pretrain_encoders(host, GUEST, *place, members=1, seed=1, steps=80)


def _place(labels: LabelSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return labels.fractional, labels.quaternions, labels.baseline_kj_per_mol


def test_the_prior_is_the_mean_where_it_helps(target, tmp_path: Path) -> None:
    prior = train((9,)).for_host(target, GUEST)
    own, test = insertions(target, 12, 6), insertions(target, 200, 7)
    encoders = own_encoders(target)
    options = {"temperature_k": TEMPERATURE_K, "seed": 1}
    without = fit_surrogate(encoders, target, GUEST, own, **options)
    fitted = fit_surrogate(encoders, target, GUEST, own, prior=prior, **options)
    assert fitted.prior is not None
    assert rms(fitted, test) < 0.7 * rms(without, test)
    prior.save(tmp_path / "prior.pt")
    fitted.save(tmp_path / "round.pt", prior_file="prior.pt")
    again = Surrogate.load(tmp_path / "round.pt", "cpu")
    assert rms(again, test) == rms(fitted, test)


def test_a_wrong_prior_is_left_out(target) -> None:
    """A model of corrections of the opposite sign, three times as large."""
    wrong = []
    for seed in (1, 2):
        source = source_of(seed)
        labels = source.labels
        turned = 4.0 * labels.baseline_kj_per_mol - 3.0 * labels.energy_kj_per_mol
        taught = LabelSet(labels.fractional, labels.quaternions, labels.baseline_kj_per_mol, turned)
        wrong.append(Source(source.lesson, taught))
    prior = train((), tuple(wrong)).for_host(target, GUEST)
    own = insertions(target, 40, 6)
    options = {"temperature_k": TEMPERATURE_K, "seed": 1}
    fitted = fit_surrogate(own_encoders(target), target, GUEST, own, prior=prior, **options)
    assert fitted.prior is None


def test_labels_above_the_prior_keep_energy_and_slope_together(model, target) -> None:
    """The prior's force is minus the slope of its correction."""
    prior = model.for_host(target, GUEST)
    labels = insertions(target, 10, 8)
    nothing = Observations(*(torch.zeros(10, n).squeeze(1) for n in (1, 3, 3, 1)))
    step = 1e-3
    shift = np.array([step, 0, 0]) @ np.linalg.inv(target.lattice_angstrom)
    ends = [
        beyond_prior(prior, LabelSet(labels.fractional + s * shift, *_rest(labels)), nothing)
        for s in (1, -1)
    ]
    slope = (ends[0].energy - ends[1].energy).numpy() / (2 * step)
    force = beyond_prior(prior, labels, nothing).force
    assert force is not None
    assert np.allclose(force[:, 0].numpy(), -slope, atol=2e-2 * np.abs(slope).max())


def _rest(labels: LabelSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return labels.quaternions, labels.baseline_kj_per_mol, labels.energy_kj_per_mol


def test_encoders_over_hosts_know_all_elements() -> None:
    lessons = tuple(source_of(seed, 4).lesson for seed in (1, 2))
    settings = EncoderSettings(channels=4, hidden=8, descriptors=4)
    encoders = train_encoders(
        lessons, GUEST, members=2, seed=1, steps=5, batch=16, settings=settings
    )
    assert [e.host_kinds for e in encoders] == [(6, 8, 30)] * 2
    assert not torch.equal(encoders[0].readout.weight, encoders[1].readout.weight)
