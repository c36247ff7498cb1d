"""Packages that tell their makers of their use, over the network and unasked: kept from it."""

from __future__ import annotations

import os
import sys

_TELLERS = ("openvino_telemetry",)
"""What openvino, already when it is imported, and nncf tell with; they do without it."""


def refuse() -> None:
    """Let those packages find nothing to tell with; to be called before they are imported."""
    for name in _TELLERS:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
