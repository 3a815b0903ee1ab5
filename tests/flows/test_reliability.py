"""What the report says of the surrogate's honesty, on labels whose errors are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.store import write_json
from flows.report.load import Unseen
from flows.report.reliability import Watched, binned, reliability, watch
from ml.validation import Validation
from tasks.paths import validation_path
from tasks.validation import read_validation

FOUND = Validation(100, 20, 4.0, 0.2, 0.8, 0.7, 0.65)


def labels(count: int, factor: float) -> Unseen:
    """Labels whose errors are normal, ``factor`` times as large as predicted."""
    rng = np.random.default_rng(0)
    sd = np.exp(rng.normal(-0.5, 0.7, count))
    reference = rng.normal(-30.0, 1.0, count)
    error = factor * sd * rng.normal(size=count)
    return Unseen(np.full(count, 2), reference, reference + error, sd, reference)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_bins_give_the_ratio_of_realised_to_predicted_errors(factor: float) -> None:
    unseen = labels(4000, factor)
    error = unseen.surrogate_kj_per_mol - unseen.reference_kj_per_mol
    bins = binned(unseen.sd_kj_per_mol, error)
    assert len(bins) == 8
    # 500 normal errors a bin: the root mean square scatters by 3 %.
    assert np.allclose(bins[:, 1] / bins[:, 0], factor, rtol=0.13)
    assert (bins[:, 2] < bins[:, 1]).all()
    assert (bins[:, 1] < bins[:, 3]).all()
    assert (np.diff(bins[:, 0]) > 0).all()


def test_few_labels_make_no_picture() -> None:
    assert reliability(labels(15, 1.0), 298.15) is None
    assert reliability(labels(16, 1.0), 298.15) is not None
    rounds = [Watched(2, FOUND, 20, 0.5, 0.4)]
    assert watch(rounds) is None
    assert watch([*rounds, Watched(3, None, 20, 0.5, 0.4)]) is None
    assert watch([*rounds, Watched(3, FOUND, 20, 0.5, 0.4)]) is not None


def test_walls_are_left_out_by_what_was_predicted_not_by_what_came_out() -> None:
    found = labels(30, 1.0)
    wall = found.surrogate_kj_per_mol + np.where(np.arange(30) < 15, 60.0, 0.0)
    high = Unseen(found.round, wall, wall, found.sd_kj_per_mol, wall)
    assert reliability(high, 298.15) is None
    mistaken = Unseen(found.round, wall, found.surrogate_kj_per_mol, found.sd_kj_per_mol, wall)
    assert reliability(mistaken, 298.15) is not None


def test_the_curve_of_shares_is_the_share_within_each_interval() -> None:
    unseen = labels(3000, 2.0)
    figure = reliability(unseen, 298.15)
    assert figure is not None
    (curve,) = [line for line in figure.axes[1].lines if line.get_label() == "surrogate"]
    expected, share = (np.asarray(values, dtype=float) for values in curve.get_data())
    within = np.abs(unseen.surrogate_kj_per_mol - unseen.reference_kj_per_mol)
    one_sd = float(np.mean(within < unseen.sd_kj_per_mol))
    assert np.interp(0.6827, expected, share) == pytest.approx(one_sd, abs=0.01)
    assert one_sd == pytest.approx(0.383, abs=0.03)  # half a deviation of a normal


def test_what_a_fit_found_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_validation(str(tmp_path), 3) is None
    write_json(validation_path(tmp_path, 3), FOUND.__dict__)
    assert read_validation(str(tmp_path), 3) == FOUND
    write_json(validation_path(tmp_path, 4), {})
    assert read_validation(str(tmp_path), 4) is None
