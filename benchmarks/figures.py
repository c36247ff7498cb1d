"""Pictures: an empty one to draw on, and one that is written whole."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import BackendMissingError
from ..core.outputs import publish

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def blank(width: float, height: float) -> Figure:
    """An empty figure of this size in inches; raises `BackendMissingError` without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BackendMissingError(
            "drawing needs matplotlib; install it with: pip install 'hiresldm[quality]'"
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a PNG by way of a temporary file."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(png(figure))
    publish(partial, path)


def png(figure: Figure) -> bytes:
    """A PNG."""
    held = BytesIO()
    figure.savefig(held, dpi=100, format="png")
    return held.getvalue()
