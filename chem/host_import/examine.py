"""Examines one CIF file: every check, and the host that would be taken over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chem.cells import reduce_to_primitive
from chem.host_import.bonds import close_pairs, find_bonds
from chem.host_import.charge_check import charge_findings, charges_are_absurd
from chem.host_import.components import find_components
from chem.host_import.distances import cell_findings, distance_findings, isolated_findings
from chem.host_import.findings import Finding, Verdict, verdict_of
from chem.host_import.hydrogens import crowded_findings, hydrogen_findings
from chem.host_import.solvent import find_loose, loose_findings, without
from chem.hosts import load_host
from data.errors import (
    AbsurdChargesError,
    DisorderedStructureError,
    InputError,
    NetChargeError,
    OverlappingAtomsError,
    UnknownElementError,
)
from data.records import Host

LARGE_CELL_ATOMS = 1000
NAMES: dict[type[InputError], str] = {
    DisorderedStructureError: "disorder",
    OverlappingAtomsError: "overlap",
    UnknownElementError: "unknown element",
}


@dataclass(frozen=True)
class ImportSettings:
    """How files are examined.

    Attributes:
        strip_solvent: take unbound molecules out of the copy.
        cutoff_angstrom: cells thinner than this are noted.
        strict: checks whose warnings refuse the structure.
    """

    strip_solvent: bool = False
    cutoff_angstrom: float = 12.0
    strict: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Examined:
    """What became of one file.

    Attributes:
        source: the file.
        findings: of all checks.
        atoms: in the cell of the file; 0 when it could not be read.
        host: primitive cell to take over, None when refused.
    """

    source: Path
    findings: tuple[Finding, ...]
    atoms: int = 0
    host: Host | None = None

    @property
    def verdict(self) -> Verdict:
        """Accepted, accepted with warning, or refused."""
        return verdict_of(self.findings)


def examine(path: Path, settings: ImportSettings | None = None) -> Examined:
    """Read and check one file; whatever is wrong with it is a finding, never an exception."""
    settings = settings or ImportSettings()
    try:
        host, findings = _read(path)
    except InputError as error:
        check = NAMES.get(type(error), "unreadable")
        text = str(error).removeprefix(f"{path.absolute()}: ")
        return Examined(path, (Finding(check, "refused", text),))
    except (MemoryError, RecursionError) as error:
        text = f"reading the file ended with {type(error).__name__}; it is too large or damaged"
        return Examined(path, (Finding("unreadable", "refused", text),))
    return judge(path, host, settings, findings)


def judge(
    source: Path, host: Host, settings: ImportSettings, findings: Sequence[Finding] = ()
) -> Examined:
    """Check a host that was read or built, in the cell it came in.

    Args:
        source: where it comes from.
        host: the structure, not reduced.
        settings: how it is examined.
        findings: what is known of it already.
    """
    atoms = len(host.elements)
    host, more = _checked(host, settings)
    primitive = reduce_to_primitive(host)
    if len(primitive.elements) > LARGE_CELL_ATOMS:
        text = f"{len(primitive.elements)} atoms in the primitive cell: references will be slow"
        more.append(Finding("large cell", "note", text))
    more += cell_findings(primitive, settings.cutoff_angstrom)
    every = tuple(_strictly(finding, settings) for finding in (*findings, *more))
    return Examined(source, every, atoms, None if verdict_of(every) == "refused" else primitive)


def _strictly(finding: Finding, settings: ImportSettings) -> Finding:
    if finding.weight == "warning" and finding.check in settings.strict:
        return replace(finding, weight="refused")
    return finding


def _read(path: Path) -> tuple[Host, list[Finding]]:
    """Return the host of a file in the file's cell, without charges that cannot be used."""
    findings = []
    try:
        host = load_host(str(path.absolute()), primitive=False)
    except (AbsurdChargesError, NetChargeError) as error:
        host = load_host(str(path.absolute()), charges="none", primitive=False)
        text = f"the charges are dropped: {error}"
        findings.append(Finding("charges", "warning", text))
    else:
        findings += charge_findings(host)
        if charges_are_absurd(host):
            host = replace(host, charges_e=None)
    findings += [Finding("reading", "note", note) for note in host.notes]
    return host, findings


def _checked(host: Host, settings: ImportSettings) -> tuple[Host, list[Finding]]:
    """Return the host, cleaned if asked for, and what the checks of its atoms found."""
    bonds = find_bonds(host)
    findings = distance_findings(host, close_pairs(host), bonds)
    components = find_components(bonds, host.elements)
    loose = find_loose(components, host.elements)
    if settings.strip_solvent and loose.solvent:
        host = without(host, loose.solvent)
        findings.append(Finding("solvent", "note", host.notes[-1]))
        bonds = find_bonds(host)
        components = find_components(bonds, host.elements)
        loose = find_loose(components, host.elements)
        host, more = _neutral(host)
        findings += more
    findings += loose_findings(components, loose)
    findings += isolated_findings(host, components)
    findings += hydrogen_findings(host, bonds)
    findings += crowded_findings(host, bonds)
    return host, findings


def _neutral(host: Host) -> tuple[Host, list[Finding]]:
    """Return the host with charges only if they still add up to zero."""
    from chem.charges.net_charge import neutralise

    if host.charges_e is None:
        return host, []
    try:
        return replace(host, charges_e=neutralise(host.charges_e, host.name).values_e), []
    except NetChargeError as error:
        text = f"without the molecules the charges are not neutral and are dropped: {error}"
        return replace(host, charges_e=None), [Finding("charges", "warning", text)]
