"""Results as JSON files and as markdown tables."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..core.errors import BackendMissingError
from ..core.outputs import check_target, write_text

Row = Mapping[str, Any]


def check_page(html: Path | None) -> None:
    """`check_target` for a page; raises `BackendMissingError` without what draws its pictures."""
    check_target(html)
    if html and find_spec("matplotlib") is None:
        raise BackendMissingError(
            "a page needs matplotlib; install it with: pip install 'hiresldm[quality]'"
        )


def to_json(result: Row) -> str:
    """The result as JSON that every reader accepts; raises ValueError for nan and infinity."""
    return json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False)


def write(result: Row, out: Path) -> None:
    """Write the result as JSON, whole or not at all; raises `UsageError` where that fails."""
    write_text(to_json(result) + "\n", out)


def data_uri(kind: str, content: bytes) -> str:
    """Content of a media type as an address that a page needs nothing else for."""
    return f"data:{kind};base64,{b64encode(content).decode()}"


def table(titles: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A markdown table."""
    head = [titles, ["---"] * len(titles)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in (*head, *lines))


def system_title(row: Row) -> str:
    """What a row is about, as tables name it."""
    if row["steps"] is None:
        return str(row["system"])
    return f"{row['system']}, {row['steps']} step{'s' if row['steps'] > 1 else ''}"


def mean_text(summary: Row | None) -> str:
    """A mean, or a dash for what was not measured."""
    return "-" if summary is None else f"{summary['mean']:.2f}"


def interval_text(summary: Row | None) -> str:
    """A mean with its interval."""
    if summary is None:
        return mean_text(None)
    return f"{mean_text(summary)} ({summary['low']:.2f} to {summary['high']:.2f})"
