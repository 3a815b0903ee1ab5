"""Labels to a target, read off a course of errors."""

import math

from common import courses, stops


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


def round_row(number, labels, henry, width):
    """A row of rounds.parquet whose interval is as wide as that of a standard error of width."""
    reach = math.exp(1.96 * width)
    return {
        "round": number,
        "labels_total": labels,
        "henry": henry,
        "henry_ci_low": henry / reach,
        "henry_ci_high": henry * reach,
    }


def test_a_run_stops_at_the_first_round_that_is_narrow_enough_and_not_too_early():
    rows = [
        round_row(1, 50, 1.0, 0.01),
        round_row(2, 60, 2.0, 0.2),
        round_row(3, 70, 3.0, 0.04),
        round_row(4, 110, 4.0, 0.03),
    ]
    assert stops.stop_of(rows, 0.05, 40, 2).labels == 70
    assert stops.stop_of(rows, 0.05, 100, 2).henry_mol_per_kg_pa == 4.0
    below_zero = {"round": 1, "labels_total": 50, "henry": -1.0, "henry_ci_low": 0.0}
    first = below_zero | {"henry_ci_high": math.inf}
    assert stops.stop_of([first, *rows[1:]], 0.05, 40, 1).labels == 70
    spent = stops.stop_of(rows[:2], 0.05, 40, 2)
    assert (spent.labels, spent.reached) == (60, False)


def test_paid_labels_are_added_up_and_answers_judged_by_the_mean_of_all():
    def stop(labels, henry, *, reached=True):
        return stops.Stop(labels, reached, henry, 0.9 * henry, 1.1 * henry)

    both = [
        stops.Stops("A", 0, stop(100, 1.0), stop(80, 1.5), stop(40, 1.0)),
        stops.Stops("A", 1, stop(300, 1.0, reached=False), stop(300, 1.0), stop(60, 1.3)),
    ]
    text = stops.stop_table(both, 0.05, (100, 40))
    assert "Without a model: 400 labels (1.00); 2 of 2" in text
    assert "labels on: 380 labels (0.95); 1 of 2" in text
    assert "With the model: 100 labels (0.25); 1 of 2" in text
    assert "| A | 1 | (300) | 60 | 300 |" in text
