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
    try:
        if _is_special(out):
            out.write_text(text, encoding="utf-8")
            return
        partial = out.with_name(f"{out.name}.partial")
        partial.write_text(text, encoding="utf-8")
        publish(partial, out)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from error


def publish(partial: Path, out: Path) -> None:
    """Put a finished file in the place of `out`; what a link names is replaced, not the link.

    Raises `UsageError` for a device or a pipe, which must not be replaced by a file.
    """
    if _is_special(out):
        partial.unlink()
        raise UsageError(f"cannot write {out}: it is a device or a pipe; name a file")
    partial.replace(out.resolve())


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()
