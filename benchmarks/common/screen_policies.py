"""Ways to spend labels on the ranking of hosts, replayed on the same runs of every host.

All ways are read off alike: hosts ranked by the mean of what is believed of them, prior and own
estimate together. So unlabelled hosts are placed as well as can be, whoever chose the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from chem.screening.choice import Rule, choose
from chem.screening.decay import decayed
from chem.screening.evidence import Evidence
from chem.screening.posterior import believe
from chem.screening.prior import learn_shift
from chem.screening.top import top_k
from common.screen_runs import Course


@dataclass
class Campaign:
    """Hosts with their classical answers, their truth, and their runs as far as they went.

    Attributes:
        classical: (n,) ln K_H of the classical level.
        truth: (n,) ln K_H of the reference.
        courses: the run of each host.
        top_k: k.
        lots: (n,) lots each host has had.
        last: (n,) number of the campaign's lot that was each host's last.
        spent: labels paid.
        curve: (labels, recall, expected share) after each step that was recorded.
    """

    classical: np.ndarray
    truth: np.ndarray
    courses: Sequence[Course]
    top_k: int
    lots: np.ndarray = field(init=False)
    last: np.ndarray = field(init=False)
    spent: float = 0.0
    given: int = 0
    curve: list[tuple[float, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start with no label."""
        self.lots = np.zeros(len(self.classical), dtype=int)
        self.last = np.zeros(len(self.classical), dtype=int)

    @property
    def open(self) -> np.ndarray:
        """(n,) hosts whose run has lots left."""
        return self.lots < np.array([c.lots for c in self.courses])

    @property
    def labels(self) -> np.ndarray:
        """(n,) labels each host has had."""
        pairs = zip(self.courses, self.lots, strict=True)
        return np.array([float(c.after(t).labels) if t else 0.0 for c, t in pairs])

    def evidence(self) -> Evidence:
        """Return what is known now."""

        def now(name: str) -> np.ndarray:
            pairs = zip(self.courses, self.lots, strict=True)
            return np.array([getattr(c.after(t), name) if t else np.nan for c, t in pairs])

        return Evidence(
            self.classical, now("ln_henry"), now("standard_error"), now("degrees_of_freedom")
        )

    def give(self, host: int) -> None:
        """Give a host its next lot."""
        course, lots = self.courses[host], int(self.lots[host])
        before = course.after(lots).labels if lots else 0
        self.spent += float(course.after(lots + 1).labels - before)
        self.lots[host] += 1
        self.given += 1
        self.last[host] = self.given

    def record(self, share: float = np.nan) -> None:
        """Add the present recall to the curve."""
        self.note(np.argsort(-believe(self.evidence()).mean), share)

    def note(self, order: np.ndarray, share: float = np.nan) -> None:
        """Add the recall of hosts in an order, the best first, to the curve."""
        found = order[: self.top_k]
        wanted = np.argsort(-self.truth)[: self.top_k]
        recall = len(set(found.tolist()) & set(wanted.tolist())) / self.top_k
        self.curve.append((self.spent, recall, share))


LOTS_BETWEEN_LOOKS = 2
"""Lots that the greedy ways give before they look at what was found; eight in ours."""
Policy = Callable[[Campaign, float, np.random.Generator], None]


def equal_split(campaign: Campaign, budget: float, rng: np.random.Generator) -> None:
    """The same number of lots to every host, one after the other."""
    campaign.record()
    while campaign.spent < budget and campaign.open.any():
        for host in np.flatnonzero(campaign.open):
            campaign.give(int(host))
        campaign.record()


def greedy(campaign: Campaign, budget: float, rng: np.random.Generator) -> None:
    """The next lot to the host that is best by what is believed now, while it has lots left."""
    _best_of(campaign, budget, 1)


def greedy_top(campaign: Campaign, budget: float, rng: np.random.Generator) -> None:
    """The next lot to that host of the present top k which has had the fewest labels."""
    _best_of(campaign, budget, campaign.top_k)


def _best_of(campaign: Campaign, budget: float, count: int) -> None:
    while True:
        order = np.argsort(-believe(campaign.evidence()).mean)
        campaign.note(order)
        if campaign.spent >= budget or not campaign.open.any():
            return
        for _ in range(LOTS_BETWEEN_LOOKS):
            best = [h for h in order[:count] if campaign.open[h]] or [
                next(h for h in order if campaign.open[h])
            ]
            campaign.give(int(min(best, key=lambda h: campaign.labels[h])))


def halving(campaign: Campaign, budget: float, rng: np.random.Generator) -> None:
    """Successive halving: a lot to all, the better half goes on, down to the top k."""
    campaign.record()
    left = np.arange(len(campaign.classical))
    while campaign.spent < budget and campaign.open[left].any():
        for host in left[campaign.open[left]]:
            campaign.give(int(host))
        campaign.record()
        mean = believe(campaign.evidence()).mean[left]
        keep = max(campaign.top_k, -(-len(left) // 2))
        left = left[np.argsort(-mean)[:keep]]


@dataclass(frozen=True)
class Thompson:
    """Ours: lots by Thompson sampling.

    Attributes:
        rule: "plain" or "top-two".
        batch: lots under way at once.
        half_life_lots: of estimates.
        draws: from the beliefs, for each batch.
    """

    rule: Rule = "top-two"
    batch: int = 8
    half_life_lots: float = np.inf
    draws: int = 150

    def __call__(self, campaign: Campaign, budget: float, rng: np.random.Generator) -> None:
        """Spend the budget."""
        while True:
            evidence = campaign.evidence()
            beliefs = believe(evidence)
            utility = beliefs.sample(rng, self.draws)
            share = top_k(utility, campaign.top_k).share
            campaign.note(np.argsort(-beliefs.mean), share)
            if campaign.spent >= budget or not campaign.open.any():
                return
            if np.isfinite(self.half_life_lots):
                age = campaign.given - campaign.last
                faded = decayed(evidence, age, self.half_life_lots)
                utility = believe(faded, learn_shift(evidence)).sample(rng, self.draws)
            for pick in choose(utility, campaign.top_k, self.batch, campaign.open, rng, self.rule):
                campaign.give(pick.host)
