"""The page of a campaign: complete, small, safe, and drawn by a browser without a network."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from chem.selectivity import selectivity_of_results
from data.schemas import column, table_schema
from data.store import write_rows
from flows.campaign.folder import CampaignFolder
from flows.campaign.units import Unit, write_units
from flows.campaign_report import write_campaign_report
from flows.campaign_report.columns import Columns, selectivities, short
from flows.campaign_report.page import as_script

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTS = 1000


@pytest.fixture(scope="module")
def page(finished: CampaignFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the small campaign, beside links to its runs."""
    folder = linked(finished, tmp_path_factory.mktemp("page"))
    return write_campaign_report(folder)


def linked(finished: CampaignFolder, path: Path) -> CampaignFolder:
    for name in ("units.parquet", "campaign.json", "runs", "failures"):
        (path / name).symlink_to(finished.path / name)
    return CampaignFolder(path)


def data_of(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="campaign">(.*?)</script>', text)
    return json.loads(found.group(1))


class Elements(HTMLParser):
    """What a browser would make of the page's tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_every_answer_is_on_the_page(finished: CampaignFolder, page: Path) -> None:
    data, results = data_of(page), finished.results()
    assert len(data["rows"]["k"]) == len(results) == 18
    for k, result in enumerate(results):
        unit = data["rows"]["unit"][k]
        assert data["units"]["id"][unit] == result["unit_id"]
        assert data["hosts"][data["units"]["host"][unit]] == result["host_id"]
        assert data["temps"][data["rows"]["temp"][k]] == result["temperature_k"]
        assert data["rows"]["k"][k] == pytest.approx(result["henry_mol_per_kg_pa"], rel=6e-4)
        ends = [short(end) for end in result["henry_ci95"]]
        assert [data["rows"]["lo"][k], data["rows"]["hi"][k]] == ends
    assert sorted(data["units"]["state"]).count("finished") == 9
    text = page.read_text(encoding="utf-8")
    assert "9 finished" in text
    assert "1 failed" in text
    assert "1 waiting" in text


def test_a_reason_with_markup_stays_text(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "alert('reason')" in json.dumps(data_of(page)["failures"])
    assert "<script>alert" not in text
    assert "<img" not in text
    scripts = [a for tag, a in Elements(text).tags if tag == "script"]
    assert len(scripts) == 2  # the data, and the page's own


def test_nothing_ends_the_data_script() -> None:
    text = as_script({"a": "</script><!-- \u2028 & <b>"})
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == {"a": "</script><!-- \u2028 & <b>"}


def test_the_page_asks_for_nothing_outside(page: Path) -> None:
    tags = Elements(page.read_text(encoding="utf-8")).tags
    assert not [a for _, a in tags if "src" in a]
    assert not [t for t, _ in tags if t in ("link", "iframe", "object", "embed", "base")]
    policy = [a["content"] for t, a in tags if t == "meta" and a.get("http-equiv")]
    assert policy[0].startswith("default-src 'none'")
    code = "".join(p.read_text() for p in Path("flows/campaign_report/js").glob("*.js"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|fetch\(", code)


def test_selectivities_are_those_of_the_command(finished: CampaignFolder) -> None:
    columns = Columns(finished)
    by_unit = {(r["unit_id"], r["temperature_k"]): r for r in columns.results}
    parts = selectivities(columns)
    assert {(p["level"], p["temp"]) for p in parts} == {(0, 0), (0, 1)}
    for part in parts:
        for k, host in enumerate(part["host"]):
            kelvin = columns.temperatures.names[part["temp"]]
            pair = [
                by_unit[unit.id, kelvin]
                for guest in (part["one"], part["two"])
                for unit in columns.planned
                if unit.is_classical
                and unit.host_id == columns.hosts.names[host]
                and unit.guest == columns.guests.names[guest]
            ]
            ratio = selectivity_of_results(*pair)
            high = ratio.interval[1]
            factor = high / ratio.value if math.isfinite(high) else None
            assert part["factor"][k] == short(factor)
            assert (k in part["shaky"]) == (not ratio.trustworthy)


def test_the_map_knows_what_was_labelled(page: Path) -> None:
    data = data_of(page)
    maps = {data["guests"][m["guest"]]: m for m in data["maps"]}
    methane = maps["CH4"]
    assert len(methane["host"]) >= 3
    names = [data["hosts"][h] for h in methane["host"]]
    near = dict(zip(names, methane["near"], strict=True))
    assert near["CALF-20"] == 0.0
    assert all(d > 0 for name, d in near.items() if name != "CALF-20")
    assert maps["Ar"]["near"] is None
    assert 0.0 < sum(methane["shares"]) <= 1.001
    assert (page.parent / "report" / "descriptors.parquet").is_file()


def test_a_ranking_of_a_screen_is_shown(finished: CampaignFolder, tmp_path: Path) -> None:
    folder = linked(finished, tmp_path)
    unit = "mol/(kg Pa)"
    fields = [
        column("rank", "int32", "1", "place"),
        column("host", "string", "", "host"),
        column("probability", "float64", "1", "of being among the top k"),
        *[column(f"henry{end}", "float64", unit, "believed") for end in ("", "_low", "_high")],
    ]
    hosts = [("a", 1, 0.97, 2.5e-3), ("<b>b</b>", 2, 0.5, 1e-3), ("c", 3, None, 3e-6)]
    rows = [
        {"host": host, "rank": rank, "probability": chance, "henry": henry}
        | {"henry_low": henry / 2, "henry_high": henry * 2}
        for host, rank, chance, henry in hosts
    ]
    write_rows(folder.path / "ranking.parquet", rows, table_schema("ranking", "A screen.", fields))
    page = write_campaign_report(folder)
    screening = data_of(page)["screening"]
    assert screening["rows"][0] == [1, "a", 0.97, 2.5e-3, 1.25e-3, 5e-3]
    assert screening["columns"][3]["unit"] == unit
    if CHROMIUM:
        drawn = drawn_by_browser(page, tmp_path)
        part = drawn[drawn.index('id="screening-picture"') : drawn.index('id="ranks"')]
        assert part.count("<circle") == 3
        assert "1.25 \u00d7 10⁻³ to 5.00 \u00d7 10⁻³" in part
        assert "97 %" in part
        assert "&lt;b&gt;b&lt;/b&gt;" in part


def many(finished: CampaignFolder, path: Path) -> CampaignFolder:
    """Answers of 1,000 hosts, 2 guests and 2 temperatures: those of the small one, scaled."""
    draw, units = np.random.default_rng(0), []
    planned = [u for u in finished.units() if u.is_classical and u.host_id != "MFI_SI"]
    for k in range(HOSTS // 4):
        for old in planned:
            name = f"{old.host_id}{k}"
            unit = Unit(f"{name}_{old.guest}", name, old.guest, old.level, old.settings)
            units.append(unit)
            results = finished.unit_results(old)
            factor = math.exp(draw.normal())
            for result in results:
                result["henry_mol_per_kg_pa"] = (result["henry_mol_per_kg_pa"] or 0.0) * factor
                result["henry_ci95"] = [(e or 0.0) * factor for e in result["henry_ci95"]]
            run = path / "runs" / unit.id
            run.mkdir(parents=True)
            (run / "result.json").write_text(json.dumps({"results": results}))
    write_units(path, units)
    return CampaignFolder(path)


def test_a_thousand_hosts_are_a_small_page(finished: CampaignFolder, tmp_path: Path) -> None:
    page = write_campaign_report(many(finished, tmp_path))
    data = data_of(page)
    assert len(data["hosts"]) == HOSTS
    assert len(data["rows"]["k"]) == 4 * HOSTS
    assert page.stat().st_size < 1.5e6


def test_a_campaign_without_an_answer_has_a_page(finished: CampaignFolder, tmp_path: Path) -> None:
    write_units(tmp_path, finished.units())
    page = write_campaign_report(CampaignFolder(tmp_path))
    assert "11 waiting" in page.read_text(encoding="utf-8")
    if CHROMIUM:
        drawn = drawn_by_browser(page, tmp_path)
        assert 'data-drawn="yes"' in drawn
        assert "Nothing to show for this choice" in drawn


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_draws_it(page: Path, tmp_path: Path) -> None:
    """The page's script runs to its end: tables and pictures are there, nothing was executed."""
    drawn = drawn_by_browser(page, tmp_path)
    tags = Elements(drawn).tags
    assert 'data-drawn="yes"' in drawn
    pictures = [a for t, a in tags if t == "svg" and a.get("class") == "plot"]
    assert len(pictures) >= 5  # ranks, heats, selectivity, parity, coverage, labels
    dots = [a for t, a in tags if t == "circle" and a.get("class", "").startswith("dot")]
    assert len(dots) > 15
    assert not [t for t, _ in tags if t == "img"]
    links = [a["href"] for t, a in tags if t == "a" and "href" in a]
    assert links
    assert all((page.parent / link).exists() for link in links)
    assert any(link.endswith("report.html") for link in links)
    assert "&lt;script&gt;alert(" in drawn


def drawn_by_browser(page: Path, scratch: Path) -> str:
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu"]
    command += [f"--user-data-dir={scratch / 'profile'}", "--virtual-time-budget=5000"]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{time.monotonic() - began:.0f} s: {done.stderr[-500:]}"
    return done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_ranks_filter_and_csv_in_the_browser(page: Path, tmp_path: Path) -> None:
    """Ranks that intervals allow, against a slow double loop; what a filter leaves; CSV as text."""
    draw = np.random.default_rng(3)
    low = draw.uniform(1.0, 20.0, 40)
    rows = [
        {"k": float(a + w / 2), "lo": float(a), "hi": float(a + w)}
        for a, w in zip(low, draw.uniform(0.1, 4.0, 40), strict=True)
    ]
    code = f"""<script>
    const given = {json.dumps(rows)};
    ranks(given);
    by("words").value = "calf"; state.words = "calf"; all();
    const cells = [...document.querySelectorAll("#ranking tbody tr")].length;
    const first = {{ name: "a,b", value: (r) => r.a }};
    const columns = [first, {{ name: "K", unit: "m", value: (r) => r.b }}];
    const text = csv(columns, [{{ a: "=1+1", b: -2.5 }}, {{ a: 'say "x"', b: null }}]);
    document.body.dataset.told = JSON.stringify([given.map((r) => r.ranks), cells, text]);
    </script></body>"""
    changed = page.parent / "changed.html"
    changed.write_text(page.read_text(encoding="utf-8").replace("</body>", code), encoding="utf-8")
    drawn = drawn_by_browser(changed, tmp_path)
    (body,) = [a for t, a in Elements(drawn).tags if t == "body"]
    found, cells, text = json.loads(body["data-told"])
    for row, ends in zip(rows, found, strict=True):
        best = 1 + sum(other["lo"] > row["hi"] for other in rows)
        worst = len(rows) - sum(other["hi"] < row["lo"] for other in rows)
        assert ends == [best, worst]
    assert cells == 1
    assert text == '"a,b",K [m]\r\n\'=1+1,-2.5\r\n"say ""x""",'
