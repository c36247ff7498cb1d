"""The command line `hiresldm`: one verb per file, each importing what it needs when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Annotated, NoReturn

import typer

from ..core.errors import BackendMissingError, ToolkitError, reason
from . import signals
from .make.build import build
from .make.calibrate import calibrate
from .make.distill import distill
from .make.pack import pack
from .make.prepare import prepare
from .make.search import search
from .make.train import train
from .measure.bench import bench
from .measure.evaluate import evaluate
from .measure.parity import parity
from .measure.plot import plot
from .measure.steps import steps
from .use.corpus import corpus
from .use.doctor import doctor
from .use.inspect import inspect
from .use.listen import listen
from .use.restore import restore
from .use.selftest import selftest
from .use.serve import serve

app = typer.Typer(
    help="Restore speech to 48 kHz studio quality.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.command("restore")(restore)
app.command("corpus")(corpus)
app.command("listen")(listen)
app.command("prepare")(prepare)
app.command("train")(train)
app.command("distill")(distill)
app.command("calibrate")(calibrate)
app.command("search")(search)
app.command("build")(build)
app.command("pack")(pack)
app.command("evaluate")(evaluate)
app.command("steps")(steps)
app.command("bench")(bench)
app.command("plot")(plot)
app.command("parity")(parity)
app.command("selftest")(selftest)
app.command("serve")(serve)
app.command("inspect")(inspect)
app.command("doctor")(doctor)


EXTRAS = {
    "corpus": "corpus",
    "prepare": "train",
    "train": "train",
    "distill": "train",
    "calibrate": "export",
    "search": "export,quality",
    "build": "export",
    "parity": "export",
    "evaluate": "quality",
    "steps": "train,quality",
    "serve": "serve",
}
"""What to install for the verbs that need more than restoring does."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit; a `ToolkitError` becomes one line and its exit code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        with signals.heard():
            _run(words)
    except ToolkitError as error:
        _fail(error)
    except OSError as error:  # of what no verb expects, such as a full disk behind the output
        if isinstance(error, BrokenPipeError):  # nobody reads on: no fault
            _silence()
            sys.exit(1)
        named = error.filename or "standard input or output"
        _fail(ToolkitError(f"{named} cannot be read or written: {reason(error)}"))
    except ModuleNotFoundError as error:
        verb = next((word for word in words if not word.startswith("-")), "")
        if verb not in EXTRAS:
            raise
        install = f"install it with: pip install 'hiresldm[{EXTRAS[verb]}]'"
        _fail(BackendMissingError(f"{verb} needs {error.name}, which is missing; {install}"))


def _run(words: Sequence[str]) -> None:
    try:
        if "--version" in takewhile(lambda word: word != "--", words):  # after any verb as well
            from .. import __version__

            print(f"hiresldm {__version__}")
            sys.exit()
        app(args=words, prog_name="hiresldm")
    except SystemExit:
        _flush()
        raise


def _flush() -> None:
    if sys.stdout:  # a program may be started without one
        sys.stdout.flush()


def _silence() -> None:
    """Let what is left for standard output go nowhere, which has failed once already."""
    with suppress(AttributeError, OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: ToolkitError) -> NoReturn:
    try:
        _flush()
    except OSError:
        _silence()
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)


@app.callback()
def _options(
    show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    pass  # `main` has shown it, which an option of the program cannot do after a verb


if __name__ == "__main__":
    main()
