"""Which clips a corpus has taken already: a file for each shard, written once that is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import IntegrityError, UsageError
from ..core.outputs import publish, write_text
from .clip import Outcome, Quarantined, Record, id_of

WORKSHOP = ".corpus"
"""The folder of the journal and the spool, in the output."""
MANIFEST, QUARANTINE = "manifest.jsonl", "quarantine.jsonl"


def spool_of(out: Path) -> Path:
    """Where results wait for their shard."""
    return out / WORKSHOP / "spool"


class Journal:
    """The shards of a corpus in `out`.

    Raises `UsageError` where `settings` are not those by which it was begun.
    """

    def __init__(self, out: Path, settings: Record) -> None:
        self.out = out
        self._folder = out / WORKSHOP / "journal"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._settle(json.loads(json.dumps(settings)))
        self.shards = len(list(self._paths()))
        self._known = {id_of(row["clip"]) for row in self._rows("records")}
        self._known |= {id_of(row["clip"]) for row in self._rows("quarantined")}

    def has(self, key: str) -> bool:
        """Whether a shard has this clip, or says that it cannot be restored."""
        return id_of(key) in self._known

    def add(self, outcomes: Sequence[Outcome], records: Sequence[Record]) -> None:
        """Note a shard that is written, and the clips that are in it or never will be."""
        failed = [
            {"clip": one.key, "reason": one.reason}
            for one in outcomes
            if isinstance(one, Quarantined)
        ]
        told = {"records": list(records), "quarantined": failed}
        write_text(json.dumps(told, ensure_ascii=False), self._folder / f"{self.shards:05d}.json")
        self.shards += 1

    def records(self) -> Iterator[Record]:
        """Of every clip in every shard."""
        return self._rows("records")

    def publish(self) -> None:
        """Write `manifest.jsonl` and, where a clip failed, `quarantine.jsonl`."""
        _write_lines(self.records(), self.out / MANIFEST)
        if any(True for _ in self._rows("quarantined")):
            _write_lines(self._rows("quarantined"), self.out / QUARANTINE)

    def _rows(self, kind: str) -> Iterator[dict[str, Any]]:
        for path in self._paths():
            try:
                yield from json.loads(path.read_text(encoding="utf-8"))[kind]
            except (ValueError, KeyError) as error:
                raise IntegrityError(f"{path} is damaged; name another output") from error

    def _paths(self) -> Iterator[Path]:
        yield from sorted(self._folder.glob("[0-9]*.json"))

    def _settle(self, settings: Record) -> None:
        path = self.out / WORKSHOP / "settings.json"
        if not path.exists():
            write_text(json.dumps(settings, indent=1), path)
        earlier = json.loads(path.read_text(encoding="utf-8"))
        other = [name for name in settings if settings[name] != earlier.get(name)]
        if other:
            raise UsageError(
                f"{self.out} was begun with another {other[0]} ({earlier.get(other[0])}, now "
                f"{settings[other[0]]}); name another output"
            )


def _write_lines(rows: Iterator[dict[str, Any]], path: Path) -> None:
    draft = path.with_name(f"{path.name}.partial")
    with draft.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    publish(draft, path)
