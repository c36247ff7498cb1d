"""Weights on disk: which file holds a part's, and where in the file each tensor lies."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import IntegrityError


@dataclass(frozen=True)
class Stored:
    """Where a tensor lies in a safetensors file."""

    dtype: str
    offset: int
    length: int


def weights_file(folder: Path, part: str) -> Path:
    """`<part>.safetensors` of a run folder, or the content-named one of a bundle.

    Raises `IntegrityError` where there is none, or more than one.
    """
    plain = folder / f"{part}.safetensors"
    found = [plain] if plain.is_file() else sorted(folder.glob(f"{part}.*.safetensors"))
    if len(found) != 1:
        raise IntegrityError(f"{folder} holds {len(found)} files of weights of {part}, not one")
    return found[0]


def stored_tensors(path: Path) -> Mapping[str, Stored]:
    """Byte ranges of the tensors of a safetensors file: 8 bytes of length, JSON, then data."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {
        name: Stored(
            entry["dtype"],
            8 + length + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
    }
