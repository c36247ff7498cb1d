"""A manifest: a row for each clip, as CSV or as lines of JSON, with the path of its audio."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ...core.errors import UsageError, reason
from ...core.outputs import publish
from ..clip import Clip, Record, key_of
from .folder import FolderSink

PATHS = ("path", "audio_filepath", "file_name", "audio", "file")
"""Names under which manifests have the path, which is taken from the manifest's own folder."""
CSV = "manifest.csv"


class ManifestSource:
    """The rows of a manifest; raises `UsageError` for a row that names no path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Clip]:
        for number, row in enumerate(self._rows(), 1):
            column = next((name for name in PATHS if isinstance(row.get(name), str)), None)
            if column is None:
                raise UsageError(
                    f"row {number} of {self.path} names no audio; one of these is needed: "
                    f"{', '.join(PATHS)}"
                )
            named = Path(str(row.pop(column)))
            name = key_of(named.with_suffix("").as_posix())
            yield Clip(name, partial((self.path.parent / named).read_bytes), row)

    def _rows(self) -> Iterator[dict[str, Any]]:
        try:
            with self.path.open(encoding="utf-8", newline="") as file:
                yield from csv.DictReader(file) if self.path.suffix == ".csv" else _lines(file)
        except (OSError, ValueError, csv.Error) as error:
            raise UsageError(f"{self.path} cannot be read: {reason(error)}") from error


class CsvSink(FolderSink):
    """Audio files, and `manifest.csv` of them; what a corpus said itself is one column of JSON."""

    def finish(self, records: Callable[[], Iterator[Record]]) -> None:
        """Write the table of all records."""
        columns = list(dict.fromkeys(name for record in records() for name in record))
        draft = self.out / f"{CSV}.partial"
        with draft.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, columns)
            table.writeheader()
            for record in records():
                table.writerow({name: _cell(value) for name, value in record.items()})
        publish(draft, self.out / CSV)


def _lines(file: io.TextIOBase) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no object of JSON")
            yield row


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
