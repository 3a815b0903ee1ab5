import json
import sys

import pytest
import raspa3
from common.cases import CASES
from common.machine import as_lines, describe
from common.processes import WorkerError, run_worker


def test_a_worker_answers_and_its_cpu_seconds_are_its_own(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(
        "import json, os, sys, time\n"
        "while time.process_time() < float(sys.argv[1]): pass\n"
        "answer = {'threads': os.environ['OMP_NUM_THREADS'], 'more': os.environ['MORE']}\n"
        "json.dump(answer, open(sys.argv[2], 'w'))\n"
    )
    answer, short = run_worker(script, ["0.0"], {"MORE": "yes"})
    _, long = run_worker(script, ["0.3"], {"MORE": "yes"})
    assert answer == {"threads": "1", "more": "yes"}
    assert long >= 0.3
    assert short < long


def test_a_failing_worker_says_why(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text("raise SystemExit('no such luck')")
    with pytest.raises(WorkerError, match="no such luck"):
        run_worker(script, [], {})


def test_the_cases_are_those_of_the_goal():
    assert [case.name for case in CASES] == [
        "CO2 / IRMOF-1",
        "N2 / IRMOF-1",
        "CO2 / MFI_SI",
        "CO2 / Mg-MOF-74",
        "N2 / Mg-MOF-74",
        "N2 / CALF-20",
        "CO2 / Cu-BTC",
    ]
    for case in CASES:
        assert case.system().pairs.has_charges
        assert (case.settings.cutoff_angstrom, case.settings.ewald_precision) == (12.0, 1e-6)
        assert not case.settings.tail_correction


def test_raspa_gets_the_cheaper_cell():
    assert len(CASES[0].system_for_raspa().host.elements) == 424
    assert len(CASES[0].system().host.elements) == 106
    assert len(CASES[3].system_for_raspa().host.elements) == 54


def test_without_raspa_the_script_says_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["raspa3.py"])
    monkeypatch.setattr(raspa3.importlib.util, "find_spec", lambda name: None)
    assert raspa3.main() == 1
    assert "pip install raspalib==3.1.0" in capsys.readouterr().err


def test_raspa_worker(monkeypatch, tmp_path):
    monkeypatch.setenv("RASPALIB_QUIET", "1")
    pytest.importorskip("raspalib")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(raspa3, "stay_on_one_core", lambda: None)
    task = json.dumps({"case": 1, "seconds": 0.4, "runs": 4})
    assert raspa3._work("raspa", task, "answer.json") == 0
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert len(set(answer["henry"])) == 4
    assert answer["insertions"] % (4 * 20 * 5) == 0
    assert answer["sampling_s"] > 0.0


def test_description_of_the_machine_names_no_person_or_path():
    lines = as_lines(describe())
    assert {line.partition(":")[0] for line in lines} >= {"date", "command", "processor", "numba"}
    assert not any(line.partition(": ")[2].startswith(("/", "python /")) for line in lines)
