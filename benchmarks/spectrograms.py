"""Spectrograms one above the other: what was damaged, what came back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..core.audio import RATE_HZ
from ..core.errors import BackendMissingError
from ..core.spec import Array

_RANGE_DB = 90.0


def draw(waves: Mapping[str, Array], path: Path) -> None:
    """Write a PNG with one spectrogram per named wave (N,) at 48 kHz, all on one scale.

    Raises `BackendMissingError` without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BackendMissingError(
            "drawing needs matplotlib; install it with: pip install 'hiresldm[quality]'"
        ) from error
    levels = {name: _level_db(wave) for name, wave in waves.items()}
    top_db = max(float(level.max()) for level in levels.values())
    figure = Figure(figsize=(9, 2.2 * len(waves)), layout="constrained")
    rows = figure.subplots(len(waves), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, level) in zip(rows, levels.items(), strict=True):
        extent = (0, len(waves[name]) / RATE_HZ, 0, RATE_HZ / 2000)
        axes.imshow(
            level.T,
            origin="lower",
            aspect="auto",
            extent=extent,
            vmin=top_db - _RANGE_DB,
            vmax=top_db,
            cmap="magma",
        )
        axes.set(title=name, ylabel="kHz")
    rows[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=100)


def _level_db(wave: Array) -> Array:
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, (1024, 1024)), 2048)[::480]
    power = np.abs(np.fft.rfft(frames * np.hanning(2048))) ** 2
    return np.asarray(10 * np.log10(power + 1e-12), np.float32)
