"""The documentation agrees with the code and with itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data.describe import every_schema, schemas_markdown

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


def test_schema_tables_are_in_step() -> None:
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    begin, end = "<!-- schemas: begin -->\n", "<!-- schemas: end -->"
    written = text[text.index(begin) + len(begin) : text.index(end)]
    assert written.strip() == schemas_markdown().strip(), "run: python -m data.describe"


def test_every_field_says_what_it_is_and_in_which_unit() -> None:
    for name, schema in every_schema().items():
        for field in schema:
            assert set(field.metadata) == {b"unit", b"description"}, f"{name}.{field.name}"
            assert field.metadata[b"description"], f"{name}.{field.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
