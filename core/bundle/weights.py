"""Weights on disk: which file holds a component's, and where in the file each tensor lies."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import IntegrityError, reason
from . import strict


@dataclass(frozen=True)
class Stored:
    """Where a tensor lies in a safetensors file."""

    dtype: str
    offset: int
    length: int


@dataclass(frozen=True)
class _Entry:
    """What the header says of a tensor; bytes are counted from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, ...]


def weights_file(folder: Path, component: str) -> Path:
    """`<component>.safetensors` of a run folder, or the content-named one of a bundle.

    Raises `IntegrityError` where there is none, or more than one.
    """
    plain = folder / f"{component}.safetensors"
    found = [plain] if plain.is_file() else sorted(folder.glob(f"{component}.*.safetensors"))
    if len(found) != 1:
        raise IntegrityError(
            f"{folder} holds {len(found)} files of weights of {component}, not one"
        )
    return found[0]


def stored_tensors(path: Path) -> Mapping[str, Stored]:
    """Byte ranges of the tensors of a safetensors file: 8 bytes of length, JSON, then data.

    Raises `IntegrityError` for a file that is none, or whose ranges lie outside of it.
    """
    try:
        return _stored(path)
    except (OSError, ValueError, struct.error) as error:
        raise IntegrityError(f"{path}: no readable weights: {reason(error, path)}") from error


def digest(files: Iterable[Path]) -> str:
    """sha256 of the tensors of safetensors files: the same for the same weights, however packed.

    Raises `IntegrityError` as `stored_tensors` does.
    """
    found = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name.partition(".")[0]):
        entries = stored_tensors(path)
        data = path.read_bytes()
        for name, entry in sorted(entries.items()):
            found.update(f"{path.name.partition('.')[0]} {name} {entry.dtype}".encode())
            found.update(data[entry.offset : entry.offset + entry.length])
    return found.hexdigest()


def _stored(path: Path) -> dict[str, Stored]:
    held = path.stat().st_size
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if 8 + length > held:  # before reading: a claim must not decide what memory is taken
            raise ValueError(f"a header of {length} bytes in a file of {held}")
        header = strict.parsed(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    header.pop("__metadata__", None)
    entries = {name: strict.built(_Entry, value, name) for name, value in header.items()}
    return {name: _placed(entry, 8 + length, held) for name, entry in entries.items()}


def _placed(entry: _Entry, begin: int, held: int) -> Stored:
    """The tensor in a file of `held` bytes whose data begin at `begin`."""
    if len(entry.data_offsets) != 2:
        raise ValueError(f"a tensor of {len(entry.data_offsets)} offsets, not 2 offsets")
    first, last = (begin + offset for offset in entry.data_offsets)
    if not begin <= first <= last <= held:
        raise ValueError(f"a tensor at the bytes {first} to {last} of a file of {held}")
    return Stored(entry.dtype, first, last - first)
