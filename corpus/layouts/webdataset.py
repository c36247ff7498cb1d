"""WebDataset: tar files in which members of one name but for the ending are a sample."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from ...audio.formats import READ_SUFFIXES
from ...core.errors import UsageError, reason
from ...core.outputs import publish
from ..clip import Clip, Kept, Record, key_of

_MOST_TEXT = 1_000_000
"""Bytes of a member that may be text."""


class WebDatasetSource:
    """The samples of tar files that hold audio; text and JSON beside it become fields.

    Raises `UsageError` for a file that is no plain tar.
    """

    def __init__(self, shards: Sequence[Path]) -> None:
        self.shards = shards

    def __iter__(self) -> Iterator[Clip]:
        for shard in self.shards:
            try:
                with tarfile.open(shard, "r:") as tar:
                    members = (member for member in tar if member.isfile())
                    for name, group in groupby(members, key=lambda member: _split(member.name)[0]):
                        yield from _clip(shard, tar, name, list(group))
            except (tarfile.TarError, OSError) as error:
                raise UsageError(
                    f"{shard} cannot be read as a tar without compression: {reason(error, shard)}"
                ) from error


class WebDatasetSink:
    """Tar files `00000.tar`: of each clip its audio, its record, and `.txt` where it had one."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def write(self, number: int, pieces: Sequence[Kept]) -> list[Record]:
        """Write a tar file whole."""
        name = f"{number:05d}.tar"
        records = [{"shard": name, **piece.record} for piece in pieces]
        draft = self.out / f"{name}.partial"
        with tarfile.open(draft, "w") as tar:
            for piece, record in zip(pieces, records, strict=True):
                stem = record["key"].replace("%", "%25").replace(".", "%2E")
                _add(tar, stem + piece.audio.suffix, piece.audio.read_bytes())
                told = json.dumps(record, ensure_ascii=False, sort_keys=True)
                _add(tar, f"{stem}.json", told.encode())
                if isinstance(text := record["fields"].get("txt"), str):
                    _add(tar, f"{stem}.txt", text.encode())
        publish(draft, self.out / name)
        return records

    def finish(self, records: Callable[[], Iterator[Record]]) -> None:
        """Each sample has its record beside it."""


def _clip(
    shard: Path, tar: tarfile.TarFile, name: str, members: Sequence[tarfile.TarInfo]
) -> Iterator[Clip]:
    heard = [one for one in members if f".{_split(one.name)[1]}".lower() in READ_SUFFIXES]
    if heard:
        read = partial(_read, shard, heard[0].offset_data, heard[0].size)
        yield Clip(key_of(f"{shard.stem}/{name}"), read, _fields(tar, members))


def _fields(tar: tarfile.TarFile, members: Sequence[tarfile.TarInfo]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for member in members:
        ending = _split(member.name)[1]
        if f".{ending}".lower() in READ_SUFFIXES or member.size > _MOST_TEXT:
            continue
        held = tar.extractfile(member)
        try:
            text = held.read().decode() if held else ""
            value = json.loads(text) if ending == "json" else text
        except ValueError:  # neither text nor JSON
            continue
        fields |= value if isinstance(value, dict) else {ending: value}
    return fields


def _read(shard: Path, begin: int, count: int) -> bytes:
    with shard.open("rb") as file:
        file.seek(begin)
        return file.read(count)


def _split(name: str) -> tuple[str, str]:
    """A member's sample and its ending, which begins at the first point of its last name."""
    folder, _, last = name.rpartition("/")
    stem, _, ending = last.partition(".")
    return (f"{folder}/{stem}" if folder else stem), ending


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    # Of the same bytes whenever it is written: no time, no owner.
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
