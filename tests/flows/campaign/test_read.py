"""Campaign files: what they may say, and every problem told at once with its line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from data.bundled import bundled_files
from data.errors import CampaignFileError
from flows.campaign.example import example
from flows.campaign.read import read_campaign
from flows.campaign.units import units_of

GOOD = """\
name: small
hosts: [SOD]
guests: [Ar]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "campaign.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> str:
    with pytest.raises(CampaignFileError) as caught:
        read_campaign(write(folder, text))
    return str(caught.value)


def cif(folder: Path, name: str, host: str = "SOD") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(bundled_files("hosts", ".cif")[host].read_text(encoding="utf-8"))
    return path


def test_the_example_is_valid_and_plans_what_it_says(tmp_path: Path) -> None:
    campaign = read_campaign(write(tmp_path, example("first", "campaign.yaml")))
    levels = [unit.level for unit in units_of(campaign)]
    assert levels == ["classical"] * 4 + ["mace-dac"]
    assert campaign.folder == tmp_path / "campaigns" / "first"


def test_all_problems_are_told_with_their_lines(tmp_path: Path) -> None:
    text = """\
name: small
hosts: [SOD]
guests: [Ar]
temperatures_k: [-3]
classical: {target_eror: 0.05}
references:
  - level: forcefield:DREIDING
    max_labels: 0
"""
    said = problems(tmp_path, text)
    assert "3 problems" in said
    assert "line 4: temperatures_k: -3" in said
    assert "line 5: classical.target_eror: there is no such field" in said
    assert "line 8: references.1.max_labels" in said


def test_what_is_referred_to_is_looked_at_too(tmp_path: Path) -> None:
    text = """\
name: small
hosts:
  - SODD
  - nothing/*.cif
guests: [Arr]
references:
  - level: forcefield:NONE
    hosts: [QQQ*]
cluster: {kind: slurm}
"""
    said = problems(tmp_path, text)
    for line in ("line 3: hosts.1", "line 4: hosts.2", "line 5: guests.1", "line 7: references.1"):
        assert line in said
    assert "line 9: cluster" in said
    assert "SOD" in said.split("SODD")[1]


def test_problems_of_form_do_not_hide_those_of_substance(tmp_path: Path) -> None:
    said = problems(tmp_path, "name: small\nhosts: [SODD]\nguests: [Ar]\nseed: -1\n")
    assert "line 4: seed" in said
    assert "line 2: hosts.1" in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("- a\n- b\n", "no mapping"),
        (GOOD + "guests: [Kr]\n", "line 4: 'guests' is given twice"),
        ("name: [unclosed\n", "not valid YAML"),
        ("name: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
        (GOOD.replace("name: small", "name: ../up"), "name"),
        (GOOD + "references: [{level: classical}]\n", "every host gets the classical level"),
        (GOOD + "references: [{level: mace-dac, guests: [CO2]}]\n", "CO2 is not among the guests"),
    ],
)
def test_files_that_are_no_campaign(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in problems(tmp_path, text)


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for k in range(1, 9):
        lines.append(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]")
    assert "refused" in problems(tmp_path, "\n".join(lines) + "\n" + GOOD)


def test_hosts_by_file_folder_glob_and_table(tmp_path: Path) -> None:
    cif(tmp_path, "in/one.cif")
    cif(tmp_path, "in/two.cif")
    cif(tmp_path, "three four.cif")
    (tmp_path / "hosts.csv").write_text("who,where\nmine,in/one.cif\nsod,SOD\n")
    text = """\
name: small
hosts:
  - three four.cif
  - in
  - in/t*.cif
  - {list: hosts.csv, path_column: where, id_column: who}
guests: [Ar]
"""
    campaign = read_campaign(write(tmp_path, text))
    found = {host.id: host.source for host in campaign.hosts}
    assert set(found) == {"three-four", "one", "two", "mine", "sod"}
    assert found["sod"] == "SOD"
    assert found["mine"] == str(tmp_path / "in" / "one.cif")


def test_two_hosts_of_one_name_are_refused(tmp_path: Path) -> None:
    cif(tmp_path, "a/host.cif")
    cif(tmp_path, "b/host.cif")
    said = problems(tmp_path, "name: n\nhosts: [a, b]\nguests: [Ar]\n")
    assert "two hosts are called host" in said


def test_ids_cannot_leave_the_folder(tmp_path: Path) -> None:
    cif(tmp_path, "one.cif")
    (tmp_path / "hosts.csv").write_text("id,path\n../../etc/x,one.cif\n")
    campaign = read_campaign(write(tmp_path, "name: n\nhosts: [{list: hosts.csv}]\nguests: [Ar]\n"))
    for unit in units_of(campaign):
        run = Path(unit.settings.out).resolve()
        assert run.parent == (campaign.folder / "runs").resolve()


def test_units_depend_on_what_decides_the_numbers_alone(tmp_path: Path) -> None:
    first = {u.id for u in units_of(read_campaign(write(tmp_path, GOOD)))}
    more = GOOD + "workers: 7\nlimits: {unit_hours: 1}\n"
    assert {u.id for u in units_of(read_campaign(write(tmp_path, more)))} == first
    other = GOOD + "seed: 1\n"
    assert not {u.id for u in units_of(read_campaign(write(tmp_path, other)))} & first


def test_a_campaign_that_grows_keeps_its_units(tmp_path: Path) -> None:
    first = {u.id for u in units_of(read_campaign(write(tmp_path, GOOD)))}
    grown = GOOD.replace("[SOD]", "[SOD, CALF-20]").replace("[Ar]", "[Ar, Kr]")
    units = {u.id for u in units_of(read_campaign(write(tmp_path, grown)))}
    assert first < units
    assert len(units) == 4


def test_files_are_found_beside_the_campaign(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    with bundled_files("force_fields", ".yaml")["UFF"].open("rb") as source:
        (folder / "own.yaml").write_bytes(source.read())
    text = GOOD + (
        "classical: {force_field: own.yaml}\nreferences: [{level: 'forcefield:own.yaml'}]\n"
    )
    settings = read_campaign(write(folder, text)).settings
    assert settings.classical.force_field == str(folder / "own.yaml")
    assert settings.references[0].level == f"forcefield:{folder / 'own.yaml'}"
    shutil.rmtree(folder)
