"""Many files, some at a time; one that fails is told and the others go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ToolkitError, UsageError
from ..core.restorer import Restorer
from .files import Progress, RestoredFile, Wanted, restore_file
from .folders import Job
from .journal import Journal


@dataclass(frozen=True)
class Failed:
    """A file that was not restored, and why."""

    input: str
    error: str
    exit_code: int = 1


@dataclass(frozen=True)
class Done:
    """A file that had been restored before, in the same way."""

    input: str
    output: str


Result = RestoredFile | Failed | Done


def restore_all(
    restorer: Restorer,
    jobs: Sequence[Job],
    wanted: Wanted,
    *,
    overwrite: bool,
    journal: Journal | None,
    skips_existing: bool,
    at_once: int,
    progress: Progress,
) -> Iterator[Result]:
    """Restore every job, `at_once` side by side, and give what became of each as it ends.

    What is made is noted in the `journal`. Where existing results are skipped, what it knows is
    not done again, and what was made in another way is replaced.
    """

    def one(job: Job) -> Result:
        source, target = job
        try:
            _make_folder(target.parent)
            known = journal if skips_existing else None
            if known and known.has(source, target):
                return Done(str(source), str(target))
            replaces = overwrite or (known is not None and known.knows(target))
            made = restore_file(
                restorer, source, target, wanted, overwrite=replaces, progress=progress
            )
            if journal:
                journal.add(source, target)
        except ToolkitError as error:
            return Failed(str(source), str(error), error.exit_code)
        except OSError as error:  # names that are too long, folders that may not be entered
            return Failed(str(source), f"{source}: {error.strerror}")
        return made

    with ThreadPoolExecutor(at_once) as pool:
        running = [pool.submit(one, job) for job in jobs]
        try:
            for future in as_completed(running):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}") from error
