"""What `widomill hosts` does, between the command line and the checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import HostError

if TYPE_CHECKING:
    from chem.host_import.run import Imported

SHOWN_REASONS = 12


def import_places(
    places: Sequence[str], out: Path, *, strip_solvent: bool = False, cutoff_angstrom: float = 12.0
) -> Imported:
    """Import folders, files and collections into a folder, with progress on standard error.

    Args:
        places: folders (searched at any depth), CIF files, or entries such as
            ``core-mof:2019-asr:100``.
        out: folder for hosts/ and the catalogue.
        strip_solvent: leave unbound molecules out of the copies.
        cutoff_angstrom: note cells thinner than this.

    Raises:
        HostError: nothing to import, or ``out`` lies where the sources are read from.
    """
    from chem.host_import import ImportSettings
    from chem.host_import.run import import_hosts
    from flows.console import Reporter

    with Reporter() as reporter:
        sources = _sources(places, reporter)
        _refuse_own_output(sources, out)
        return import_hosts(
            sources,
            out,
            ImportSettings(strip_solvent=strip_solvent, cutoff_angstrom=cutoff_angstrom),
            lambda done, name: reporter.step("hosts examined", done, len(sources)),
        )


def _sources(places: Sequence[str], reporter: Any) -> list[tuple[str, Path]]:
    """Return wished name and file of everything to import; licences of collections are shown."""
    from chem.collections import expand_collection, is_collection, record_of
    from chem.host_import.run import find_files

    found: list[tuple[str, Path]] = []
    for place in places:
        if is_collection(place) and not Path(place).exists():
            one = record_of(place)
            reporter.say(f"{one['title']}: {one['licence']}; cite {one['citation']}, {one['url']}")
            found += expand_collection(place)
        else:
            found += [(path.stem, path) for path in find_files([Path(place).expanduser()])]
    return list(dict.fromkeys(found))


def _refuse_own_output(sources: Sequence[tuple[str, Path]], out: Path) -> None:
    """Raise if a source lies among the copies that would be written."""
    copies = (out / "hosts").resolve()
    for _, path in sources:
        if path.resolve().is_relative_to(copies):
            raise HostError(
                f"{path} lies in {copies}, where the copies go, and originals are never "
                "overwritten. Choose another --out, or leave that folder out."
            )


def summary_of(imported: Imported) -> dict[str, Any]:
    """Return an import as plain records."""
    return {
        "catalogue": str(imported.catalogue),
        "verdicts": imported.verdicts,
        "checks": imported.checks,
        "hosts": list(imported.rows),
    }


def print_import(imported: Imported) -> None:
    """Print what was refused and warned of, then the counts and where the catalogue is."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    marked = [row for row in imported.rows if row["verdict"] != "accepted"]
    for row in marked[:SHOWN_REASONS]:
        reason = str(row["reasons"]).partition("\n")[0]
        console.print(f"{escape(row['id'])}  {row['verdict']}: {escape(reason[:300])}")
    if len(marked) > SHOWN_REASONS:
        console.print(f"... and {len(marked) - SHOWN_REASONS} more in the catalogue")
    verdicts = ", ".join(f"{n} {verdict}" for verdict, n in sorted(imported.verdicts.items()))
    checks = ", ".join(f"{name} {n}" for name, n in imported.checks.items())
    console.print(f"{len(imported.rows)} files: {verdicts or 'none'}")
    if checks:
        console.print(f"Found: {checks}")
    console.print(f"Catalogue: {escape(str(imported.catalogue))} (and .csv)")


def collection_facts() -> list[dict[str, Any]]:
    """Return name, size, licence, citation and state of every collection."""
    from dataclasses import asdict

    from chem.collections import COLLECTIONS
    from chem.collections.catalogue import CollectionError, archive_path

    facts = []
    for one in COLLECTIONS:
        try:
            archive_path(one)
            installed = True
        except CollectionError:
            installed = False
        facts.append({**asdict(one), "installed": installed})
    return facts


def collection_lines() -> list[str]:
    """Return the collections as text."""
    lines = []
    for one in collection_facts():
        state = "installed" if one["installed"] else f"not installed: {one['install']}"
        lines += [
            f"{one['name']}  {one['title']}, {one['structures']} structures",
            f"    {one['licence']}; cite {one['citation']}, {one['url']}",
            f"    {state}",
        ]
    return lines


def build_hosts(
    topology: str, nodes: Sequence[str], edges: Sequence[str], number: int, seed: int, out: Path
) -> Imported:
    """Build hypothetical hosts and import those that are sound, with progress."""
    from chem.hypothetical.run import build_and_import
    from flows.console import Reporter

    with Reporter() as reporter:
        return build_and_import(
            topology,
            tuple(nodes),
            tuple(edges),
            number=number,
            seed=seed,
            folder=out,
            say=reporter.say,
            progress=lambda done, total: reporter.step("hosts built", done, total),
        )
