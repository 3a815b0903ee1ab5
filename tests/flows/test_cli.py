"""The command line's contract: names, units, exit statuses, one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import cli

CONTRACT = {
    "host",
    "guest",
    "temperature_k",
    "reference",
    "henry_mol_per_kg_pa",
    "henry_ci95",
    "henry_relative_standard_error",
    "qst_kj_per_mol",
    "qst_standard_error",
    "binding_energy_kj_per_mol",
    "baseline_henry_mol_per_kg_pa",
    "surrogate_henry_mol_per_kg_pa",
    "insertions",
    "overlap_fraction",
    "effective_samples",
    "labels",
    "label_failures",
    "correction_effective_samples",
    "largest_weight_share",
    "rounds",
    "stopped_because",
    "seed",
    "wall_s",
    "reference_s",
}


def run_cli(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["widomill", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def run_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own: --json takes over standard output."""
    code = "from flows import cli; cli.main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=200
    )


PROBE = (
    "name: probe\nsource: made up for this test.\nsites:\n"
    "  - {type: P, position_angstrom: [0, 0, 0], epsilon_k: 100.0, sigma_angstrom: 3.5}\n"
)
BAD_INPUT = {
    "unknown host": (["nope", "--guest", "CO2"], ["no file and no bundled host named 'nope'"]),
    "misspelt host": (["CALF20", "--guest", "CO2"], ["Did you mean"]),
    "host is a directory": (["{tmp}", "--guest", "CO2"], ["directory"]),
    "empty file": (["{tmp}/empty.cif", "--guest", "CO2"], ["empty.cif", "empty"]),
    "no CIF at all": (["{tmp}/garbage.cif", "--guest", "CO2"], ["garbage.cif"]),
    "unknown guest": (["CALF-20", "--guest", "XX"], ["no file and no bundled guest named 'XX'"]),
    "missing charges": (
        ["IRMOF-1", "--guest", "CO2"],
        ["no partial charges", "--charges none"],
    ),
    "missing parameters": (
        ["CALF-20", "--guest", "CO2", "--force-field", "TraPPE-zeo"],
        ["no type for host atoms", "Zn1"],
    ),
    "missing force field": (
        ["CALF-20", "--guest", "CO2", "--force-field", "none.json"],
        ["no file none.json"],
    ),
    "force field that is no JSON": (
        ["CALF-20", "--guest", "CO2", "--force-field", "{tmp}/bad.json"],
        ["bad.json", "line"],
    ),
    "guest without atoms": (
        ["CALF-20", "--guest", "{tmp}/probe.yaml"],
        ["real atoms of guest probe are unknown", "atoms list"],
    ),
    "negative temperature": (
        ["CALF-20", "--guest", "CO2", "--temperature-k", "-3"],
        ["--temperature-k", "outside 1 to 5000 K"],
    ),
    "temperature twice": (
        ["CALF-20", "--guest", "CO2", "--temperature-k", "300", "--temperature-k", "300"],
        ["given twice"],
    ),
    "temperature not a number": (
        ["CALF-20", "--guest", "CO2", "--temperature-k", "nan"],
        ["--temperature-k"],
    ),
    "too few insertions": (
        ["CALF-20", "--guest", "CO2", "--insertions", "5"],
        ["--insertions", "greater than or equal to 100"],
    ),
    "unknown reference": (
        ["CALF-20", "--guest", "CO2", "--reference", "magic"],
        ["Unknown reference level 'magic'", "mace-dac"],
    ),
    "no calculator module": (
        ["CALF-20", "--guest", "CO2", "--reference", "ase:nomod:f"],
        ["nomod", "cannot be imported"],
    ),
    "no model file": (
        ["CALF-20", "--guest", "CO2", "--reference", "mace:/no/file"],
        ["no MACE model file at /no/file"],
    ),
    "untrusted model file": (
        ["CALF-20", "--guest", "CO2", "--reference", "mace:{tmp}/garbage.cif"],
        ["--trust-model-file"],
    ),
    "shift and tail": (
        ["CALF-20", "--guest", "CO2", "--lj", "shifted", "--tail-correction"],
        ["contradict"],
    ),
    "unknown sampling": (
        ["CALF-20", "--guest", "CO2", "--sampling", "lucky"],
        ["--sampling", "'adaptive' or 'uniform'"],
    ),
    "missing cluster file": (
        ["CALF-20", "--guest", "CO2", "--reference", "classical", "--cluster", "no.yaml"],
        ["cluster file no.yaml"],
    ),
    "target error of zero": (
        ["CALF-20", "--guest", "CO2", "--target-error", "0"],
        ["--target-error", "greater than 0"],
    ),
    "out cannot be written": (
        ["CALF-20", "--guest", "CO2", "--reference", "classical", "--out", "/proc/nowhere/run"],
        ["--out /proc/nowhere/run cannot be written"],
    ),
    "out is a file": (
        ["CALF-20", "--guest", "CO2", "--reference", "classical", "--out", "{tmp}/garbage.cif"],
        ["is a file"],
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT, ids=str)
def test_bad_input_ends_with_status_2_and_one_paragraph(
    case: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty.cif").write_text("")
    (tmp_path / "garbage.cif").write_text("this is no crystal\n")
    (tmp_path / "bad.json").write_text('{"PseudoAtoms": [\n')
    (tmp_path / "probe.yaml").write_text(PROBE)
    monkeypatch.chdir(tmp_path)
    arguments, expected = BAD_INPUT[case]
    given = [a.replace("{tmp}", str(tmp_path)) for a in arguments]
    status = run_cli(monkeypatch, "henry", *given)
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    for words in expected:
        assert words in captured.err
    assert not (tmp_path / "runs").exists()


def test_usage_errors_end_with_status_2(monkeypatch, capsys):
    assert run_cli(monkeypatch, "henry", "CALF-20") == 2
    assert "--guest" in capsys.readouterr().err


def test_json_keeps_the_contract(tmp_path):
    done = run_process(
        *("henry", "SOD", "--guest", "Ar", "--reference", "classical", "--insertions", "2000"),
        *("--force-field", "UFF", "--keep-pockets"),
        *("--temperature-k", "300", "--temperature-k", "400"),
        *("--no-orchestration", "--json", "--seed", "3", "--out", str(tmp_path / "run")),
    )
    assert done.returncode == 0
    content = json.loads(done.stdout)
    assert list(content) == ["results"]
    assert [r["temperature_k"] for r in content["results"]] == [300.0, 400.0]
    for result in content["results"]:
        assert set(result) >= CONTRACT
        low, high = result["henry_ci95"]
        assert 0 < low < result["henry_mol_per_kg_pa"] < high
        assert result["labels"] == 0
        assert 0 < result["insertions"] < result["insertions_evaluated"] <= 2000
        assert result["seed"] == 3
    assert "SOD Ar: 18 atoms" in done.stderr
    assert (tmp_path / "run" / "report.html").exists()


def test_the_same_folder_is_shown_again_and_refuses_other_settings(tmp_path):
    base = ["henry", "SOD", "--guest", "Ar", "--reference", "classical", "--no-orchestration"]
    base += ["--json", "--keep-pockets", "--out", str(tmp_path / "run"), "--insertions"]
    first, second, other = (run_process(*base, n) for n in ("2000", "2000", "3000"))
    assert first.returncode == second.returncode == 0
    assert json.loads(first.stdout) == json.loads(second.stdout)
    assert other.returncode == 2
    assert "other settings (insertions)" in other.stderr


def test_a_chatty_reference_does_not_spoil_the_json(tmp_path, monkeypatch):
    (tmp_path / "chatty_reference.py").write_text(
        "import os\n"
        "from ase.calculators.lj import LennardJones\n\n\n"
        "def make():\n"
        "    print('hello from Python')\n"
        "    os.write(1, b'hello from C\\n')\n"
        "    return LennardJones(epsilon=0.01, sigma=3.2, rc=8.0, smooth=True)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = run_process(
        *("henry", "SOD", "--guest", "Ar", "--reference", "ase:chatty_reference:make"),
        *("--insertions", "1000", "--max-labels", "6", "--max-rounds", "1", "--accept-offset"),
        *("--no-orchestration", "--json", "--out", str(tmp_path / "run")),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"][0]["labels"] <= 6
    assert "hello from Python" in done.stderr
    assert "hello from C" in done.stderr


def test_a_host_without_room_has_a_henry_coefficient_of_zero(tmp_path):
    cif = tmp_path / "copper.cif"
    cif.write_text(
        "data_copper\n_cell_length_a 3.615\n_cell_length_b 3.615\n_cell_length_c 3.615\n"
        "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n"
        "_symmetry_space_group_name_H-M 'F m -3 m'\n_symmetry_Int_Tables_number 225\n"
        "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n"
        "_atom_site_fract_y\n_atom_site_fract_z\nCu1 Cu 0 0 0\n"
    )
    done = run_process(
        *("henry", str(cif), "--guest", "CO2", "--reference", "forcefield:DREIDING"),
        *("--charges", "none", "--insertions", "3000", "--max-labels", "30", "--max-rounds", "2"),
        *("--no-orchestration", "--json", "--out", str(tmp_path / "run")),
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["results"][0]
    assert result["henry_mol_per_kg_pa"] == 0.0
    assert result["overlap_fraction"] > 0.99
    assert any("no room" in warning for warning in result["warnings"])


def test_published_value_through_the_command_line(tmp_path):
    """Methane in silicalite, RASPA3's example with the oxygen mass mended: 6.113e-6 +- 0.2 %."""
    done = run_process(
        *("henry", "MFI_SI", "--guest", "CH4:Dubbeldam", "--temperature-k", "300"),
        *("--reference", "classical", "--force-field", "TraPPE-zeo", "--charges", "none"),
        *("--lj", "shifted", "--target-error", "0.004", "--no-orchestration", "--json"),
        *("--out", str(tmp_path / "run")),
    )
    assert done.returncode == 0
    result = json.loads(done.stdout)["results"][0]
    error = result["henry_relative_standard_error"]
    assert error < 0.005
    assert result["henry_mol_per_kg_pa"] == pytest.approx(
        6.113e-6, rel=max(0.015, 2.5 * (error**2 + 0.0011**2) ** 0.5)
    )


def test_help_answers_without_heavy_imports():
    code = (
        "import sys; sys.argv = ['widomill', 'henry', '--help']\n"
        "from flows import cli\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'prefect', 'numba', 'pymatgen', 'distributed'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "--target-error" in done.stdout
    assert "heavy: []" in done.stdout


def test_help_says_what_an_option_left_out_means():
    shown = CliRunner().invoke(cli.app, ["henry", "--help"], env={"COLUMNS": "200"}).output
    for default in ("298.15", "0.05, classical 0.01", "up to 2,000,000", "a name under runs/"):
        assert f"default: ({default})" in shown


@pytest.mark.parametrize(
    ("what", "expected"), [("hosts", "CALF-20"), ("guests", "CO2"), ("force-fields", "UFF")]
)
def test_list(what, expected, monkeypatch, capsys):
    assert run_cli(monkeypatch, "list", what) == 0
    assert expected in capsys.readouterr().out.splitlines()
