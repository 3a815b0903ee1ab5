"""The report says what the files say, shows it whole, and trusts no name it prints."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import RunFolderError
from data.schemas import LABELS
from data.store import plain, read_columns, read_rows, write_rows
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.report import write_report
from flows.report.cell import projected_density, raster, view_along
from flows.report.figures import convergence, convergence_png
from flows.report.load import load_run, read_failures, read_unseen
from flows.report.page import content
from flows.report.structure import contacts, guest_atoms_angstrom, half_bonds
from flows.report.style import to_svg
from flows.report.words import formula, interval, ratio, scientific, significant, with_error
from flows.run import run
from flows.settings import make_settings

HOSTILE = "<img src=x onerror=alert(1)> $x^2$ & 'y'"


class Page(HTMLParser):
    """The tags, their attributes, the text and the numbers of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.text = re.sub(r"\s+", " ", "".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def numbers(self) -> list[str | None]:
        return [attributes["value"] for tag, attributes in self.tags if tag == "data"]


def finished(folder: Path, **settings: Any) -> Path:
    chosen = {"host": "CALF-20", "guest": "CO2", "insertions": 3000, "out": str(folder)}
    run(make_settings(**(chosen | settings)), PlainExecutor(), SilentReporter())
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with rounds: DREIDING is the reference, UFF the baseline.

    An ensemble of one encoder: what the surrogate is worth is tested elsewhere.
    """
    folder = tmp_path_factory.mktemp("labelled") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.training.MEMBERS", 1)
        return finished(folder, reference="forcefield:DREIDING", max_labels=40, max_rounds=2)


@pytest.fixture(scope="module")
def classical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run without rounds, two temperatures, the host from a hostile file name."""
    folder = tmp_path_factory.mktemp("classical")
    cif = folder / f"{HOSTILE}.cif"
    cif.write_text((resources.files("data") / "hosts" / "CALF-20.cif").read_text(encoding="utf-8"))
    temperatures = (298.15, 350.0)
    return finished(
        folder / "run", host=str(cif), reference="classical", temperatures_k=temperatures
    )


@pytest.fixture(scope="module")
def labelled_page(labelled: Path) -> str:
    return write_report(labelled).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def classical_page(classical: Path) -> str:
    return write_report(classical).read_text(encoding="utf-8")


def results_of(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "result.json").read_text())["results"]
    return found


def test_every_number_of_the_answer_is_on_the_page(labelled: Path, labelled_page: str) -> None:
    page = Page(labelled_page)
    (result,) = results_of(labelled)
    assert page.numbers[0] == repr(result["henry_mol_per_kg_pa"])
    assert json.loads(str(page.numbers[1])) == result["henry_ci95"]
    assert repr(result["binding_energy_kj_per_mol"]) in page.numbers
    assert repr(result["surrogate_henry_mol_per_kg_pa"]) in page.numbers
    assert repr(result["baseline_henry_mol_per_kg_pa"]) in page.numbers
    assert with_error(result["qst_kj_per_mol"], result["qst_standard_error"]) in page.text
    assert f"Reference labels{result['labels']} Rounds{result['rounds']}" in page.text
    assert result["stopped_because"] in page.text
    assert all(warning in page.text for warning in result["warnings"])
    assert "Failed labels" not in page.text


def test_the_page_carries_the_results_for_machines(classical: Path, classical_page: str) -> None:
    pattern = r'<script type="application/json"[^>]*>(.*?)</script>'
    found = re.search(pattern, classical_page, re.DOTALL)
    assert found is not None
    assert json.loads(found.group(1)) == {"results": results_of(classical)}


def test_pictures_that_others_replace_are_not_drawn(classical: Path, labelled: Path) -> None:
    assert not {"temperatures", "site"} & set(content(load_run(classical))["pictures"])
    assert content(load_run(labelled))["pictures"]["site"]


def test_the_page_needs_nothing_but_itself(labelled_page: str) -> None:
    page = Page(labelled_page)
    addresses = [
        str(value)
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "data", "srcset")
    ]
    files = [a for a in addresses if not a.startswith(("#", "data:image/png;base64,"))]
    assert files == ["binding_site.cif", "binding_site.extxyz"]
    assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "object", "img")]
    assert "@import" not in page.text
    assert "url(http" not in page.text


def test_pictures_are_well_formed_and_their_pixels_decode(labelled_page: str) -> None:
    from matplotlib.image import imread

    text = labelled_page
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == 7
    for drawing in drawings:
        assert ET.fromstring(drawing).tag.endswith("svg")
    pixels = re.findall(r"data:image/png;base64,([^\"]+)", text)
    assert len(pixels) >= 4
    for encoded in pixels:
        png = base64.b64decode(encoded, validate=False)
        assert imread(io.BytesIO(png), format="png").ndim == 3
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text)) <= set(ids)


def test_a_hostile_name_stays_text(classical: Path, classical_page: str) -> None:
    page = Page(classical_page)
    assert results_of(classical)[0]["host"] == HOSTILE
    assert f"CO₂ in {HOSTILE}" in page.text
    assert "<img" not in classical_page
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]


