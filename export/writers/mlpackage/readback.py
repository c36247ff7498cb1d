"""The weights of a saved package, held against the checkpoint they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.bundle.quantized import Quantized
from ....core.errors import ParityError
from ....core.signal.metrics import snr_db
from ....core.spec import Array, Arrays
from .package import read
from .weights import key_of, laid_out

_INTEGERS = "constexpr_blockwise_shift_scale"
_PALETTE = "constexpr_lut_to_dense"


def read_integers(path: Path) -> Mapping[str, NDArray[np.int8]]:
    """The integers in the package by the key of the state dict; matrices (inputs, outputs)."""
    found = _quantized(read(path)[1]).items()
    return {key: data.T if data.ndim == 2 else data for key, (data, _) in found}


def check_saved(
    path: Path, state: Arrays, quantized: Mapping[str, Quantized], palette_floor_db: float | None
) -> None:
    """Find every weight of `state` in the saved package, bit for bit in fp32 or fp16.

    Weights in `quantized` are there as their integers and scales; those that are palettes lie
    within `palette_floor_db` of what they stand for. Raises `ParityError` naming those that do not.
    """
    program = read(path)[1]
    held = set(_floats(program))
    integers, palettes = _quantized(program), _palettes(program)

    def is_right(key: str, value: Array) -> bool:
        if key in quantized:
            return key in integers and _same(quantized[key], *integers[key])
        if key in palettes and palette_floor_db is not None:
            return snr_db(value.T, palettes[key]) >= palette_floor_db
        return _holds(held, value)

    if wrong := [key for key, value in state.items() if not is_right(key, value)]:
        raise ParityError(f"{path.name}: the file holds other values than {', '.join(wrong)}")


def _operations(program: Any, kind: str) -> Iterable[Any]:
    operations: Iterable[Any] = program.functions["main"].find_ops(op_type=kind)
    return operations


def _quantized(program: Any) -> dict[str, tuple[NDArray[np.int8], Array]]:
    """Integers and scales by key, as they are laid out in the file."""
    return {
        key_of(op.name): (op.data.val.astype(np.int8), op.scale.val.astype(np.float32))
        for op in _operations(program, _INTEGERS)
    }


def _palettes(program: Any) -> dict[str, Array]:
    return {
        key_of(op.name): op.materialized_val_inference().astype(np.float32)
        for op in _operations(program, _PALETTE)
    }


def _same(meant: Quantized, integers: NDArray[np.int8], scale: Array) -> bool:
    data, scales = laid_out(meant)
    return np.array_equal(integers, data) and np.array_equal(scale, scales)


def _floats(program: Any) -> Iterable[bytes]:
    for op in _operations(program, "const"):
        value = op.outputs[0].val
        if isinstance(value, (np.ndarray, np.floating)) and value.dtype.kind == "f":
            yield value.tobytes()


def _holds(held: set[bytes], value: Array) -> bool:
    """Whether the value is there whole, transposed, or row by row, as a table is used.

    Zeros and ones need not be there: the converter leaves out what changes nothing. Of equal
    numbers it keeps one.
    """
    if not value.any() or (value == 1).all():
        return True
    wholes = [[value], [value.T], list(value)]
    if (value == value.flat[0]).all():
        wholes.append([value.flat[0]])
    return any(
        all(np.ascontiguousarray(part, dtype).tobytes() in held for part in parts)
        for dtype in (np.float32, np.float16)
        for parts in wholes
    )
