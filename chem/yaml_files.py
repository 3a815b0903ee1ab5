"""Reads YAML files safely, with errors that name file and place.

Only plain values are made: no tag can name a Python object. A file is refused when it is larger
than ``LARGEST_BYTES``, unfolds to more than ``MOST_VALUES`` values (aliases written out), holds
itself, is nested deeper than ``DEEPEST``, or gives a key twice, of which the first would be lost.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from data.errors import InputError

LARGEST_BYTES = 2_000_000
MOST_VALUES = 300_000
DEEPEST = 100
_RESOLVED = ("null", "merge")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?([0-9]+\.[0-9]*([eE][-+]?[0-9]+)?|\.[0-9]+([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


class _Loader(yaml.SafeLoader):
    """Plain values as YAML 1.2 has them.

    ``1:30`` is text and not ninety, ``010`` is not eight, ``no`` is a name, ``1e-3`` is a number
    and a date is text.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012
        letter: [(tag, found) for tag, found in known if tag.rpartition(":")[2] in _RESOLVED]
        for letter, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(f"(?:{_INT.pattern})$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"(?:{_FLOAT.pattern})$"), list("-+.0123456789")
)


def read_yaml_mapping(source: str | Path, where: str, raised: type[InputError]) -> dict[str, Any]:
    """Return the top-level mapping of a YAML text or file.

    Args:
        source: the text itself, or the path of a file.
        where: name of the file for messages.
        raised: error class to raise.

    Returns:
        The mapping.
    """
    node = compose_yaml(source, where, raised)
    content = None if node is None else construct_yaml(node, where, raised)
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise raised(f"{where} holds {found}, expected a YAML mapping of key: value lines.")
    return content


def compose_yaml(source: str | Path, where: str, raised: type[InputError]) -> yaml.Node | None:
    """Return the nodes of a YAML text or file, which know their lines; None if it is empty.

    Args:
        source: the text itself, or the path of a file.
        where: name of the file for messages.
        raised: error class to raise.
    """
    text = _text(source, where, raised) if isinstance(source, Path) else source
    if _nested(text):
        raise raised(f"{where} is nested deeper than {DEEPEST} levels. Correct the file.")
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _invalid(error, where, raised) from error
    except RecursionError as error:
        raise raised(
            f"{where} is nested deeper than {DEEPEST} levels. Correct the file."
        ) from error
    if node is not None:
        _check(node, where, raised)
    return node


def construct_yaml(node: yaml.Node, where: str, raised: type[InputError]) -> Any:
    """Return the plain values of a document.

    Args:
        node: from `compose_yaml`.
        where: name of the file for messages.
        raised: error class to raise.
    """
    try:
        return yaml.SafeLoader("").construct_document(node)
    except yaml.YAMLError as error:
        raise _invalid(error, where, raised) from error
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, RecursionError) as error:
        reason = str(error)[:100] or type(error).__name__
        raise raised(f"{where}: a value cannot be read ({reason}). Correct the file.") from error


def _text(path: Path, where: str, raised: type[InputError]) -> str:
    """Return the text of a file that is not too large."""
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise raised(
                f"{where} has {size / 1e6:.1f} MB; a file of this kind has at most "
                f"{LARGEST_BYTES // 10**6} MB. Is it the right one?"
            )
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise raised(f"{where} cannot be read: {error.strerror}. Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise raised(f"{where} is not a text file. Give a JSON or YAML file.") from error


def _nested(text: str) -> bool:
    """Whether brackets alone nest too deep, before they cost time."""
    depth = 0
    for letter in text:
        if letter in "[{":
            depth += 1
            if depth > DEEPEST:
                return True
        elif letter in "]}" and depth:
            depth -= 1
    return False


def _invalid(error: yaml.YAMLError, where: str, raised: type[InputError]) -> InputError:
    mark = getattr(error, "problem_mark", None)
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = " ".join(str(getattr(error, "problem", None) or "unreadable characters").split())
    return raised(f"{where}{place}: not valid YAML ({problem[:200]}). Correct the file.")


def _check(node: yaml.Node, where: str, raised: type[InputError]) -> None:
    """Refuse documents that are too large once unfolded, hold themselves, or give a key twice."""
    sizes: dict[int, int] = {}
    within: set[int] = set()

    def size(one: yaml.Node, depth: int) -> int:
        if id(one) in within:
            raise raised(f"{where}, line {one.start_mark.line + 1}: a value holds itself.")
        if depth > DEEPEST:
            raise raised(f"{where} is nested deeper than {DEEPEST} levels. Correct the file.")
        if id(one) not in sizes:
            within.add(id(one))
            _refuse_twice(one, where, raised)
            sizes[id(one)] = 1 + sum(size(part, depth + 1) for part in _parts(one))
            within.remove(id(one))
        return sizes[id(one)]

    if size(node, 0) > MOST_VALUES:
        raise raised(f"{where} unfolds to more than {MOST_VALUES:,} values and is refused.")


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _refuse_twice(node: yaml.Node, where: str, raised: type[InputError]) -> None:
    """Raise for a key that is given twice in one mapping."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            if key.value in seen:
                raise raised(
                    f"{where}, line {key.start_mark.line + 1}: {key.value[:60]!r} is given twice. "
                    "Remove one of them."
                )
            seen.add(key.value)
