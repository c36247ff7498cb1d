"""A clip of a corpus, and what becomes of it on the way from a source to a sink."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

Record = dict[str, Any]
"""What is known of a clip, flat, as JSON has it."""
_LONGEST_NAME = 200
"""Bytes of a name that every file system takes, with an ending."""


@dataclass(frozen=True)
class Clip:
    """One recording: its name in the corpus, and where its bytes are to be read by a worker."""

    key: str
    read: Callable[[], bytes]
    """Gives the encoded audio; goes to other processes by pickling."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What the corpus says of it beside the audio, as JSON has it."""

    @property
    def id(self) -> str:
        """A name for files, of this clip alone."""
        return id_of(self.key)


@dataclass(frozen=True)
class Kept:
    """A restored clip, or a piece of one, with its record."""

    record: Record
    audio: Path


@dataclass(frozen=True)
class Finished:
    """A clip that has been restored, into one piece or several."""

    key: str
    pieces: tuple[Kept, ...]


@dataclass(frozen=True)
class Quarantined:
    """A clip that cannot be restored, and why."""

    key: str
    reason: str


Outcome = Finished | Quarantined


class Source(Protocol):
    """A corpus to be read: its clips in an order that stays."""

    def __iter__(self) -> Iterator[Clip]: ...


class Sink(Protocol):
    """A corpus to be written, shard by shard; a shard that is written again is replaced."""

    def write(self, number: int, pieces: Sequence[Kept]) -> list[Record]:
        """Write a shard whole; gives its records, each with the place where its audio lies."""

    def finish(self, records: Callable[[], Iterator[Record]]) -> None:
        """Write what tells of all shards, given the records of every one."""


def id_of(key: str) -> str:
    """A name for files that belongs to this key alone."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def key_of(name: str) -> str:
    """A key of a name that anyone may have given: relative, and within what file systems take."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    kept = [_name(part) for part in parts if part.strip("./ ")]
    return "/".join(kept) or "clip"


def _name(part: str) -> str:
    plain = "".join(c if c.isprintable() and c != ":" else "_" for c in part)
    if len(plain.encode()) <= _LONGEST_NAME:
        return plain
    return f"{plain[: _LONGEST_NAME // 8]}-{id_of(part)}"
