"""Chunks of WAV files: what their headers claim, and the time reference of broadcast WAV."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_UNKNOWN = 0xFFFFFFFF
"""A size that was never filled in, or that RF64 keeps elsewhere."""
_HEADER = 8
MOST_CHUNKS = 1000


@dataclass(frozen=True)
class Chunk:
    """A chunk: its name, where its content begins, the size that its header claims."""

    name: bytes
    at: int
    size: int


@dataclass(frozen=True)
class Riff:
    """The chunks of a WAV file, up to the first whose size does not hold."""

    form: bytes
    size: int
    chunks: tuple[Chunk, ...]
    file_size: int

    def find(self, name: bytes) -> Chunk | None:
        """The first chunk of a name."""
        return next((chunk for chunk in self.chunks if chunk.name == name), None)


def read_riff(path: Path) -> Riff | None:
    """What a WAV or RF64 file holds; None for a file that is neither."""
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return None
        file_size = path.stat().st_size
        size = int.from_bytes(head[4:8], "little")
        return Riff(head[:4], size, tuple(_chunks(file, file_size)), file_size)


def claimed_s(path: Path, riff: Riff) -> float | None:
    """Seconds of audio as the header has them; None where it has none, as in RF64."""
    form, data = riff.find(b"fmt "), riff.find(b"data")
    if riff.form == b"RF64" or form is None or data is None or form.size < 12:
        return None
    with path.open("rb") as file:
        file.seek(form.at + 8)
        bytes_a_second = int.from_bytes(file.read(4), "little")
    if not bytes_a_second:
        return None
    return 0.0 if data.size == _UNKNOWN else data.size / bytes_a_second


def is_followed(path: Path, riff: Riff) -> bool:
    """Whether another WAV file begins where this one ends."""
    end = riff.size + _HEADER
    if riff.form == b"RF64" or end + 12 > riff.file_size:
        return False
    with path.open("rb") as file:
        file.seek(end)
        head = file.read(12)
    return head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE"


def content(path: Path, chunk: Chunk) -> bytes:
    """The content of a chunk, as far as the file holds it."""
    with path.open("rb") as file:
        file.seek(chunk.at)
        return file.read(min(chunk.size, path.stat().st_size))


def append(path: Path, name: bytes, data: bytes) -> None:
    """Add a chunk at the end of a WAV file whose sizes hold; RF64 is left as it is."""
    riff = read_riff(path)
    if riff is None or riff.form == b"RF64":
        return
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write(b"\0" * (file.tell() % 2) + name + struct.pack("<I", len(data)) + data)
        file.write(b"\0" * (len(data) % 2))
        size = file.tell() - _HEADER
        file.seek(4)
        file.write(struct.pack("<I", size))


def _chunks(file: BinaryIO, file_size: int) -> Iterator[Chunk]:
    for _ in range(MOST_CHUNKS):
        head = file.read(_HEADER)
        if len(head) < _HEADER:
            return
        chunk = Chunk(head[:4], file.tell(), int.from_bytes(head[4:], "little"))
        yield chunk
        end = chunk.at + chunk.size + chunk.size % 2
        if end >= file_size:
            return
        file.seek(end)
