"""Reads JSON files and validates mappings, with errors that name file and place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from chem.bounds import Finite, shown
from data.errors import InputError

LARGEST_BYTES = 20_000_000
__all__ = ["Finite", "RaspaEntry", "checked", "explain", "load_json", "read_json_object"]
Model = TypeVar("Model", bound=BaseModel)


class RaspaEntry(BaseModel):
    """Base of RASPA3 records: unknown keys are comments."""

    model_config = ConfigDict(extra="ignore")


def explain(error: ValidationError) -> str:
    """Return the first three complaints of a pydantic error in one line, places first."""
    parts = []
    for item in error.errors()[:3]:
        place = ".".join(str(step) for step in item["loc"]) or "top level"
        reason = str(item["msg"]).removeprefix("Value error, ").lower()
        parts.append(f"{place[:100]}: {reason[:300]} (found {shown(item['input'])})")
    more = f" (and {error.error_count() - 3} more)" if error.error_count() > 3 else ""
    return "; ".join(parts) + more


def load_json(text: str) -> Any:
    """Return the content of a JSON text in which no object gives a key twice.

    Raises:
        json.JSONDecodeError: not JSON.
        ValueError: a key is given twice, in whatever letter case, or a number is endless.
        RecursionError: nested too deep.
    """
    return json.loads(text, object_pairs_hook=_once_each)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: set[str] = set()
    for key, _ in pairs:
        if key.lower() in seen:
            raise ValueError(f"{key[:60]!r} is given twice in one object")
        seen.add(key.lower())
    return dict(pairs)


def read_json_object(path: Path, raised: type[InputError]) -> dict[str, Any]:
    """Return a JSON file's top-level object with lower-case keys."""
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise raised(
                f"{path} has {size / 1e6:.0f} MB; a file of this kind has at most "
                f"{LARGEST_BYTES // 10**6} MB. Is it the right one?"
            )
        content = load_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise raised(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise raised(f"{path} is not a text file. Give a JSON file.") from error
    except json.JSONDecodeError as error:
        raise raised(
            f"{path}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg}). "
            "Correct the file; JSON has no comments and no trailing commas."
        ) from error
    except (ValueError, RecursionError) as error:
        raise raised(f"{path} cannot be used: {str(error)[:200]}. Correct the file.") from error
    if not isinstance(content, dict):
        raise raised(f"{path} holds a {type(content).__name__}, expected one JSON object {{...}}.")
    return {str(key).lower(): value for key, value in content.items()}


def checked(
    model: type[Model], content: Mapping[str, Any], path: object, raised: type[InputError]
) -> Model:
    """Return the validated model, or raise our own error with file and place."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise raised(f"{path}: {explain(error)}. Correct this entry.") from error
