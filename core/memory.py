"""How much memory this process has taken."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def peak_bytes() -> int | None:
    """Peak memory of the process so far; None on Windows, where none is kept."""
    if find_spec("resource") is None:
        return None
    import resource

    # In bytes on macOS, in kilobytes elsewhere.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)
