"""The loss curve as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

Curve = Sequence[tuple[int, float]]
"""(step, loss), in order."""


def plot_losses(history: Curve, valid: Curve, path: Path, *, smooth: int = 5) -> None:
    """Write loss against step as PNG: each logged value, their running mean, and on new voices."""
    from matplotlib.figure import Figure

    if not history:
        return
    steps, losses = np.array(history).T
    width = min(smooth, len(losses))
    mean = np.convolve(losses, np.ones(width) / width, mode="valid")
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(steps, losses, color="0.8", linewidth=0.8)
    axes.plot(steps[width - 1 :], mean, label="training voices")
    if valid:
        axes.plot(*np.array(valid).T, marker=".", label="validation voices, averaged weights")
    axes.legend()
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    figure.savefig(path, dpi=120)
