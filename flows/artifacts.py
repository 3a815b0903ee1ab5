"""Tables, Markdown with pictures, and progress on the run's page of the Prefect UI.

The page is a view: an artifact that cannot be written is a warning, never the end of a run.
"""

from __future__ import annotations

import base64
import logging
import math
import re
from pathlib import Path
from typing import Any, cast
from uuid import UUID

logger = logging.getLogger("widomill.artifacts")


def artifact_key(*words: str) -> str:
    """Return a key as Prefect wants it: lowercase letters, digits and single dashes.

    Args:
        *words: any text; everything else in it becomes a dash.

    Raises:
        ValueError: no letter or digit is left.
    """
    key = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
    if not key:
        raise ValueError(f"no artifact key can be made of {words!r}")
    return key


def markdown_image(png: bytes | Path, alternative_text: str) -> str:
    """Return Markdown of a PNG picture that carries its own bytes.

    Prefect's image artifacts take addresses only; a page that is read without the files shows a
    picture only when it is inside the text.

    Args:
        png: the picture, or the path of the file.
        alternative_text: shown where pictures are not.
    """
    data = png.read_bytes() if isinstance(png, Path) else png
    return f"![{alternative_text}](data:image/png;base64,{base64.b64encode(data).decode()})"


class RunArtifacts:
    """The artifacts of one flow run; progress bars are created once and then updated."""

    def __init__(self) -> None:
        self._progress_ids: dict[str, UUID] = {}

    def table(self, key: str, rows: list[dict[str, Any]], description: str) -> None:
        """Write a table, one mapping of column to value per row."""
        from prefect.artifacts import create_table_artifact

        plain = [{name: plain_value(value) for name, value in row.items()} for row in rows]
        try:
            create_table_artifact(table=plain, key=artifact_key(key), description=description)
        except Exception as error:
            _warn(key, error)

    def markdown(self, key: str, text: str, description: str) -> None:
        """Write a Markdown text."""
        from prefect.artifacts import create_markdown_artifact

        try:
            create_markdown_artifact(markdown=text, key=artifact_key(key), description=description)
        except Exception as error:
            _warn(key, error)

    def progress(self, key: str, percent: float, description: str) -> None:
        """Create a progress bar, or move the one with this key, to ``percent`` of 100."""
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        percent = min(max(percent, 0.0), 100.0)
        try:
            if key in self._progress_ids:
                update_progress_artifact(self._progress_ids[key], percent, description)
            else:
                created = create_progress_artifact(percent, artifact_key(key), description)
                self._progress_ids[key] = cast(UUID, created)
        except Exception as error:
            _warn(key, error)


def plain_value(value: Any) -> Any:
    """Return numpy scalars as Python ones and what JSON has no word for into text."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _warn(key: str, error: Exception) -> None:
    logger.warning("the artifact %s was not written to the Prefect server: %s", key, error)
