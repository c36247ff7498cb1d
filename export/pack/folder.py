"""A folder that is there whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...core.errors import UsageError, reason


@contextmanager
def whole(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """An empty folder that takes the place of `out` once all is well.

    Raises `UsageError` where `out` exists and is not to be replaced, or cannot be written.
    """
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists; give --overwrite to replace it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".pack-") as folder:
            draft = Path(folder) / "pack"
            draft.mkdir()
            yield draft
            if out.exists():
                out.rename(Path(folder) / "replaced")
            draft.rename(out)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {reason(error)}") from error


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, making the folders above it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