def test_every_temperature_has_its_row(classical: Path, classical_page: str) -> None:
    page = Page(classical_page)
    for result in results_of(classical):
        assert repr(result["henry_mol_per_kg_pa"]) in page.numbers
        assert f"{result['temperature_k']:g}" in page.text
    assert "Left: the answer over the effective insertions" in page.text
    assert "Round by round" not in page.text
    assert "From labels to the answer" not in page.text


def test_the_same_files_give_the_same_page_in_any_thread(
    labelled: Path, labelled_page: str
) -> None:
    first = labelled_page.encode()
    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(lambda _: write_report(labelled).read_bytes(), range(2)))
    assert pages == [first, first]


def test_the_convergence_picture_is_a_small_png(labelled: Path, classical: Path) -> None:
    from matplotlib.image import imread

    picture = convergence_png(labelled)
    assert picture is not None
    assert len(picture) < 150_000
    assert imread(io.BytesIO(picture), format="png").shape[1] > 600
    assert convergence_png(classical) is None
    assert convergence_png(classical / "nothing") is None


def test_a_folder_that_is_no_finished_run_is_refused(labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="There is no run folder"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(RunFolderError, match=r"no result\.json"):
        write_report(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(labelled, copy)
    shutil.rmtree(copy / "insertions")
    (copy / "context.json").unlink()
    with pytest.raises(
        RunFolderError, match=r"incomplete: context\.json, insertions/\*\.parquet missing"
    ):
        write_report(copy)
    (copy / "result.json").write_text("{")
    shutil.copytree(labelled, copy, dirs_exist_ok=True)
    (copy / "result.json").write_text("{")
    with pytest.raises(RunFolderError, match="Cannot read"):
        write_report(copy)


def test_failed_labels_are_shown_with_their_reasons(labelled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "failed"
    shutil.copytree(labelled, copy)
    before = read_unseen(load_run(copy))
    path = sorted((copy / "labels").glob("round-02-*.parquet"))[0]
    broken = {"status": "failed", "reason": "SCF <not> converged", "energy_kj_per_mol": np.nan}
    rows = [row | broken for row in read_rows(path)]
    write_rows(path, rows, LABELS)
    assert read_failures(load_run(copy)) == [("SCF <not> converged", len(rows))]
    assert len(read_unseen(load_run(copy)).round) == len(before.round) - len(rows)
    assert "SCF <not> converged" in Page(write_report(copy).read_text(encoding="utf-8")).text


def test_a_host_without_room_has_a_report_and_no_binding_site(tmp_path: Path) -> None:
    from ase.build import bulk

    bulk("C", "diamond", 3.567, cubic=True).write(tmp_path / "diamond.cif")
    folder = finished(
        tmp_path / "run",
        host=str(tmp_path / "diamond.cif"),
        guest="Xe",
        reference="classical",
        charges="none",
        insertions=300,
        temperatures_k=(300.0, 400.0),
    )
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    assert "the guest finds no room" in page.text
    assert "there is no binding site to show" in page.text
    assert not (folder / "binding_site.cif").exists()


def test_predictions_are_joined_with_the_labels_they_were_made_before(labelled: Path) -> None:
    unseen = read_unseen(load_run(labelled))
    paid = {}
    for path in (labelled / "labels").glob("round-*.parquet"):
        for row in read_rows(path):
            paid[row["round"], row["energy_kj_per_mol"]] = row["baseline_kj_per_mol"]
    assert len(unseen.round) == len([key for key in paid if key[0] > 0])
    for k, number in enumerate(unseen.round):
        key = (int(number), float(unseen.reference_kj_per_mol[k]))
        assert paid[key] == unseen.baseline_kj_per_mol[k]
    assert (unseen.round[unseen.learned] > 1).all()


def test_the_binding_site_files_hold_host_and_guest_in_place(labelled: Path) -> None:
    from ase.io import read

    write_report(labelled)
    loaded = load_run(labelled)
    host, guest = loaded.context.system.host, loaded.context.system.guest
    assert loaded.binding is not None
    for name in ("binding_site.cif", "binding_site.extxyz"):
        both = read(labelled / name)
        assert len(both) == len(host.elements) + len(guest.atom_elements)
        carbon = both.get_scaled_positions()[len(host.elements)]
        difference = carbon - loaded.binding[:3]
        assert np.abs(difference - np.round(difference)).max() < 1e-5
        bond = both.get_distance(len(host.elements), len(host.elements) + 1, mic=True)
        assert bond == pytest.approx(1.16, abs=1e-4)
    assert both.info["interaction_energy_kj_per_mol"] == pytest.approx(
        results_of(labelled)[0]["binding_energy_kj_per_mol"], rel=1e-6
    )


def test_contacts_are_the_shortest_distances_of_all_images(labelled: Path) -> None:
    from ase.geometry import get_distances

    loaded = load_run(labelled)
    host, guest = loaded.context.system.host, loaded.context.system.guest
    assert loaded.binding is not None
    atoms = guest_atoms_angstrom(host, guest, loaded.binding)
    _, length = get_distances(atoms, host.positions_angstrom, cell=host.lattice_angstrom, pbc=True)
    shortest = np.sort(length.min(axis=0))[:3]
    found = contacts(host, guest, loaded.binding)
    assert [c.distance_angstrom for c in found] == pytest.approx(shortest, abs=1e-9)


def test_bonds_join_across_the_faces_of_the_cell(labelled: Path) -> None:
    host = load_run(labelled).context.system.host
    first, half = half_bonds(host)
    degree = np.bincount(first, minlength=len(host.elements))
    by_element = {e: degree[[x == e for x in host.elements]] for e in set(host.elements)}
    assert (by_element["H"] == 1).all()  # every C-H once
    assert (by_element["Zn"] == 5).all()  # three triazolate N, two oxalate O
    assert np.linalg.norm(half, axis=1).max() < 1.3


def test_the_density_lands_where_the_guest_is_in_a_skewed_cell() -> None:
    lattice = np.array([[9.0, 0.0, 0.0], [-3.0, 8.0, 0.0], [1.0, 2.0, 7.0]])
    place = np.array([[0.3, 0.6, 0.2]])
    for along in range(3):
        view = view_along(lattice, along)
        density = projected_density(view, place, np.ones(1))
        assert density.mean() == pytest.approx(1.0)
        pixels, (left, right, low, high) = raster(view, density)
        row, column = np.unravel_index(np.nanargmax(pixels), pixels.shape)
        x = left + (column + 0.5) * (right - left) / pixels.shape[1]
        y = low + (row + 0.5) * (high - low) / pixels.shape[0]
        # The projection of the position and that of its fractional parts are one point.
        flat = (place @ lattice)[0] @ view.plane
        assert flat == pytest.approx(place[0, list(view.across)] @ view.cell)
        assert (x, y) == pytest.approx(tuple(flat), abs=0.2)
        assert np.isnan(pixels).any() == (abs(view.cell[0] @ view.cell[1]) > 1e-9)


def rounds(baseline: float, alone: float) -> list[dict[str, Any]]:
    common = {"table_error": 1e-5, "design_error": 2e-5, "relative_standard_error": 0.1}
    return [
        common
        | {
            "labels_total": 20 * k,
            "henry": 2e-4,
            "henry_ci_low": 1.6e-4 if k > 1 else 0.0,
            "henry_ci_high": 2.5e-4 if k > 1 else float("inf"),
            "round_henry": alone,
            "surrogate_henry": 2.2e-4,
            "baseline_henry": baseline,
        }
        for k in (1, 2)
    ]


@pytest.mark.parametrize(
    ("baseline", "alone", "scale"),
    [(1.5e-4, 2e-4, "linear"), (5e-8, 2e-4, "log"), (5e-8, -1e-5, "log"), (0.0, 2e-4, "linear")],
)
def test_the_last_interval_is_in_view_and_decades_go_on_a_logarithm(
    baseline: float, alone: float, scale: str
) -> None:
    figure = convergence(rounds(baseline, alone), 0.05)
    axes = figure.axes[0]
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    unit = 1.0 if scale == "log" else 1e-4
    assert low < min(1.6e-4, baseline or 1.0) / unit
    assert high > 2.5e-4 / unit
    assert ET.fromstring(to_svg(figure, "test", "a test")) is not None


def test_numbers_in_words() -> None:
    assert scientific(4.1919e-4) == "4.19&nbsp;&times;&nbsp;10<sup>\N{MINUS SIGN}4</sup>"
    power = "&nbsp;&times;&nbsp;10<sup>\N{MINUS SIGN}4</sup>"
    assert interval([3.96e-4, 1.2e-3]) == f"3.96 to 12.0{power}"
    assert interval([41.0, 44.2]) == "41.0 to 44.2"
    assert interval([0.0, None]) == "0.00 to n/a"
    assert significant(12345.6) == "12,300"
    assert significant(-0.4567) == "\N{MINUS SIGN}0.457"
    assert significant(None) == scientific(float("inf")) == "n/a"
    assert ratio(2.22, 1.0) == "2.22 times the answer"
    assert ratio(1.0, -0.5) == "-2.00 times the answer"
    assert ratio(0.00063, 1.0) == "1/1,590 of the answer"
    assert ratio(1.0, None) == ratio(1.0, 0.0) == "n/a"
    assert with_error(34.6723, 0.0691) == "34.672 ± 0.069"
    assert with_error(34.6723, 1.02) == "34.7 ± 1.0"
    assert formula("CO2") == "CO₂"
    assert formula("CO2:Garcia-Sanchez") == "CO₂:Garcia-Sanchez"
    assert formula("<b>2") == "&lt;b&gt;2"


def test_what_limits_is_named(labelled: Path, labelled_page: str) -> None:
    verdict = results_of(labelled)[0]["verdict"]
    assert "would halve it" in verdict
    assert verdict[1:] in Page(labelled_page).text


def test_stored_results_are_plain(labelled: Path) -> None:
    stored = results_of(labelled)
    assert plain(stored) == stored
    assert read_columns(labelled / "results.parquet")["labels"][0] == stored[0]["labels"]
