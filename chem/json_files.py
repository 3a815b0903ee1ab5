"""Reads JSON files and validates mappings, with errors that name file and place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.errors import InputError

Finite = Annotated[float, Field(allow_inf_nan=False)]
Model = TypeVar("Model", bound=BaseModel)


class RaspaEntry(BaseModel):
    """Base of RASPA3 records: unknown keys are comments."""

    model_config = ConfigDict(extra="ignore")


def explain(error: ValidationError) -> str:
    """Return the first three complaints of a pydantic error in one line, places first."""
    parts = []
    for item in error.errors()[:3]:
        place = ".".join(str(step) for step in item["loc"]) or "top level"
        parts.append(f"{place}: {item['msg'].lower()} (found {item['input']!r:.60})")
    more = f" (and {error.error_count() - 3} more)" if error.error_count() > 3 else ""
    return "; ".join(parts) + more


def read_json_object(path: Path, raised: type[InputError]) -> dict[str, Any]:
    """Return a JSON file's top-level object with lower-case keys."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise raised(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise raised(f"{path} is not a text file. Give a JSON file.") from error
    except json.JSONDecodeError as error:
        raise raised(
            f"{path}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg}). "
            "Correct the file; JSON has no comments and no trailing commas."
        ) from error
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
