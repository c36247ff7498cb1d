"""What a fuzzer works on, and the judge of what came of an input."""

from __future__ import annotations

import hashlib
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hiresldm.core.errors import IntegrityError, ToolkitError

from .memory import Meter
from .mutations import Mutation, on_bytes

LONGEST_SENTENCE = 600
SPARE_BYTES = 96 << 20
BYTES_PER_BYTE = 64
"""What reading may take: some for the library, and this many bytes for each of the file."""


def _nothing(folder: Path) -> None:
    """Nothing lies beside the input."""


@dataclass(frozen=True)
class Target:
    """A reader of files: the input is written to `file` in a folder of its own, and read from it.

    `seeds` are valid files, `surround` lays what must lie beside the input, `error` is what the
    reader may raise.
    """

    name: str
    file: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[Path], object]
    mutate: Mutation = on_bytes
    error: type[ToolkitError] = IntegrityError
    surround: Callable[[Path], None] = _nothing


class Trial:
    """A target in a folder: counts outcomes and keeps the input of each kind of finding."""

    def __init__(self, target: Target, folder: Path, findings: Path) -> None:
        self.target = target
        self.input = folder / target.file
        self.findings = findings
        self.outcomes: Counter[str] = Counter()
        self.found: dict[str, str] = {}
        self.input.parent.mkdir(parents=True, exist_ok=True)
        target.surround(folder)

    def __call__(self, data: bytes) -> str:
        """Read an input; returns "read", the name of the error that came as it should, or ""."""
        self.input.write_bytes(data)
        meter = Meter()
        outcome, fault = self._outcome()
        if (taken := meter.taken_bytes()) > SPARE_BYTES + BYTES_PER_BYTE * len(data):
            fault = f"takes {taken >> 20} MiB for {len(data)} bytes"
        self.outcomes["finding" if fault else outcome] += 1
        if fault:
            self._keep(fault, data)
        return "" if fault else outcome

    def _outcome(self) -> tuple[str, str]:
        try:
            self.target.read(self.input)
        except self.target.error as error:
            return type(error).__name__, _flaw(str(error), self.input)
        except Exception as error:  # the finding that fuzzing is for
            frame = traceback.extract_tb(error.__traceback__)[-1]
            return "", f"{type(error).__name__} in {Path(frame.filename).name}, {frame.name}"
        return "read", ""

    def _keep(self, fault: str, data: bytes) -> None:
        if fault not in self.found:
            self.findings.mkdir(parents=True, exist_ok=True)
            name = f"{self.target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
            (self.findings / name).write_bytes(data)
            self.found[fault] = name


def _flaw(sentence: str, path: Path) -> str:
    """What is wrong with the words of an error, if anything."""
    if not sentence or not sentence.isprintable():
        return f"not one line: {sentence[:80]!r}"
    if len(sentence) > LONGEST_SENTENCE + len(str(path)):
        return f"{len(sentence)} characters: {sentence[:80]!r}"
    return f"a path twice: {sentence[:80]!r}" if sentence.count(str(path)) > 1 else ""
