"""One second of audio on its way through the house, as a picture.

`python -m hiresldm.benchmarks.experiments.one_second FILE OUT` has the embedded model restore the
beginning of an audio file, notes what goes into its components and comes out, and draws a second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...audio.reading.reader import read_mono
from ...core.calls import Call, noting
from ...core.errors import ToolkitError
from ...core.outputs import check_target
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...families.hiresldm.frontend import FrontEnd
from ...runtimes.restorer import Restorer
from ..figures import blank, save
from ..reports.spectrograms import spectrum_db
from .ablations import gains

BEGIN_S, READ_S = 1.0, 3.0
RANGE_DB = 80.0
COLUMNS = 3


@dataclass(frozen=True, eq=False)
class Station:
    """What there is at one place: a wave (n,), or an image (frames, rows) up to a height."""

    title: str
    values: Array
    top: float = 0.0
    unit: str = ""


def main(file: Path, out: Path) -> None:
    """Restore, and write the picture; raises what reading a file and drawing raise."""
    check_target(out)
    calls: list[Call] = []
    restorer = Restorer.load(wrap=noting(calls))
    wave = read_mono(file)[: round(READ_S * RATE_HZ)]
    restored = restorer(wave, RATE_HZ, steps=1)
    draw(stations(wave, calls, restored), out)


def stations(wave: Array, calls: Sequence[Call], restored: Array) -> list[Station]:
    """The second from `BEGIN_S` on, from the wave (N,) over the components to the restored one."""
    front = FrontEnd()
    recovery, encoder, denoiser, decoder = calls
    damaged, recovered = recovery.inputs["spectrum"], recovery.outputs["recovered"]
    khz = RATE_HZ / 2000

    def latent(title: str, values: Array) -> Station:
        channels = front.latent_channels
        return Station(title, _second(values[0], front.latent_hop), channels, "channel")

    def spectrum(title: str, values: Array) -> Station:
        level_db = spectrum_db(_second(values[0], front.hop), front)
        shown = np.maximum(level_db, level_db.max() - np.float32(RANGE_DB))
        return Station(title, shown, khz, "kHz")

    gain = gains(damaged[0], recovered[0])
    return [
        Station("1  audio/reading: a wave at 48 kHz", _second(wave, 1)),
        spectrum("2  the host: at -20 LUFS, its spectrum", damaged),
        Station("3  recovery: a gain for every bin", _second(gain, front.hop), khz, "kHz"),
        spectrum("4  what is left: the recovered spectrum", recovered),
        latent("5  encoder: its latent, 50 frames a second", encoder.outputs["latent"]),
        latent("6  sampler: seeded noise beside it", denoiser.inputs["noisy"]),
        latent("7  denoiser: the clean latent, in one step", denoiser.outputs["clean"]),
        spectrum("8  decoder: from 4 and 7, up to 24 kHz", decoder.outputs["restored"]),
        Station("9  audio/writing: the wave, as loud as it was", _second(restored, 1)),
    ]


def draw(shown: Sequence[Station], path: Path) -> None:
    """Write a PNG with the stations in rows; raises `BackendMissingError` without matplotlib."""
    figure = blank(11, 2.4 * len(shown) / COLUMNS)
    grid = figure.subplots(len(shown) // COLUMNS, COLUMNS)
    for axes, station in zip(grid.ravel(), shown, strict=True):
        _plot(axes, station)
    save(figure, path)


def _plot(axes: Any, station: Station) -> None:
    axes.set_title(station.title, fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    if station.values.ndim == 1:
        time_s = BEGIN_S + np.arange(len(station.values)) / RATE_HZ
        axes.plot(time_s, station.values, linewidth=0.3)
        axes.margins(x=0)
        return
    extent = (BEGIN_S, BEGIN_S + 1, 0, station.top)
    image = {"origin": "lower", "aspect": "auto", "extent": extent, "cmap": "magma"}
    axes.imshow(station.values.T, **image)
    axes.set_ylabel(station.unit, fontsize=8)


def _second(values: Array, hop: int) -> Array:
    """The second from `BEGIN_S` on of frames (T, ...) that come every `hop` samples."""
    begin = round(BEGIN_S * RATE_HZ / hop)
    return values[begin : begin + RATE_HZ // hop]


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:3]))
    except ToolkitError as error:
        raise SystemExit(f"error: {error}") from error
