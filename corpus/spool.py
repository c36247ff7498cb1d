"""Where workers lay down what they finish, until it is packed: so that no work is done twice.

Every worker of a run, on whatever machine, sees this folder. A result is there whole or not at all.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from ..core.outputs import write_text
from .clip import Clip, Finished, Kept, Outcome, Quarantined, id_of

_PIECES, _REASON = "pieces", "reason"


class Spool:
    """The outcomes of clips that no shard has taken yet; made anew where there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def outcome(self, clip: Clip) -> Outcome | None:
        """What became of a clip, None where nothing is known."""
        try:
            told = json.loads(self._told(clip.id).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        if _REASON in told:
            return Quarantined(clip.key, told[_REASON])
        return Finished(
            clip.key, tuple(Kept(record, self.folder / name) for record, name in told[_PIECES])
        )

    def attempts(self, clip: Clip, most: int) -> Iterator[int]:
        """1, 2, ... up to `most`, over all workers and runs: also those that ended on the way."""
        path = self.folder / f"{clip.id}.tries"
        while True:
            with path.open("ab") as file:
                file.write(b".")
                count = file.tell()
            if count > most:
                return
            yield count

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """A folder for what is in the making."""
        with TemporaryDirectory(prefix="making-", dir=self.folder) as folder:
            yield Path(folder)

    def keep(self, clip: Clip, pieces: Sequence[Kept]) -> Outcome:
        """Take the finished pieces of a clip from a workplace."""
        told = []
        for number, piece in enumerate(pieces):
            name = f"{clip.id}-{number:04d}{piece.audio.suffix}"
            piece.audio.replace(self.folder / name)
            told.append((piece.record, name))
        self._tell(clip, {_PIECES: told})
        return Finished(clip.key, tuple(Kept(record, self.folder / name) for record, name in told))

    def quarantine(self, clip: Clip, reason: str) -> Outcome:
        """Note that a clip cannot be restored."""
        self._tell(clip, {_REASON: reason})
        return Quarantined(clip.key, reason)

    def forget(self, outcomes: Sequence[Outcome]) -> None:
        """Remove what a shard has taken."""
        for outcome in outcomes:
            for piece in outcome.pieces if isinstance(outcome, Finished) else ():
                piece.audio.unlink(missing_ok=True)
            own = id_of(outcome.key)
            self._told(own).unlink(missing_ok=True)
            (self.folder / f"{own}.tries").unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all of it."""
        with suppress(OSError):
            shutil.rmtree(self.folder)

    def _told(self, own: str) -> Path:
        return self.folder / f"{own}.json"

    def _tell(self, clip: Clip, what: dict[str, object]) -> None:
        write_text(json.dumps(what), self._told(clip.id))
