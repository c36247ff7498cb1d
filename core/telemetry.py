"""Packages that tell their makers of their use, over the network and unasked: kept from it."""

from __future__ import annotations

import os
import sys


def refuse() -> None:
    """Let those packages find nothing to tell with; to be called before they are imported."""
    # openvino, already when it is imported, and nncf tell with it, and do without it.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
