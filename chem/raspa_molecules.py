"""Reads the molecule JSON files of RASPA3 as they are; they must be rigid."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from chem.bounds import PositionAngstrom
from chem.json_files import RaspaEntry, checked, read_json_object
from data.errors import GuestError

Vector = tuple[PositionAngstrom, PositionAngstrom, PositionAngstrom]


class NamedPosition(RaspaEntry):
    """A pseudo-atom of a molecule written as an object."""

    name: str = Field(min_length=1, description="type name")
    position: Vector = Field(description="position, angstrom")


class MoleculeFile(RaspaEntry):
    """A molecule JSON; keys in lower case."""

    pseudoatoms: list[tuple[str, Vector] | NamedPosition] = Field(
        min_length=1, max_length=1000, description="[type, [x, y, z] in angstrom] of every site"
    )
    type: str | None = Field(default=None, description="rigid or flexible")
    connectivity: list[list[int]] = Field(default=[], description="bonded pairs of sites")
    rigidbodies: list[list[int]] = Field(default=[], description="sites that move as one")

    @property
    def is_rigid(self) -> bool:
        """Whether the molecule is one rigid body.

        Files say so by Type; those of later releases have none and list the bonds of what may
        bend, and the rigid bodies.
        """
        if self.type is not None:
            return self.type.strip().lower() == "rigid"
        whole = set(range(len(self.pseudoatoms)))
        return not self.connectivity or any(set(body) >= whole for body in self.rigidbodies)


def read_molecule(path: Path) -> list[tuple[str, tuple[float, float, float]]]:
    """Read the sites of a rigid molecule from a RASPA3 molecule JSON.

    Returns:
        (type name, position in angstrom) of every site, in the file's order.

    Raises:
        GuestError: not JSON, malformed, or a flexible molecule.
    """
    parsed = checked(MoleculeFile, read_json_object(path, GuestError), path, GuestError)
    if not parsed.is_rigid:
        found = f"Type is {parsed.type!r}"
        if parsed.type is None:
            found = "Connectivity has bonds outside RigidBodies"
        raise GuestError(
            f"{path}: the molecule's {found}; only rigid guests are supported. "
            "Give fixed positions and Type rigid."
        )
    return [
        (site.name, site.position) if isinstance(site, NamedPosition) else site
        for site in parsed.pseudoatoms
    ]
