"""Files that results are written to: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from .errors import UsageError


def check_target(out: Path | None) -> None:
    """Raise `UsageError` where a result cannot be written to `out`: told before any work."""
    if out and (out.is_dir() or not out.parent.is_dir()):
        raise UsageError(f"cannot write {out}: name a file in a folder that exists")


def write_text(text: str, out: Path) -> None:
    """Write a text file by way of a temporary one; raises `UsageError` where that fails."""
    partial = out.with_name(f"{out.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(out)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from error
