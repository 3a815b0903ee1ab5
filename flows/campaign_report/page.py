"""The page: words by template, numbers as JSON, pictures by the scripts beside this file."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from data.store import plain, read_rows
from flows.campaign.status import shares
from flows.campaign_report.columns import Columns, selectivities, short
from flows.campaign_report.maps import maps
from flows.report import words

if TYPE_CHECKING:
    from flows.campaign.folder import CampaignFolder

SCRIPTS = ("numbers.js", "plot.js", "table.js", "answers.js", "screening.js", "page.js")
STATES = ("finished", "failed", "running", "waiting")
PROVENANCES_READ = 500


def render(folder: CampaignFolder) -> str:
    """Return the HTML page of a campaign."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loaders = [PackageLoader("flows", name) for name in ("campaign_report", "report")]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (words.count, words.duration, words.percent, words.formula):
        environment.filters[function.__name__] = function
    return environment.get_template("campaign.html.j2").render(content(folder))


def content(folder: CampaignFolder) -> dict[str, Any]:
    """Return everything the template shows."""
    columns = Columns(folder)
    settings = _written(folder).get("settings")
    ratios, planes, ranking = selectivities(columns), maps(columns), screening(folder)
    failures = [f.__dict__ for f in folder.failures()]
    data = {
        "hosts": columns.hosts.names,
        "guests": columns.guests.names,
        "levels": columns.levels.names,
        "temps": columns.temperatures.names,
        "stopped": columns.stopped.names,
        "units": columns.units,
        "rows": columns.rows,
        "selectivity": ratios,
        "maps": planes,
        "screening": ranking,
        "failures": [_as_row(f) for f in failures],
        "warnings": columns.warnings,
    }
    counts: Counter[str] = Counter(columns.states.values())
    return {
        "name": name_of(folder),
        "counts": {state: counts[state] for state in STATES},
        "total": len(columns.planned),
        "hosts": columns.hosts.names,
        "guests": columns.guests.names,
        "levels": columns.levels.names,
        "temperatures": columns.temperatures.names,
        "labels": sum(columns.units["labels"]),
        "reference_s": sum(s or 0.0 for s in columns.units["ref_s"]),
        "wall_s": sum(s or 0.0 for s in columns.units["wall"]),
        "seeds": sorted(columns.seeds),
        "usage": shares(folder.usage()),
        "sessions": len(folder.usage().get("sessions", [])),
        "failures": len(failures),
        "reasons": Counter(f["error"] for f in failures).most_common(),
        "warnings": columns.warnings,
        "has_references": any(columns.units["labels"]),
        "has_selectivity": bool(ratios),
        "has_map": bool(planes),
        "screening": ranking,
        "provenance": provenance(folder, columns),
        "settings": json.dumps(settings, indent=1) if settings else "",
        "written": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "data": as_script(data),
        "scripts": Markup("\n".join(_script(name) for name in SCRIPTS)),
    }


def as_script(data: Any) -> Markup:
    """Return data as JSON that is safe inside a script element, whatever it says."""
    text = json.dumps(plain(data), allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _script(name: str) -> str:
    return (Path(__file__).parent / "js" / name).read_text(encoding="utf-8")


def _as_row(failure: dict[str, Any]) -> dict[str, Any]:
    row = {k: failure[k] for k in ("guest", "level", "error", "reason", "attempts")}
    when = failure["when"].replace("T", " ")[: len("2000-01-01 00:00")]
    return row | {"host": failure["host_id"], "when": when}


def name_of(folder: CampaignFolder) -> str:
    """Return the campaign's name: that of its settings, else of its folder."""
    return str(_written(folder).get("settings", {}).get("name") or folder.path.name)


def _written(folder: CampaignFolder) -> dict[str, Any]:
    """Return campaign.json, what was last asked for; empty where it is not there."""
    try:
        content = json.loads((folder.path / "campaign.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def screening(folder: CampaignFolder) -> dict[str, Any] | None:
    """Return the ranking of a screen as columns with units and rows, or None without one."""
    import pyarrow.parquet as pq

    path = folder.path / "ranking.parquet"
    if not path.is_file():
        return None
    schema = pq.read_schema(path)
    columns = []
    for field in schema:
        unit = (field.metadata or {}).get(b"unit", b"").decode()
        kind = str(field.type)
        columns.append(
            {
                "name": field.name,
                "unit": unit if unit != "1" else "",
                "words": (field.metadata or {}).get(b"description", b"").decode(),
                "number": kind in ("double", "float", "int32", "int64"),
                "whole": kind.startswith("int"),
            }
        )
    rows = [[_cell(row[name]) for name in schema.names] for row in read_rows(path)]
    return {"columns": columns, "rows": rows}


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return short(value)
    return value if value is None or isinstance(value, int | str) else str(value)


def provenance(folder: CampaignFolder, columns: Columns) -> dict[str, Any]:
    """Return versions, machines and sources of the finished units; each that occurs."""
    found: dict[str, set[str]] = {k: set() for k in ("machine", "versions", "sources")}
    finished = [u.id for u in columns.planned if columns.states[u.id] == "finished"]
    step = max(1, len(finished) // PROVENANCES_READ)
    for name in finished[::step]:
        try:
            one = json.loads((folder.runs / name / "provenance.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        found["machine"].add(f"{one.get('machine', '')}, Python {one.get('python', '')}")
        versions = one.get("versions", {}).items()
        found["versions"].add(", ".join(f"{package} {version}" for package, version in versions))
        sources = one.get("force_field", {}).get("sources", [])
        found["sources"].update(s for s in sources if not s.startswith("host charges"))
    times = [(folder.runs / n / "result.json").stat().st_mtime for n in finished]
    ends = (min(times), max(times)) if times else ()
    span = [datetime.fromtimestamp(t).astimezone() for t in ends]
    return {name: sorted(values) for name, values in found.items()} | {
        "span": [t.strftime("%Y-%m-%d %H:%M") for t in span]
    }
