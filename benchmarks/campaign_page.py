"""How large the page of a big campaign is, and how long it takes to write and to open.

    python benchmarks/campaign_page.py CAMPAIGN_FOLDER --hosts 1000 --guests 4

The answers of the classical units of a finished campaign are copied, scaled at random, to as many
hosts as asked for; structures and remembered insertions are linked, so the coverage map is worked
out for every copy. The numbers are no results; their amount is what is tried.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from common.machine import as_lines, describe

from flows.campaign.folder import CampaignFolder
from flows.campaign.units import Unit, write_units
from flows.campaign_report import write_campaign_report

GUESTS = ("CO2", "N2", "CH4", "Ar", "Xe", "Kr")
KELVIN = (273.15, 298.15, 323.15)
LINKED = ("context.json", "remembered.parquet")


def copied(source: CampaignFolder, out: Path, hosts: int, guests: int) -> CampaignFolder:
    """Return a campaign of so many hosts and guests at three temperatures."""
    draw, units = np.random.default_rng(0), []
    states = source.states(planned := source.units())
    known = [u for u in planned if u.is_classical and states[u.id] == "finished"]
    kept = [u for u in known if (source.unit_results(u)[0]["henry_mol_per_kg_pa"] or 0) > 0]
    for k in range(hosts):
        old = kept[k % len(kept)]
        result = source.unit_results(old)[0]
        for guest in GUESTS[:guests]:
            settings = old.settings.model_copy(update={"temperatures_k": KELVIN})
            name = f"HOST{k:05d}_clean"
            unit = Unit(f"{name}_{guest}_classical_{k:08x}", name, guest, old.level, settings)
            units.append(unit)
            run = out / "runs" / unit.id
            run.mkdir(parents=True)
            rows = [scaled(result, math.exp(1.5 * draw.normal()), guest, t) for t in KELVIN]
            (run / "result.json").write_text(json.dumps({"results": rows}))
            for file in LINKED:
                (run / file).symlink_to(source.runs / old.id / file)
    write_units(out, units)
    return CampaignFolder(out)


def scaled(result: dict, factor: float, guest: str, kelvin: float) -> dict:
    """Return an answer times a factor."""
    return result | {
        "guest": guest,
        "temperature_k": kelvin,
        "henry_mol_per_kg_pa": result["henry_mol_per_kg_pa"] * factor,
        "henry_ci95": [end * factor for end in result["henry_ci95"]],
    }


def opened_s(page: Path) -> float | None:
    """Return how long a browser takes from the page's first byte to all drawn, s."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        return None
    told = "<script>document.body.dataset.ms = performance.now();</script></body>"
    timed = page.with_name("timed.html")
    timed.write_text(page.read_text(encoding="utf-8").replace("</body>", told), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    done = subprocess.run([*command, timed.as_uri()], capture_output=True, text=True, check=True)
    return float(done.stdout.split('data-ms="')[1].split('"')[0]) / 1e3


def main() -> None:
    """Print size and times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaign", type=Path, help="folder of a finished campaign")
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--guests", type=int, default=4)
    given = parser.parse_args()
    print(as_lines(describe()))
    with tempfile.TemporaryDirectory() as scratch:
        source = CampaignFolder(given.campaign).require()
        folder = copied(source, Path(scratch), given.hosts, given.guests)
        print(f"{given.hosts} hosts x {given.guests} guests x {len(KELVIN)} temperatures")
        for what in ("first", "again (coverage map known)"):
            wall, cpu = time.perf_counter(), time.process_time()
            page = write_campaign_report(folder)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"written {what}: {wall:.1f} s wall, {cpu:.1f} s CPU")
        print(f"size: {page.stat().st_size / 1e6:.2f} MB")
        print(f"opened and drawn by Chromium: {opened_s(page)} s")


if __name__ == "__main__":
    main()
