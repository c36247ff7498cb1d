"""A folder of audio files; written with `manifest.jsonl` beside them, which every sink has."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from ...audio.folders import find
from ..clip import Clip, Kept, Record, key_of


class FolderSource:
    """Every audio file below a folder, sorted; raises `UsageError` where there is none."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder = folder
        self.paths = [given for given, _ in find([folder], out).jobs]

    def __iter__(self) -> Iterator[Clip]:
        inner = [path.relative_to(self.folder) for path in self.paths]
        alike = Counter(name.with_suffix("") for name in inner)
        for path, name in zip(self.paths, inner, strict=True):
            plain = name.with_suffix("")
            shown = plain if alike[plain] == 1 else name
            yield Clip(key_of(shown.as_posix()), partial(path.read_bytes))


class FolderSink:
    """A file for each clip, named by its key; its record says the `path`."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def write(self, number: int, pieces: Sequence[Kept]) -> list[Record]:
        """Put each file in its place, whole."""
        return [self._placed(piece) for piece in pieces]

    def finish(self, records: Callable[[], Iterator[Record]]) -> None:
        """The manifest tells all."""

    def _placed(self, piece: Kept) -> Record:
        inner = f"{piece.record['key']}{piece.audio.suffix}"
        target = self.out / inner
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{piece.audio.name}.partial")
        shutil.copyfile(piece.audio, draft)
        draft.replace(target)
        return {"path": inner, **piece.record}
