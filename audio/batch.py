"""Many files, some at a time; one that fails is told and the others go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from ..core.errors import ToolkitError, UsageError, reason
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


@dataclass(frozen=True)
class Batch:
    """How all files of a request are restored.

    What is made is noted in the `journal`. Where existing results are skipped, what it knows is
    not done again, and what was made in another way is replaced. Where a `model` is named, a file
    that was stopped in the middle goes on from there.
    """

    restorer: Restorer
    wanted: Wanted
    overwrite: bool
    journal: Journal | None
    skips_existing: bool
    progress: Progress
    model: str | None = None
    _stopped: Event = field(default_factory=Event)

    def run(self, jobs: Sequence[Job], *, at_once: int = 1) -> Iterator[Result]:
        """Restore every job, `at_once` side by side, and give what became of each as it ends."""
        if at_once == 1:
            yield from map(self._result, jobs)
            return
        with ThreadPoolExecutor(at_once) as pool:
            try:  # from the first job on: once one runs, a signal has something to stop
                running = [pool.submit(self._result, job) for job in jobs]
                for future in as_completed(running):
                    yield future.result()
            except BaseException:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _result(self, job: Job) -> Result:
        try:
            return self._restored(*job)
        except ToolkitError as error:
            return Failed(str(job[0]), str(error), error.exit_code)
        except OSError as error:  # names that are too long, folders that may not be entered
            return Failed(str(job[0]), f"{job[0]}: {reason(error)}")

    def _restored(self, source: Path, target: Path) -> Result:
        _make_folder(target.parent)
        known = self.journal if self.skips_existing else None
        if known and known.has(source, target):
            return Done(str(source), str(target))
        replaces = self.overwrite or (known is not None and known.knows(target))
        made = restore_file(
            self.restorer,
            source,
            target,
            self.wanted,
            overwrite=replaces,
            progress=self._moved,
            model=self.model,
        )
        if self.journal:
            self.journal.add(source, target)
        return made

    def _moved(self, seconds: float) -> None:
        if self._stopped.is_set():  # a signal that ends the program reaches its first thread alone
            raise UsageError("stopped")
        self.progress(seconds)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {reason(error)}") from error
