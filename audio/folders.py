"""What in a folder is to be restored, and where to."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import ToolkitError, UsageError
from .formats import DRAFTS, READ_SUFFIXES, WRITE_FORMATS, format_of
from .reading.reader import AudioReader

Job = tuple[Path, Path]
"""An input file and its output file."""
_COMPANION = "._"
"""How names begin under which macOS keeps what other systems have no place for."""


@dataclass
class Found:
    """The jobs of a request, and what was come across beside them."""

    jobs: list[Job] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    """Files that are no audio."""
    failed: list[tuple[Path, str]] = field(default_factory=list)
    """Folders and files that could not be looked at, and why."""


def find(sources: Sequence[Path], out: Path) -> Found:
    """Everything to be restored from files and folders into the file or folder `out`.

    Raises `UsageError` where nothing is found, two results would have one name, the output folder
    lies in an input folder, or is a file, or is named like one.
    """
    found = Found()
    if len(sources) == 1 and not sources[0].is_dir() and not _is_folder(out):
        found.jobs.append((sources[0], out))
        return found
    if not out.is_dir() and (out.exists() or format_of(out)):
        raise UsageError(f"{out} is no folder; folders and several recordings need one")
    for source in sources:
        if source.is_dir():
            _refuse_inside(source, out)
            _walk(source, out, found)
        else:
            found.jobs.append((source, _output_of(out / source.name)))
    if not found.jobs and not found.failed:
        raise UsageError(f"{sources[0]} holds no file that can be read as audio")
    found.jobs = list(_apart(found.jobs))
    _refuse_collisions(found.jobs)
    return found


def _is_folder(out: Path) -> bool:
    return out.is_dir() or (not out.suffix and not out.exists())


def _refuse_inside(source: Path, out: Path) -> None:
    if out.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"the output folder {out} lies inside {source}; name another folder")


def _walk(source: Path, out: Path, found: Found) -> None:
    for path in sorted(_files(source, found)):
        if path.name.startswith(_COMPANION):
            found.skipped.append(path)
        elif path.suffix.lower() in READ_SUFFIXES or _is_audio(path):
            found.jobs.append((path, _output_of(out / path.relative_to(source))))
        else:
            found.skipped.append(path)


def _files(source: Path, found: Found) -> Iterator[Path]:
    """All files below a folder; links to folders are not followed, so that none is walked twice."""

    def unreadable(error: OSError) -> None:
        found.failed.append((Path(error.filename or source), error.strerror or str(error)))

    for folder, inner, names in os.walk(source, onerror=unreadable):
        # What a run that was killed has left is no recording.
        inner[:] = [name for name in inner if not name.startswith(DRAFTS)]
        yield from (Path(folder, name) for name in names)


def _is_audio(path: Path) -> bool:
    try:
        AudioReader(path)
    except (ToolkitError, OSError):
        return False
    return True


def _output_of(path: Path) -> Path:
    return path if path.suffix.lower() in WRITE_FORMATS else path.with_suffix(".wav")


def _apart(jobs: Sequence[Job]) -> Iterator[Job]:
    """The jobs, with the whole name of the input in outputs that would be called alike."""
    count = Counter(made for _, made in jobs)
    for given, made in jobs:
        is_alike = count[made] > 1 and given.suffix != made.suffix
        yield given, made.with_name(given.name + made.suffix) if is_alike else made


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    taken: dict[Path, Path] = {}
    for given, made in jobs:
        if made in taken:
            raise UsageError(f"{taken[made]} and {given} would both become {made}; rename one")
        taken[made] = given
