"""Campaign files: read, checked as a whole, every problem listed at once with its line."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from chem.yaml_files import compose_yaml, construct_yaml
from data.bundled import bundled_files, match_name
from data.errors import CampaignFileError, InputError, SettingsError
from flows.campaign.hosts import HostEntry, expand_hosts
from flows.campaign.settings import CampaignSettings, HostList, ReferencePart

MOST_PROBLEMS = 50
"""More than these are counted, not listed."""
Where = tuple[str | int, ...]


@dataclass(frozen=True)
class Campaign:
    """A campaign that has passed its checks.

    Attributes:
        settings: as written, paths made absolute.
        folder: where everything is kept.
        hosts: the hosts by their ids, in order.
    """

    settings: CampaignSettings
    folder: Path
    hosts: tuple[HostEntry, ...]

    def hosts_of(self, part: ReferencePart) -> tuple[HostEntry, ...]:
        """Return the hosts a reference is meant for."""
        if part.hosts == "all":
            return self.hosts
        return tuple(h for h in self.hosts if any(h.matches(p) for p in part.hosts))


@dataclass(frozen=True)
class _Problem:
    where: Where
    text: str


def read_campaign(path: Path, **changed: Any) -> Campaign:
    """Read and check a campaign file.

    Args:
        path: the YAML file; paths in it are relative to its folder.
        **changed: top-level fields to use instead of the file's.

    Raises:
        CampaignFileError: it cannot be used; the message lists every problem with its line.
    """
    path = Path(path).expanduser().absolute()
    node = _compose(path)
    content = construct_yaml(node, str(path), CampaignFileError)
    if not isinstance(content, dict):
        raise CampaignFileError(
            f"{path} holds no mapping of settings. `widomill campaign new` writes an example."
        )
    content |= {name: value for name, value in changed.items() if value is not None}
    try:
        settings = CampaignSettings.model_validate(content)
    except ValidationError as error:
        problems = [_Problem(tuple(e["loc"]), _words(e)) for e in error.errors()]
        problems += _further(content, problems, path.parent)
        raise _listed(path, problems, node) from error
    return check_campaign(settings, path.parent, lambda found: _listed(path, found, node))


def check_campaign(
    settings: CampaignSettings,
    base: Path,
    raised: Callable[[Sequence[_Problem]], CampaignFileError] | None = None,
) -> Campaign:
    """Check what settings refer to: files, names, levels; nothing is computed.

    Args:
        settings: validated by themselves.
        base: folder that relative paths start from.
        raised: makes the error of the problems found.

    Raises:
        CampaignFileError: something referred to is not there or cannot be used.
    """
    problems: list[_Problem] = []
    settings = _absolute(settings, base)
    hosts = _hosts(settings, base, problems)
    for k, guest in enumerate(settings.guests):
        _try(problems, ("guests", k), _check_guest, guest, settings)
    _try(problems, ("classical", "force_field"), _check_force_field, settings)
    for k, part in enumerate(settings.references):
        _check_reference(part, k, hosts, problems)
    _try(problems, ("cluster",), _check_cluster, settings)
    if problems:
        raise (raised or (lambda found: _listed(None, found, None)))(problems)
    return Campaign(settings, Path(settings.out), hosts)


def _further(content: dict[str, Any], known: list[_Problem], base: Path) -> list[_Problem]:
    """Return what is wrong with the fields whose form is right."""
    bad = {p.where[0] for p in known if p.where}
    rest = {name: value for name, value in content.items() if name not in bad}
    stand_in = {"name": "campaign", "hosts": ("SOD",), "guests": ("Ar",)}
    found: list[_Problem] = []

    def collect(problems: Sequence[_Problem]) -> CampaignFileError:
        found.extend(p for p in problems if p.where[0] not in bad and p.where[0] in content)
        return CampaignFileError("")

    with contextlib.suppress(ValidationError, CampaignFileError):
        check_campaign(CampaignSettings.model_validate({**stand_in, **rest}), base, collect)
    if "hosts" in bad:  # patterns have nothing to fit
        return [p for p in found if p.where[:1] != ("references",) or p.where[2:3] != ("hosts",)]
    return found


def _compose(path: Path) -> yaml.Node:
    node = compose_yaml(path, str(path), CampaignFileError)
    if node is None:
        raise CampaignFileError(f"{path} is empty. `widomill campaign new` writes an example.")
    return node


def _line(node: yaml.Node | None, where: Where) -> int | None:
    """Return the line, from 1, of the deepest part of a place that the document has."""
    if node is None:
        return None
    line = node.start_mark.line + 1
    for key in where:
        if isinstance(node, yaml.MappingNode):
            inner = next((pair for pair in node.value if pair[0].value == str(key)), None)
            if inner is not None:
                line, node = inner[0].start_mark.line + 1, inner[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
    return line


def _listed(
    path: Path | None, problems: Sequence[_Problem], node: yaml.Node | None
) -> CampaignFileError:
    lines = sorted(
        {(_line(node, p.where) or 0, _place(p.where), p.text) for p in problems[:MOST_PROBLEMS]},
        key=lambda found: found[:2],
    )
    listed = "".join(
        f"\n  {f'line {line}: ' if line else ''}{place}{': ' if place else ''}{text}"
        for line, place, text in lines
    )
    left = max(len(problems) - MOST_PROBLEMS, 0)
    listed += f"\n  and {left} more" if left else ""
    count = f"{len(lines) + left} problem{'s' if len(lines) + left > 1 else ''}"
    return CampaignFileError(f"{path or 'The campaign'} has {count}:{listed}")


def _place(where: Where) -> str:
    names = [w for w in where if not (isinstance(w, str) and w[:1].isupper())]
    return ".".join(str(w + 1) if isinstance(w, int) else w for w in names)


def _words(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    if error["type"] == "missing":
        return "this field is required"
    reason = str(error["msg"]).removeprefix("Value error, ")
    found = error.get("input")
    return reason if isinstance(found, dict | list) else f"{reason}, found {found!r}"


def _absolute(settings: CampaignSettings, base: Path) -> CampaignSettings:
    """Return settings whose files are named by absolute paths."""

    def beside(name: str) -> str:
        return str(base / name) if (base / name).is_file() else name

    def level(name: str) -> str:
        kind, colon, rest = name.partition(":")
        return f"{kind}:{beside(rest)}" if colon and kind in ("forcefield", "mace") else name

    classical = settings.classical
    found = {n: beside(getattr(classical, n) or "") for n in ("force_field", "charges")}
    if classical.block_file:
        found["block_file"] = beside(classical.block_file)
    references = tuple(
        part.model_copy(
            update={
                "level": level(part.level),
                "guests": part.guests and tuple(beside(g) for g in part.guests),
            }
        )
        for part in settings.references
    )
    cluster = settings.cluster
    folder = base / Path(settings.out or Path("campaigns") / settings.name).expanduser()
    return settings.model_copy(
        update={
            "out": str(folder),
            "hosts": tuple(_absolute_host(entry, base) for entry in settings.hosts),
            "classical": classical.model_copy(update=found),
            "guests": tuple(beside(g) for g in settings.guests),
            "references": references,
            "cluster": beside(cluster) if isinstance(cluster, str) else cluster,
        }
    )


def _absolute_host(entry: str | HostList, base: Path) -> str | HostList:
    if isinstance(entry, HostList):
        table = str(base / Path(entry.list).expanduser())
        return entry.model_copy(update={"list": table})
    path = base / Path(entry).expanduser()
    named = match_name(entry, bundled_files("hosts", ".cif")) or ":" in entry
    is_pattern = glob.has_magic(entry) and not named
    return str(path) if path.exists() or is_pattern else entry


def _hosts(
    settings: CampaignSettings, base: Path, problems: list[_Problem]
) -> tuple[HostEntry, ...]:
    found: dict[str, HostEntry] = {}
    for k, entry in enumerate(settings.hosts):
        try:
            for host in expand_hosts(entry, base):
                known = found.setdefault(host.id, host)
                if known.source != host.source:
                    raise SettingsError(
                        f"two hosts are called {host.id}: {known.source} and {host.source}. Give "
                        "them in a table with ids of your own."
                    )
        except InputError as error:
            problems.append(_Problem(("hosts", k), str(error)))
    return tuple(found.values())


def _try(
    problems: list[_Problem], where: Where, check: Callable[..., object], *given: object
) -> None:
    try:
        check(*given)
    except InputError as error:
        problems.append(_Problem(where, str(error)))


def _check_guest(guest: str, settings: CampaignSettings) -> None:
    from chem.force_fields import load_force_field
    from chem.guests import load_guest

    try:
        force_field = load_force_field(settings.classical.force_field)
    except InputError:
        force_field = None  # told by itself
    load_guest(guest, force_field)


def _check_force_field(settings: CampaignSettings) -> None:
    from chem.force_fields import load_force_field

    load_force_field(settings.classical.force_field)


def _check_reference(
    part: ReferencePart, number: int, hosts: Sequence[HostEntry], problems: list[_Problem]
) -> None:
    from chem.references.registry import validate_reference_spec

    try:
        validate_reference_spec(part.level, trust_model_file=part.trust_model_file)
    except InputError as error:
        problems.append(_Problem(("references", number, "level"), str(error)))
    for k, pattern in enumerate(() if part.hosts == "all" else part.hosts):
        if hosts and not any(h.matches(pattern) for h in hosts):
            where: Where = ("references", number, "hosts", k)
            problems.append(_Problem(where, f"no host of the campaign is called {pattern!r}"))


def _check_cluster(settings: CampaignSettings) -> None:
    from flows.cluster_file import read_pools

    cluster = settings.cluster
    read_pools(Path(cluster) if isinstance(cluster, str) else cluster)
