"""Dirty inputs: each is a clear error or a sound record, never anything else."""

import math
import warnings

import judge
import make
import mutate
import pytest
import valid
from hypothesis import given, settings
from hypothesis import strategies as st

from chem.bounds import plain_number
from chem.cif_columns import parse_number
from chem.yaml_files import read_yaml_mapping
from data.errors import ForceFieldError

CASES = list(make.cases())
SMALL = [case for case in CASES if not case.large]
LARGE = [case for case in CASES if case.large]


def outcome(case, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = judge.judge(case.kind, case.write(folder))
    wrong = not found.good or (case.must and case.must != found.result)
    return f"{case.name}: {found.result}, not {case.must}: {found.text[:200]}" if wrong else None


@pytest.mark.parametrize("kind", sorted({case.kind for case in SMALL}))
def test_the_corpus(kind, tmp_path):
    found = []
    for number, case in enumerate(case for case in SMALL if case.kind == kind):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(outcome(case, folder))
    assert len(found) > 10
    assert [text for text in found if text] == []


@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE, ids=lambda case: f"{case.kind}: {case.name}")
def test_large_files(case, tmp_path):
    assert outcome(case, tmp_path) is None


@pytest.mark.parametrize("source", valid.sources(), ids=lambda source: source[0] + source[1])
def test_what_is_spoilt_was_sound(source, tmp_path):
    kind, suffix, text = source
    path = tmp_path / f"dirty{suffix}"
    path.write_text(text)
    assert judge.judge(kind, path) == judge.Outcome(True, "record")


@given(source=st.sampled_from(valid.sources()), seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_mutations(tmp_path_factory, source, seed):
    kind, suffix, text = source
    path = tmp_path_factory.mktemp("mutated") / f"dirty{suffix}"
    path.write_bytes(mutate.mutated(text, seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = judge.judge(kind, path)
    assert found.good, found


@given(st.text(max_size=30) | st.from_regex(r"[-+0-9.eE_()nai ]{1,12}", fullmatch=True))
@settings(max_examples=500, deadline=None)
def test_numbers_are_what_they_look_like(text):
    try:
        value = plain_number(text)
    except ValueError:
        return
    assert math.isfinite(value) or "e" in text.lower()
    assert set(text.strip()) <= set("0123456789+-.eE")
    assert value == float(text)


@given(st.floats(-1e6, 1e6), st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_the_uncertainty_of_a_number_is_left_out(value, uncertainty):
    assert parse_number(f"{value:.6f}({uncertainty})") == float(f"{value:.6f}")
    with pytest.raises(ValueError, match="no plain number"):
        parse_number(f"{value:.3f}({uncertainty})7")


@given(st.integers(0, 59), st.integers(0, 59))
@settings(max_examples=50, deadline=None)
def test_yaml_takes_no_time_for_a_number(minutes, seconds):
    content = read_yaml_mapping(f"a: {minutes}:{seconds:02d}", "x", ForceFieldError)
    assert content == {"a": f"{minutes}:{seconds:02d}"}


def test_yaml_values_as_yaml_1_2_has_them():
    text = "a: 1e-3\nb: 010\nc: no\nd: 2024-01-01\ne: true\nf: .inf\ng: ~\nh: -5\ni: 1_000\n"
    content = read_yaml_mapping(text, "x", ForceFieldError)
    assert content == {
        "a": 1e-3,
        "b": "010",
        "c": "no",
        "d": "2024-01-01",
        "e": True,
        "f": math.inf,
        "g": None,
        "h": -5,
        "i": "1_000",
    }


def test_yaml_objects_are_never_made(tmp_path):
    mark = tmp_path / "made"
    text = f"name: !!python/object/apply:pathlib.Path.touch [!!python/name:pathlib.Path {mark}]\n"
    with pytest.raises(ForceFieldError, match="not valid YAML"):
        read_yaml_mapping(text, "x.yaml", ForceFieldError)
    assert not mark.exists()


COMMANDS = {
    "cif": lambda path: ["henry", path, "--guest", "CO2", "--reference", "classical"],
    "import": lambda path: ["hosts", "import", path],
    "force field": lambda path: ["show", path],
    "guest": lambda path: ["henry", "CALF-20", "--guest", path, "--reference", "classical"],
    "charges": lambda path: ["henry", "CALF-20", "--guest", "CO2", "--charges", path],
    "campaign": lambda path: ["campaign", "plan", path],
}
NAMES = (
    "nan",
    "net charge",
    "partial occupancy",
    "wrong operator",
    "cell: flat",
    "directory .cif",
    "every byte .cif",
    "alias bomb",
    "alias bomb of names",
    "python object",
    "huge int",
    "negative epsilon .yaml",
    "coincident sites .yaml",
    "type twice .json",
    "key twice",
    "deep brackets .yaml",
    "git lfs .cif",
    "underscore",
    "stranger",
)
SAMPLE = [c for c in SMALL if c.kind in COMMANDS and c.name in NAMES and c.must == "error"]


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: f"{case.kind}: {case.name}")
def test_the_command_line_says_it_in_one_paragraph(case, tmp_path, monkeypatch, capsys):
    from flows import cli

    monkeypatch.chdir(tmp_path)
    words = COMMANDS[case.kind](str(case.write(tmp_path)))
    if words[0] == "henry":
        words += ["--no-orchestration", "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", ["widomill", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == cli.EXIT_BAD_INPUT, said
    assert "Traceback" not in said
    assert "dirty" in said
    assert "Error: " in said.splitlines()[-1] or "\n  line " in said
