"""What has been restored into a folder already, so that a run that was stopped can go on."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..core.bundle.manifest import sha256_of
from .files import Wanted

NAME = ".hiresldm.jsonl"


class Journal:
    """A file in every output folder: of each result, what it was made from and how."""

    def __init__(self, model: str, wanted: Wanted) -> None:
        """`model` tells models apart."""
        self._way = {"model": model, **json.loads(json.dumps(asdict(wanted)))}
        self._earlier: dict[Path, dict[str, dict[str, Any]]] = {}
        """Of each output folder, what earlier runs noted."""

    def has(self, source: Path, target: Path) -> bool:
        """Whether `target` was made from this very input in this very way."""
        if not target.is_file():
            return False
        known = self._noted(target.parent).get(target.name)
        return known is not None and known == self._entry(source, target)

    def knows(self, target: Path) -> bool:
        """Whether `target` is a result of an earlier run, of whatever input."""
        return target.name in self._noted(target.parent)

    def add(self, source: Path, target: Path) -> None:
        """Note a result that is finished."""
        line = json.dumps({"output": target.name, **self._entry(source, target)})
        with (target.parent / NAME).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _noted(self, folder: Path) -> dict[str, dict[str, Any]]:
        if folder not in self._earlier:
            self._earlier[folder] = _entries(folder / NAME)
        return self._earlier[folder]

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
