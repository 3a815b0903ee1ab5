"""The collections that are known: what they are, whose they are, and how to get them.

References:
    [1] Chung et al., J. Chem. Eng. Data 64 (2019) 5985; data: doi 10.5281/zenodo.7691378.
    [2] Chung et al., Chem. Mater. 26 (2014) 6185; data: doi 10.5281/zenodo.3228673.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from data.errors import SettingsError

CORE_MOF_VERSION = "2019.1"


class CollectionError(SettingsError):
    """A collection of hosts is unknown, not installed, or has nothing of that name."""


@dataclass(frozen=True)
class Collection:
    """One collection of structures that a package carries as a tar archive of CIF files.

    Attributes:
        name: what users write, such as ``core-mof:2019-asr``.
        title: one line for people.
        structures: how many there are.
        module: Python module that carries the archive.
        archive: its path inside the module.
        version: version of the package it was tried with.
        install: what to type when the package is missing.
        licence: licence of the data.
        citation: what to cite.
        url: where the data are published.
    """

    name: str
    title: str
    structures: int
    module: str
    archive: str
    version: str
    install: str
    licence: str
    citation: str
    url: str

    @property
    def notice(self) -> str:
        """Licence and citation in one line, to show wherever the structures are used."""
        return f"{self.name}: {self.licence}; cite {self.citation}, {self.url}"


_INSTALL = (
    f"pip install --no-deps CoRE-MOF=={CORE_MOF_VERSION}   (or: pip install 'widomill[core-mof]')"
)
_PAPER_2019 = "Chung et al., J. Chem. Eng. Data 64 (2019) 5985"
_PAPER_2014 = "Chung et al., Chem. Mater. 26 (2014) 6185"


def _core_mof(dataset: str, title: str, structures: int, paper: str, doi: str) -> Collection:
    return Collection(
        name=f"core-mof:{dataset.lower()}",
        title=title,
        structures=structures,
        module="CoRE_MOF",
        archive=f"data/{dataset}.tar.xz",
        version=CORE_MOF_VERSION,
        install=_INSTALL,
        licence="CC BY 4.0",
        citation=paper,
        url=f"https://doi.org/{doi}",
    )


COLLECTIONS = (
    _core_mof(
        "2019-ASR",
        "CoRE MOF 2019, all solvent removed",
        12020,
        _PAPER_2019,
        "10.5281/zenodo.7691378",
    ),
    _core_mof(
        "2019-FSR",
        "CoRE MOF 2019, free solvent removed",
        7061,
        _PAPER_2019,
        "10.5281/zenodo.7691378",
    ),
    _core_mof("2014", "CoRE MOF 2014", 4764, _PAPER_2014, "10.5281/zenodo.3228673"),
)
"""In the order in which they are listed."""


def is_collection(text: str) -> bool:
    """Whether a host entry has the form ``name:...`` of a collection, known or not.

    A drive letter is no collection, nor is a path with a slash, dot or pattern before the colon.
    """
    family, colon, _ = text.partition(":")
    return bool(colon) and len(family) > 1 and not set(family) & set("/\\.*?[~ ")


def find_collection(name: str) -> Collection:
    """Return the collection of a name, letter case ignored.

    Raises:
        CollectionError: unknown.
    """
    for one in COLLECTIONS:
        if one.name == name.strip().lower():
            return one
    known = ", ".join(one.name for one in COLLECTIONS)
    raise CollectionError(
        f"There is no collection of hosts named {name!r}. Known: {known}. Write for example "
        "core-mof:2019-asr:100 (the first hundred), core-mof:2019-asr:100@7 (a hundred at random, "
        "seed 7) or core-mof:2019-asr:NAME."
    )


def archive_path(collection: Collection) -> Path:
    """Return the archive inside the installed package, which is not imported for it.

    Raises:
        CollectionError: the package is not installed, or lacks the archive.
    """
    found = importlib.util.find_spec(collection.module)
    places = list(found.submodule_search_locations or []) if found else []
    if not places:
        raise CollectionError(
            f"The collection {collection.name} needs the package {collection.module} "
            f"({collection.licence}), which is not installed. Type: {collection.install}"
        )
    path = Path(places[0]) / collection.archive
    if not path.is_file():
        raise CollectionError(
            f"The installed package {collection.module} has no {collection.archive}; "
            f"{collection.name} was tried with version {collection.version}. "
            f"Type: {collection.install}"
        )
    return path
