"""The groups of `chem.gcmc.layout` by reference, for the inside of compiled code.

A named tuple is passed by value: each call would hand over hundreds of words, and every
function would be compiled with all of them as arguments. A reference is one word. Functions that
take one are annotated with the named tuple, whose names they read.
"""

from __future__ import annotations

from typing import Any

import numba
from numba import types
from numba.experimental import structref

from chem.gcmc import layout
from chem.kernel_options import FAST


class _Reference(types.StructRef):
    """Base of the reference types; literal types of fields are widened."""

    def preprocess_fields(self, fields: Any) -> Any:
        """Return the fields with their plain types."""
        return tuple((name, types.unliteral(kind)) for name, kind in fields)


@structref.register
class BoxType(_Reference):
    """Type of a `BoxRef`."""


@structref.register
class PairsType(_Reference):
    """Type of a `PairsRef`."""


@structref.register
class WavesType(_Reference):
    """Type of a `WavesRef`."""


@structref.register
class PlacementType(_Reference):
    """Type of a `PlacementRef`."""


@structref.register
class ModelType(_Reference):
    """Type of a `ModelRef`."""


@structref.register
class StateType(_Reference):
    """Type of a `StateRef`."""


@structref.register
class ScratchType(_Reference):
    """Type of a `ScratchRef`."""


class BoxRef(structref.StructRefProxy):
    """`layout.Box` by reference."""


class PairsRef(structref.StructRefProxy):
    """`layout.GuestPairs` by reference."""


class WavesRef(structref.StructRefProxy):
    """`layout.Waves` by reference."""


class PlacementRef(structref.StructRefProxy):
    """`layout.Placement` by reference."""


class ModelRef(structref.StructRefProxy):
    """`layout.Model` by reference."""


class StateRef(structref.StructRefProxy):
    """`layout.State` by reference."""


class ScratchRef(structref.StructRefProxy):
    """`layout.Scratch` by reference."""


for _group, _kind, _fields in (
    (BoxRef, BoxType, layout.Box._fields),
    (PairsRef, PairsType, layout.GuestPairs._fields),
    (WavesRef, WavesType, layout.Waves._fields),
    (PlacementRef, PlacementType, layout.Placement._fields),
    (ModelRef, ModelType, layout.Model._fields),
    (StateRef, StateType, layout.State._fields),
    (ScratchRef, ScratchType, layout.Scratch._fields),
):
    structref.define_constructor(_group, _kind, list(_fields))


for _group, _kind in ((ModelRef, ModelType), (StateRef, StateType), (ScratchRef, ScratchType)):
    structref.define_boxing(_kind, _group)


@numba.njit(**FAST)
def by_reference(state: layout.State, scratch: layout.Scratch, model: layout.Model) -> Any:
    """Return the three groups by reference; arrays are shared, not copied."""
    return (
        StateRef(*state),
        ScratchRef(*scratch),
        ModelRef(
            model.body,
            BoxRef(*model.box),
            PairsRef(*model.pairs),
            WavesRef(*model.waves),
            PlacementRef(*model.placement),
            model.direct,
            model.grids,
        ),
    )
