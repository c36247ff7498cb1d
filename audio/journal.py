"""What has been restored into a folder already, so that a run that was stopped can go on."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..core.manifest import sha256_of
from .files import Wanted

NAME = ".hiresldm.jsonl"


class Journal:
    """A file in every output folder: of each result, what it was made from and how."""

    def __init__(self, model: str, wanted: Wanted) -> None:
        """`model` tells models apart."""
        self._way = {"model": model, **json.loads(json.dumps(asdict(wanted)))}

    def has(self, source: Path, target: Path) -> bool:
        """Whether `target` was made from this very input in this very way."""
        if not target.is_file():
            return False
        known = _entries(target.parent / NAME).get(target.name)
        return known is not None and known == self._entry(source, target)

    def knows(self, target: Path) -> bool:
        """Whether `target` is a result of an earlier run, of whatever input."""
        return target.name in _entries(target.parent / NAME)

    def add(self, source: Path, target: Path) -> None:
        """Note a result that is finished."""
        line = json.dumps({"output": target.name, **self._entry(source, target)})
        with (target.parent / NAME).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _entry(self, source: Path, target: Path) -> dict[str, Any]:
        return {"input": sha256_of(source), "bytes": target.stat().st_size, **self._way}


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    """The last entry of every output; lines that were cut short are passed over."""
    entries: dict[str, dict[str, Any]] = {}
    with suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, KeyError, AttributeError):
                entry = json.loads(line)
                entries[entry.pop("output")] = entry
    return entries
