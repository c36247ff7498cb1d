"""What `restore` does once it knows what is wanted: pipes, progress, a report, an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...audio import pipes
from ...audio.batch import Batch, Done, Failed, Result
from ...audio.files import RestoredFile, Wanted, opened
from ...audio.folders import Found, find
from ...audio.journal import Journal
from ...core.errors import ToolkitError, UsageError, reason
from ...runtimes.model import Model
from ..progress import seconds_of

PIPE = Path("-")


@dataclass(frozen=True)
class Request:
    """What the command line asked for."""

    sources: Sequence[Path]
    target: Path
    wanted: Wanted
    model: Model
    stdin: str | None
    stdout: str
    skips_existing: bool
    resumes: bool
    overwrite: bool
    at_once: int
    as_json: bool
    quiet: bool


def run(request: Request, folder: Path) -> int:
    """Restore what is asked for and tell of it; gives the exit code. Pipes pass through `folder`.

    Raises `UsageError` where standard output cannot take what is asked for.
    """
    if request.target == PIPE and request.as_json:
        raise UsageError("the result and --json would both go to standard output; name a file")
    found, piped = Found(), request
    results: list[Result] = []
    try:
        _check_pipes(request)
        piped = _without_pipes(request, folder)
        found = find(piped.sources, piped.target)
        results = _restored(piped, found)
    except ToolkitError as error:
        results = [Failed(_first(request), str(error), error.exit_code)]
    except OSError as error:  # names that are too long, folders that may not be entered
        named = error.filename or _first(request)
        results = [Failed(_first(request), f"{named}: {reason(error)}")]
    _report(request, [_spoken(result, folder) for result in results], found)
    failures = [result for result in results if isinstance(result, Failed)]
    if request.target == PIPE and not failures:
        pipes.send(piped.target, request.stdout, getattr(sys.stdout, "buffer", None))
    if not failures:
        return 0
    return failures[0].exit_code if len(results) == 1 else 1


def _check_pipes(request: Request) -> None:
    pipes.check_stdout(request.stdout)
    if request.sources.count(PIPE) > 1:
        raise UsageError("standard input can be read once; name - one time among the inputs")
    if request.target == PIPE and (len(request.sources) > 1 or request.sources[0].is_dir()):
        raise UsageError("standard output takes one recording; name a folder for several")


def _first(request: Request) -> str:
    source = request.sources[0]
    return "standard input" if source == PIPE else str(source)


def _spoken(result: Result, folder: Path) -> Result:
    """The result with pipes called what they are."""

    def words(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(words, value))
        return pipes.spoken(value, folder) if isinstance(value, str) else value

    return replace(result, **{name: words(value) for name, value in vars(result).items()})


def _without_pipes(request: Request, folder: Path) -> Request:
    """The request with files where it names pipes."""
    sources = [
        pipes.received(getattr(sys.stdin, "buffer", None), request.stdin, folder)
        if source == PIPE
        else source
        for source in request.sources
    ]
    if request.target != PIPE:
        return replace(request, sources=sources)
    form = request.wanted.form
    depth = form.depth or pipes.depth_of(request.stdout)
    wanted = replace(request.wanted, form=replace(form, depth=depth))
    target = pipes.outgoing(request.stdout, folder)
    return replace(request, sources=sources, target=target, wanted=wanted)


def _restored(request: Request, found: Found) -> list[Result]:
    if len(found.jobs) == 1 and not request.skips_existing:
        # A bad input is told before the model is loaded.
        source, target = found.jobs[0]
        in_folder = target != request.target
        how = {"overwrite": request.overwrite, "makes_folder": in_folder}
        opened(source, target, request.wanted, **how)
    restorer = request.model.load()
    restorer.accepted_steps(request.wanted.steps)
    is_folder = request.skips_existing or len(found.jobs) > 1
    journal = Journal(request.model.key, request.wanted) if is_folder else None
    results: list[Result] = [Failed(str(path), f"{path}: {why}") for path, why in found.failed]
    with seconds_of([given for given, _ in found.jobs], quiet=request.quiet) as progress:
        batch = Batch(
            restorer=restorer,
            wanted=request.wanted,
            overwrite=request.overwrite,
            journal=journal,
            skips_existing=request.skips_existing,
            progress=progress,
            model=request.model.key if request.resumes else None,
        )
        results += batch.run(found.jobs, at_once=request.at_once)
    return results


def _report(request: Request, results: Sequence[Result], found: Found) -> None:
    """Warnings and errors on stderr, results on stdout."""
    for result in results:
        _warn(result)
    made = [result for result in results if isinstance(result, RestoredFile)]
    duration_s = sum(file.duration_s for file in made)
    rtf = sum(file.rtf * file.duration_s for file in made) / max(duration_s, 1e-9)
    if request.as_json:
        backend = request.model.backend
        told = {
            "files": [asdict(file) | {"backend": backend} for file in made],
            "failed": [
                {"input": one.input, "error": one.error}
                for one in results
                if isinstance(one, Failed)
            ],
            "done_before": [one.output for one in results if isinstance(one, Done)],
            "skipped": [str(path) for path in found.skipped],
            "backend": backend,
            "duration_s": duration_s,
            "rtf": rtf,
        }
        print(json.dumps(told))
        return
    for path in found.skipped:
        print(f"skipped: {path} is no audio", file=sys.stderr)
    if (made or len(results) > 1) and not request.quiet and request.target != PIPE:
        print(_summary(results, len(made), duration_s, rtf))


def _summary(results: Sequence[Result], count: int, duration_s: float, rtf: float) -> str:
    text = f"restored {count} file" + ("s" if count != 1 else "")
    text += f", {duration_s:.1f} s of audio, real-time factor {rtf:.3f}" if count else ""
    before = sum(isinstance(result, Done) for result in results)
    return text + (f"; {before} had been restored before" if before else "")


def _warn(result: Result) -> None:
    if isinstance(result, Failed):
        print(f"error: {result.error}", file=sys.stderr)
    elif isinstance(result, RestoredFile):
        for warning in result.warnings:
            print(f"warning: {warning}", file=sys.stderr)
