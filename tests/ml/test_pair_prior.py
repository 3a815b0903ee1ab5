"""Pair potentials of many hosts: what they share, how they differ, what is said of a new one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ml.descriptors import Block, Describer
from ml.evidence import fit_kernel
from ml.graphs import GuestSites, HostArrays
from ml.linear_system import Observations, PairTerm
from ml.pair_lessons import PairLessons, PairMoments
from ml.pair_prior import PairPrior, class_encoder, moment_scale


def test_pair_potentials_widen_where_a_host_differs_more() -> None:
    """Corrections that are linear in the moments, with four times the coefficients expected."""
    rng = np.random.default_rng(11)
    values = torch.as_tensor(rng.normal(size=(60, 1, 6)))
    term = PairTerm(torch.zeros(6, dtype=torch.float64), torch.eye(6, dtype=torch.float64), 0.5)
    energy = values[:, 0] @ torch.as_tensor(4.0 * rng.choice([-1.0, 1.0], size=6))
    observed = Observations(energy, None, None, torch.ones(60, dtype=torch.float64))
    fit = fit_kernel((Block((torch.zeros_like(values),)), Block((values,))), observed, pairs=term)
    assert fit.pairs is not None
    assert float(fit.pairs.root[0, 0]) > 1.5
    shifted = term.stretched(3.0)
    assert torch.allclose(shifted.root @ shifted.mean, term.root @ term.mean)


def test_the_deviations_of_hosts_are_found() -> None:
    """Forty hosts whose one coefficient scatters by 2 around 5, seen with little noise."""
    rng = np.random.default_rng(3)
    sources, observed = [], []
    for _ in range(40):
        values = torch.as_tensor(rng.normal(size=(12, 1, 1)))
        sources.append(PairMoments((8,), values, torch.zeros(12, 6, 1, 1, dtype=torch.float64)))
        observed.append(_energies(values[:, 0, 0] * rng.normal(5.0, 2.0), rng))
    found = PairLessons.build(sources, observed, 1).fit()
    assert float(found.mean[0]) == pytest.approx(5.0, abs=1.0)
    assert float(found.own[0, 0, 0]) == pytest.approx(2.0, rel=0.5)
    assert found.noise[0] == pytest.approx(0.1, rel=0.2)
    assert float(found.covariance[0, 0]) == pytest.approx(2.0**2 / 40, rel=1.0)


def _energies(clean: Tensor, rng: np.random.Generator) -> Observations:
    """Return corrections with noise of 0.1, without forces."""
    noisy = clean + 0.1 * torch.as_tensor(rng.normal(size=len(clean)))
    blank = torch.full((len(clean), 3), float("nan"), dtype=torch.float64)
    return Observations(noisy, blank, blank, torch.ones(len(clean), dtype=torch.float64))


def _two_classes(hosts: int, rng: np.random.Generator) -> PairLessons:
    """Hosts with two classes of one element, whose coefficients are 3 and 7 everywhere."""
    sources, observed = [], []
    for _ in range(hosts):
        values = torch.as_tensor(rng.normal(size=(12, 1, 2)))
        slopes = torch.zeros(12, 6, 1, 2, dtype=torch.float64)
        sources.append(PairMoments((900008, 901008), values, slopes))
        coefficients = torch.tensor([3.0, 7.0], dtype=torch.float64)
        observed.append(_energies(values[:, 0] @ coefficients, rng))
    return PairLessons.build(sources, observed, 1)


def test_a_class_that_no_source_has_is_expected_to_be_like_its_element() -> None:
    lessons = _two_classes(10, np.random.default_rng(5))
    prior = lessons.fit()
    places = np.random.default_rng(3).random((4, 3)) * 9.0
    oxygens = HostArrays(9.0 * np.eye(3), places, np.full(4, 8))
    wide = replace(prior, own=_grid(prior.own), broad=_grid(prior.broad), **_grown(prior))
    describer = Describer((class_encoder(oxygens, ONE_SITE),), oxygens, ONE_SITE)
    term = wide.term(describer)
    mean = (term.root @ term.mean / moment_scale(describer)).reshape(12, -1)
    new = [k for k, z in enumerate(describer.encoders[0].host_kinds) if z not in (900008, 901008)]
    assert len(new) > 0
    assert np.allclose(mean[0, new].numpy(), 4.5, atol=1.5)


def test_what_one_source_told_is_taken_out_exactly() -> None:
    """The short cut agrees with a posterior of all others, hyperparameters kept."""
    lessons = _two_classes(5, np.random.default_rng(7))
    prior = lessons.fit()
    others = PairLessons(lessons.parts, lessons.unit, lessons.sources[1:], lessons.equations[1:])
    unit = lessons.unit.flatten()
    spreads = torch.cat([prior.broad.flatten() * unit, prior.own.flatten() * unit])
    theta = torch.log(torch.cat([spreads, torch.tensor(prior.noise, dtype=torch.float64)]))
    mean, covariance, _ = others._posterior(theta)
    membership = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]], dtype=torch.float64)
    rows = lessons.sources[0].values[:, 0] / unit[0] @ membership
    own = torch.diag(torch.stack([spreads[2], spreads[3], spreads[3]]) ** 2)
    variance = ((rows @ (covariance + own)) * rows).sum(dim=1)
    found, spread = next(iter(lessons.held_out(prior)))
    assert torch.allclose(found, rows @ mean, rtol=1e-4)
    assert torch.allclose(spread, variance.sqrt(), rtol=1e-4)


ONE_SITE = GuestSites(("C",), np.zeros((1, 3)))


def _grid(spreads: Tensor) -> Tensor:
    """Return spreads of one Gaussian as those of twelve."""
    return spreads.repeat(1, 1, 12)


def _grown(prior: PairPrior) -> dict[str, Tensor]:
    """Return mean and covariance of one Gaussian as those of twelve."""
    eye = torch.eye(12, dtype=torch.float64)
    covariance = torch.kron(eye, prior.covariance.contiguous())
    return {"mean": prior.mean.repeat(12), "covariance": covariance}
