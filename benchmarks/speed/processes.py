"""What a fresh process costs: time to start, and peak memory on a short and on a long file."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ...core.errors import ToolkitError
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from .timing import spread

# The folder from which `import hiresldm` works, in a clone as in an installation, comes last and
# the working folder not at all (-P): other packages' modules there must not hide Python's own.
_HOME = f"import sys; sys.path.append({str(Path(__file__).parents[3])!r}); "
COMMAND = ("-P", "-c", _HOME + "from hiresldm.cli.main import main; main()")
"""What follows Python for the command line, from wherever."""
_LOAD = ("-P", "-c", _HOME + "import hiresldm; hiresldm.Restorer.load(sys.argv[1])")
# A file, as people have them: what writes it takes its time too.
_FIRST = (
    *("-P", "-c"),
    _HOME + "import hiresldm; hiresldm.Restorer.load(sys.argv[1]).restore_file(*sys.argv[2:])",
)
FIRST_S = 3.0
"""Length of the file that a fresh process restores."""
# A child inherits its parent's peak on Linux, so a bare interpreter stands between the two.
# ru_maxrss is in bytes on macOS, in kilobytes elsewhere.
_PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(peak * (1 if sys.platform == "darwin" else 1024))
sys.exit(code)
"""


def startup(speech: Array, bundle: Path, *, runs: int) -> dict[str, Any]:
    """Seconds of fresh processes: to load the model, to restore `FIRST_S`, to tell the version.

    Raises `ToolkitError` where a process fails.
    """
    root = str(bundle.resolve())
    with tempfile.TemporaryDirectory() as folder:
        given, made = (str(Path(folder) / name) for name in ("in.wav", "out.wav"))
        soundfile.write(given, np.resize(speech, round(FIRST_S * RATE_HZ)), RATE_HZ)
        commands = {
            "load_s": (*_LOAD, root),
            "first_s": (*_FIRST, root, given, made),
            "version_s": (*COMMAND, "--version"),
        }
        return _taken(commands, Path(made), runs=runs)


def _taken(commands: Mapping[str, Sequence[str]], made: Path, *, runs: int) -> dict[str, Any]:
    """Seconds of each command, which take turns; what they have made goes before the next."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            began = time.perf_counter()
            _run(command)
            taken[name].append(time.perf_counter() - began)
            made.unlink(missing_ok=True)
    return {name: spread(seconds) for name, seconds in taken.items()}


def memory(
    speech: Array, bundle: Path, *, short_s: float, long_s: float, threads: int
) -> dict[str, Any]:
    """Peak memory in bytes of `hiresldm restore` on files that repeat a wave (N,), and the ratio.

    Without figures, but with a reason, on Windows. Raises `ToolkitError` where a process fails.
    """
    if find_spec("resource") is None:
        reason = "not measured: only Unix keeps a process's peak"
        return {"threads": threads, "peaks": [], "ratio": None, "reason": reason}
    peaks = [peak(speech, bundle, audio_s=s, threads=threads) for s in (short_s, long_s)]
    ratio = peaks[1]["peak_bytes"] / peaks[0]["peak_bytes"]
    return {"threads": threads, "peaks": peaks, "ratio": ratio}


def peak_bytes(command: Sequence[str]) -> int:
    """Peak memory of a command run to its end, of the process and not of this one."""
    return int(_run(("-P", "-c", _PEAK, *command)))


def peak(
    speech: Array, bundle: Path, *, audio_s: float, threads: int, channels: int = 1
) -> dict[str, Any]:
    """Peak memory in bytes, and seconds, of `hiresldm restore` on a file that repeats a wave (N,).

    Raises `ToolkitError` where the process fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "in.wav", Path(folder) / "out.wav"
        with soundfile.SoundFile(given, "w", RATE_HZ, channels, subtype="PCM_16") as file:
            for block in _repeated(speech, round(audio_s * RATE_HZ)):
                file.write(np.repeat(block[:, None], channels, axis=1))
        options = ("--bundle", str(bundle.resolve()), "--threads", str(threads), "--quiet")
        restore = (sys.executable, *COMMAND, "restore", str(given), str(made), *options)
        began = time.perf_counter()
        row = {"audio_s": audio_s, "channels": channels, "peak_bytes": peak_bytes(restore)}
        return row | {"seconds": time.perf_counter() - began}


def _repeated(speech: Array, frames: int) -> Iterator[Array]:
    for begin in range(0, frames, len(speech)):
        yield speech[: frames - begin]


def _run(arguments: Sequence[str]) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ToolkitError(f"a measured process failed with code {done.returncode}: {last}")
    return done.stdout
