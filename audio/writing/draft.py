"""Samples on their way into a file: beside it, and kept where a run that was stopped may go on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...core.errors import UsageError
from ...core.spec import Array
from ..formats import DRAFTS

_BLOCK = 16_384
"""Frames that are read at a time: libvorbis overflows its stack on very long blocks."""


@dataclass(frozen=True)
class Origin:
    """What a draft is made of and how: drafts of one origin go on where another was stopped."""

    key: str
    loudness_lufs: tuple[float, ...]


class Draft:
    """Blocks (n, channels) in a folder beside the target: bare float32, with no limit of size.

    With an `origin` the folder outlives a run that fails or is killed. A line of its journal tells
    the hash of every block, and the next draft of this origin begins behind the last whole one.
    Raises `UsageError` where another process writes a draft of this target.
    """

    def __init__(self, target: Path, channels: int, origin: Origin | None = None) -> None:
        self._channels, self._origin = channels, origin
        self.frames, self.peak = 0, 0.0
        self._held: BinaryIO | None = None
        if origin is None:
            self.folder = Path(tempfile.mkdtemp(prefix=DRAFTS, dir=target.parent))
        else:
            self.folder = kept(target)
            self.folder.mkdir(exist_ok=True)
            self._held = _held(self.folder, target)
        try:
            self._samples, self._journal = self._opened()
        except BaseException:
            self.close(keep=False)
            raise

    def write(self, block: Array) -> None:
        """Append a block (n, channels); raises OSError where the disk takes no more."""
        data = np.ascontiguousarray(block, "<f4").tobytes()
        self._samples.write(data)
        self.frames += len(block)
        self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))
        if self._journal:
            _to_disk(self._samples)
            line = {"bytes": len(data), "sha256": _hash(data), "peak": self.peak}
            self._journal.write(json.dumps(line).encode() + b"\n")
            _to_disk(self._journal)

    def blocks(self) -> Iterator[Array]:
        """All of it, in blocks (n, channels)."""
        self._samples.flush()
        with self._path.open("rb") as file:
            while data := file.read(4 * self._channels * _BLOCK):
                yield np.frombuffer(data, "<f4").reshape(-1, self._channels).astype(np.float32)

    def close(self, *, keep: bool) -> None:
        """Leave the folder for the next run, where it may be and has an origin, or remove it."""
        with suppress(AttributeError):
            self._samples.close()
            if self._journal:
                self._journal.close()
        if self._held:
            self._held.close()
        if self._origin is None or not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _path(self) -> Path:
        return self.folder / "draft.f32"

    def _opened(self) -> tuple[BinaryIO, BinaryIO | None]:
        if self._origin is None:
            return self._path.open("wb"), None
        lines = [_header(self._origin)]
        if noted(self.folder) == self._origin:
            lines += self._whole_blocks()
        journal = _journal(self.folder).open("wb")
        journal.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        _to_disk(journal)
        self._path.touch()
        samples = self._path.open("r+b")
        samples.truncate(4 * self._channels * self.frames)
        samples.seek(0, os.SEEK_END)
        return samples, journal

    def _whole_blocks(self) -> Iterator[dict[str, Any]]:
        """The lines of blocks that are what they were when they were written."""
        with suppress(OSError, ValueError, KeyError, TypeError), self._path.open("rb") as file:
            for line in _lines(self.folder)[1:]:
                if _hash(file.read(line["bytes"])) != line["sha256"]:
                    return
                self.frames += line["bytes"] // (4 * self._channels)
                self.peak = float(line["peak"])
                yield line


def kept(target: Path) -> Path:
    """The folder of a target's draft that outlives a run."""
    return target.parent / f"{DRAFTS}{_hash(target.name.encode())[:16]}"


def noted(folder: Path) -> Origin | None:
    """The origin of a draft in a folder, None where there is none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError, IndexError):
        header = _lines(folder)[0]
        return Origin(str(header["key"]), tuple(map(float, header["loudness_lufs"])))
    return None


def _held(folder: Path, target: Path) -> BinaryIO:
    """A file that one process at a time has open, whatever becomes of the process.

    Raises `UsageError` where another has it.
    """
    file = (folder / "held").open("ab")
    with suppress(ImportError):  # Windows has no such locks
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise UsageError(f"{target} is being restored by another process") from error
    return file


def _header(origin: Origin) -> dict[str, Any]:
    return {"key": origin.key, "loudness_lufs": origin.loudness_lufs}


def _journal(folder: Path) -> Path:
    return folder / "journal.jsonl"


def _lines(folder: Path) -> list[dict[str, Any]]:
    """The journal's whole lines."""
    *whole, _ = _journal(folder).read_bytes().split(b"\n")
    return [json.loads(line) for line in whole]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
