import csv
import json
from dataclasses import replace

import pytest
from common import comparison
from common.comparison import Row

ROW = Row(
    case="CO2 / somewhere",
    temperature_k=298.0,
    force_field="UFF",
    goal=30.0,
    raspa_henry=1.00e-5,
    raspa_relative_error=0.03,
    raspa_cpu_s=400.0,
    raspa_cpu_low_s=300.0,
    raspa_cpu_high_s=500.0,
    raspa_cpu_all_runs_s=450.0,
    raspa_measured_s=60.0,
    raspa_insertions=100_000,
    our_henry=1.05e-5,
    our_relative_error=0.002,
    our_reached_error=0.003,
    our_scatter=0.0031,
    our_cpu_s=4.0,
    our_import_s=1.0,
    our_insertions=1_000_000,
    compile_s=6.0,
)


def test_difference_is_in_combined_standard_errors():
    assert replace(ROW, our_relative_error=0.0).difference == pytest.approx(0.5e-6 / 0.3e-6)
    assert replace(ROW, our_relative_error=0.04 / 1.05).difference == pytest.approx(1.0)


def test_ratios():
    assert ROW.ratio == 100.0
    assert ROW.ratio_compiling == 40.0
    assert ROW.ratio_interval == (75.0, 125.0)


def test_table_says_agreement_and_goals():
    rows = [ROW, replace(ROW, our_henry=2e-5, goal=300.0)]
    text = comparison.markdown(rows, 0.003)
    assert "1.000(30)e-5" in text
    assert "1 of 2; goal reached: 1 of 2" in text
    assert "100x (75 to 125), goal 30x" in comparison.sentence(ROW)


def test_stored_table_can_be_read_back(tmp_path):
    rows = [ROW, replace(ROW, case="N2 / elsewhere")]
    comparison.store(rows, {"date": "today"}, 0.003, tmp_path / "deep" / "raspa3")
    stem = tmp_path / "deep" / "raspa3"
    assert comparison.load(stem.with_suffix(".json")) == rows
    assert json.loads(stem.with_suffix(".json").read_text())["machine"] == {"date": "today"}
    with stem.with_suffix(".csv").open(newline="") as stream:
        assert [float(row["ratio"]) for row in csv.DictReader(stream)] == [100.0, 100.0]
    assert stem.with_suffix(".md").read_text().startswith("- date: today")
    assert stem.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
