"""What limits an interval, in words."""

from __future__ import annotations

import math

import pytest

from chem.verdict import ErrorBudget, verdict


@pytest.mark.parametrize(
    ("table", "design", "says"),
    [
        (0.001, 0.02, "labels limit the interval: 4x as many (600 labels) would halve it"),
        (0.02, 0.001, "insertions limit the interval: 4x as many (800,000 insertions)"),
        (0.02, 0.02, "labels and insertions limit the interval alike"),
        (0.0, 0.0, "nothing limits"),
        (math.inf, 0.1, "no answer yet"),
    ],
)
def test_the_larger_part_is_named(table, design, says):
    assert verdict(ErrorBudget(table, design, 200_000, 150, 20.0)).startswith(says)


def test_few_effective_labels_are_named():
    assert "rests on 3 effective labels" in verdict(ErrorBudget(0.01, 0.1, 50_000, 40, 3.2))


def test_the_classical_level_speaks_of_insertions_alone():
    assert "labels" not in verdict(ErrorBudget(0.01, 0.0, 123_456, 0))


def test_failed_labels_are_named_where_they_are_the_larger_part():
    budget = ErrorBudget(0.01, 0.03, 50_000, 40, 20.0, failed_relative_error=0.05)
    assert verdict(budget).startswith("failed labels limit the interval")
    assert "failed" not in verdict(ErrorBudget(0.01, 0.03, 50_000, 40, 20.0, 0.01))
