"""How a corpus lies on disk: a file per layout, each with its `Source` and its `Sink`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...core.errors import UsageError
from ..clip import Sink, Source
from .folder import FolderSink, FolderSource
from .manifest import CsvSink, ManifestSource
from .webdataset import WebDatasetSink, WebDatasetSource

LAYOUTS = ("folder", "csv", "webdataset", "parquet")
_ENDINGS = {".csv": "csv", ".jsonl": "folder", ".tar": "webdataset", ".parquet": "parquet"}


def layout_of(given: Path) -> str:
    """The layout in which a corpus lies; raises `UsageError` for what is none."""
    if given.is_dir():
        held = {path.suffix for path in given.iterdir()}
        return next((_ENDINGS[one] for one in (".tar", ".parquet") if one in held), "folder")
    if not given.is_file() or given.suffix not in _ENDINGS:
        fault = "is no corpus" if given.exists() else "does not exist"
        raise UsageError(
            f"{given} {fault}; accepted are a folder of audio, of .tar or of .parquet, and a "
            f"file of one of {', '.join(_ENDINGS)}"
        )
    return _ENDINGS[given.suffix]


def source_of(given: Path, out: Path) -> Source:
    """The corpus in a folder or file; raises `UsageError` as its layout does."""
    layout = layout_of(given)
    if layout in {"webdataset", "parquet"}:
        ending = next(one for one, own in _ENDINGS.items() if own == layout)
        shards = sorted(given.glob(f"*{ending}")) if given.is_dir() else [given]
        if layout == "webdataset":
            return WebDatasetSource(shards)
        from .parquet import ParquetSource

        return ParquetSource(shards)
    return FolderSource(given, out) if given.is_dir() else ManifestSource(given)


def sink_of(layout: str, out: Path) -> Sink:
    """What writes a corpus of this layout; raises `UsageError` for one that is none."""
    if layout == "parquet":
        from .parquet import ParquetSink

        return ParquetSink(out)
    sinks: dict[str, Callable[[Path], Sink]] = {
        "folder": FolderSink,
        "csv": CsvSink,
        "webdataset": WebDatasetSink,
    }
    if layout not in sinks:
        raise UsageError(f"there is no layout {layout!r}; accepted: {', '.join(LAYOUTS)}")
    return sinks[layout](out)
