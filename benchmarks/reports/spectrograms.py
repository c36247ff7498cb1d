"""Spectrograms: what was damaged, what came back."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...families.hiresldm.frontend import FrontEnd, expand, stft
from ..figures import blank, save

_RANGE_DB = 90.0
_THUMBNAIL = (420, 210)


def draw(waves: Sequence[tuple[str, Array]], path: Path) -> None:
    """Write a PNG with one spectrogram per titled wave (N,) at 48 kHz, all on one scale.

    Raises `BackendMissingError` without matplotlib.
    """
    levels = [level_db(wave) for _, wave in waves]
    top_db = max(float(level.max()) for level in levels)
    figure = blank(9, 2.2 * len(waves))
    rows = figure.subplots(len(waves), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, wave), level in zip(rows, waves, levels, strict=True):
        extent = (0, len(wave) / RATE_HZ, 0, RATE_HZ / 2000)
        axes.imshow(
            level.T,
            origin="lower",
            aspect="auto",
            extent=extent,
            vmin=top_db - _RANGE_DB,
            vmax=top_db,
            cmap="magma",
        )
        axes.set(title=title, ylabel="kHz")
    rows[-1].set_xlabel("seconds")
    save(figure, path)


def thumbnail(level: Array, top_db: float) -> bytes:
    """A small WebP picture of a spectrogram (T, bins) in dB, its scale ending at `top_db`."""
    from matplotlib import colormaps
    from PIL import Image

    shown = np.clip(1 + (level.T[::-1] - top_db) / _RANGE_DB, 0.0, 1.0)
    colours = Image.fromarray(colormaps["magma"](shown, bytes=True)[..., :3])
    picture = io.BytesIO()
    colours.resize(_THUMBNAIL, Image.Resampling.BOX).save(picture, "WEBP", quality=70)
    return picture.getvalue()


def level_db(wave: Array) -> Array:
    """Level in dB of every bin, (T, bins), of a wave (N,) at 48 kHz."""
    front = FrontEnd()
    padded = np.pad(wave, (0, -len(wave) % front.hop))
    return spectrum_db(stft(padded, front), front)


def spectrum_db(compressed: Array, front: FrontEnd) -> Array:
    """Level in dB of every bin, (T, bins), of a compressed spectrum (T, 2 * bins)."""
    spectrum = expand(compressed, front.compression)
    return np.asarray(20 * np.log10(np.abs(spectrum) + 1e-6), np.float32)
