"""How much more memory a piece of work takes than there was before it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hiresldm.core.memory import peak_bytes

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Meter:
    """Begins to measure when it is made.

    Elsewhere than on Linux only what goes beyond the highest that the process has ever had is seen.
    """

    def __init__(self) -> None:
        with suppress(OSError):
            _FORGET.write_text("5", encoding="ascii")  # the highest so far
        self._begin = _highest()

    def taken_bytes(self) -> int:
        """The most that there was at any moment since, above the beginning."""
        return _highest() - self._begin


def _highest() -> int:
    if not _FORGET.exists():
        return peak_bytes() or 0
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    (kilobytes,) = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return 1024 * kilobytes
