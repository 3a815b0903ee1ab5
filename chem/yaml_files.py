"""Reads YAML files safely, with errors that name file and place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from data.errors import InputError


def read_yaml_mapping(source: str | Path, where: str, raised: type[InputError]) -> dict[str, Any]:
    """Return the top-level mapping of a YAML text or file.

    Args:
        source: the text itself, or the path of a file.
        where: name of the file for messages.
        raised: error class to raise.

    Returns:
        The mapping.
    """
    try:
        text = source.read_text(encoding="utf-8-sig") if isinstance(source, Path) else source
    except OSError as error:
        raise raised(f"{where} cannot be read: {error.strerror}. Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise raised(f"{where} is not a text file. Give a JSON or YAML file.") from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "unreadable characters"
        raise raised(f"{where}{place}: not valid YAML ({problem}). Correct the file.") from error
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise raised(f"{where} holds {found}, expected a YAML mapping of key: value lines.")
    return content
