"""One cubic B-spline look-up as vector instructions: 64 taps, four neighbours at a time.

The compiler is handed the vectors themselves, because it does not find them in a loop over
three indices. The code is generic (four single-precision lanes exist everywhere).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

_FLAGS = ("contract", "nsz")


def _weigh_taps(
    typing_context: Any,
    coefficients: Any,
    offset: Any,
    stride_a: Any,
    stride_b: Any,
    weights_a: Any,
    weights_b: Any,
    weights_c: Any,
) -> Any:
    """Sum coefficients[offset + i stride_a + j stride_b + k] wa[i] wb[j] wc[k], i, j, k < 4.

    Called from compiled code without the first argument: a contiguous 1-D float32 array, three
    int64 and three tuples of four float32; it returns float32.
    """
    four = types.UniTuple(types.float32, 4)
    if not isinstance(coefficients, types.Array) or coefficients.dtype != types.float32:
        return None
    whole = types.int64
    return types.float32(coefficients, whole, whole, whole, four, four, four), _emit


weigh_taps: Any = intrinsic(_weigh_taps)


def _emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array, offset, stride_a, stride_b, wa, wb, wc = arguments
    data = context.make_array(signature.args[0])(context, builder, array).data
    lanes = ir.VectorType(ir.FloatType(), 4)

    def spread(tuple_value: Any, index: int) -> Any:
        scalar = builder.extract_value(tuple_value, index)
        vector = ir.Constant(lanes, ir.Undefined)
        vector = builder.insert_element(vector, scalar, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), 4), [0] * 4)
        return builder.shuffle_vector(vector, vector, mask)

    def multiply_add(a: Any, b: Any, c: Any) -> Any:
        product = builder.fmul(a, b, flags=_FLAGS)
        return product if c is None else builder.fadd(product, c, flags=_FLAGS)

    across_b = [spread(wb, j) for j in range(4)]
    total = None
    place_a = offset
    for i in range(4):
        part, place = None, place_a
        for j in range(4):
            pointer = builder.bitcast(builder.gep(data, [place]), lanes.as_pointer())
            part = multiply_add(builder.load(pointer, align=4), across_b[j], part)
            place = builder.add(place, stride_b)
        total = multiply_add(part, spread(wa, i), total)
        place_a = builder.add(place_a, stride_a)
    result = None
    for k in range(4):
        lane = builder.extract_element(total, ir.Constant(ir.IntType(32), k))
        result = multiply_add(lane, builder.extract_value(wc, k), result)
    return result
