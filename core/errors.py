"""Every error a user can meet, each with its exit code."""

from __future__ import annotations

import textwrap
from pathlib import Path


class ToolkitError(Exception):
    """A problem told in one sentence; the command line exits with `exit_code`."""

    exit_code = 1

    def __str__(self) -> str:
        """One line that any terminal shows, whatever characters the names of files have."""
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in super().__str__())


class UsageError(ToolkitError):
    """The request itself is wrong: an option, a path or a value that is not accepted."""

    exit_code = 2


class AudioError(ToolkitError):
    """The audio given cannot be restored: not audio, empty, not finite."""


class ExportError(ToolkitError):
    """A component cannot be written in the format asked for."""


class ParityError(ToolkitError):
    """An artifact does not compute what the reference computes."""

    exit_code = 3


class BudgetError(ToolkitError):
    """A limit on size, speed or memory is exceeded."""

    exit_code = 4


class BackendMissingError(ToolkitError):
    """The engine asked for is not installed or does not run on this machine."""

    exit_code = 5


class IntegrityError(ToolkitError):
    """A bundle file is missing, altered, or of a version that is not understood."""

    exit_code = 6


def reason(error: BaseException, path: Path | None = None) -> str:
    """What a library's error says, short and on one line, the name of the file left out."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    named = said if path is None else said.replace(str(path), "it")
    printable = "".join(c if c.isprintable() else " " for c in named)
    return textwrap.shorten(printable, 200, placeholder=" ...")
