"""Labels to a target, read off a course of errors."""

import math

from common import courses


def test_labels_to_a_target_are_interpolated_on_logarithmic_errors() -> None:
    assert courses.labels_to(0.1, [10, 20, 30], [1.0, 0.01, 0.001]) == 15.0
    assert courses.labels_to(2.0, [10, 20], [1.0, 0.5]) == 10.0
    assert math.isinf(courses.labels_to(0.1, [10, 20], [1.0, 0.5]))


def test_labels_after_which_an_error_stays_below_a_target() -> None:
    labels = [0, 10, 20, 30]
    assert courses.labels_until_below(0.1, labels, [0.05, 1.0, 1.0, 0.01]) == 25.0
    assert courses.labels_until_below(0.1, labels, [0.05, 0.05, 0.05, 0.01]) == 0.0
    assert math.isinf(courses.labels_until_below(0.1, labels, [0.05, 0.05, 0.05, 1.0]))


def test_the_table_gives_ratios_and_says_what_was_not_reached() -> None:
    reached = courses.Course("A", 0, ((10.0, 30.0),) * 2, ((1.0, 0.01), (0.1, 0.01)))
    by_model = courses.Course("A", 1, ((10.0, 30.0),) * 2, ((1.0, 0.5), (1.0, 0.01)))
    missed = courses.Course("B", 0, ((10.0, 30.0),) * 2, ((1.0, 0.5), (1.0, 0.5)))
    text = courses.table([reached, by_model, missed], (0.1,), runs=True)
    assert "| A | 0 | 20 | 10 | 0.50 |" in text
    assert "| A | 1 | not reached | 20 | 0.67 |" in text
    assert "| B | 0 | not reached | not reached | - |" in text
    assert "| A | median | not reached | 15 | 0.58 |" in text
    assert "| all | median | not reached | 20 | 0.58 |" in text
    assert "| all that get there both ways | sum | 20 | 10 | 0.50 |" in text


def test_the_table_compares_errors_at_equal_labels() -> None:
    one = courses.Course("A", 0, ((0.0, 30.0),) * 2, ((8.0, 1.0), (1.0, 1.0)))
    other = courses.Course("B", 0, ((0.0, 20.0),) * 2, ((2.0, 1.0), (1.0, 0.5)))
    text = courses.table([one, other], (0.1,), runs=False)
    assert "geometric mean: 0: 0.25, 20: 0.50, 30: 1.00" in text


def test_a_model_that_never_gets_there_counts_as_infinitely_worse() -> None:
    lost = courses.Course("A", 0, ((10.0, 30.0),) * 2, ((1.0, 0.01), (1.0, 0.5)))
    assert lost.ratio(0.1) == math.inf
