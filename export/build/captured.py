"""What the parts see as sound passes the model: inputs to judge files by, where none were given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...core.restorer import Restorer
from ...core.spec import Array, Arrays, Runner
from ...families.hiresldm.frontend import FrontEnd

SECONDS = 1.5
_TIMES = (1.0, 0.5)


def probe(runners: Mapping[str, Runner], front: FrontEnd) -> dict[str, list[Arrays]]:
    """Inputs of every part while the runners restore a made-up voice in noise, two steps long."""
    seen: dict[str, list[Arrays]] = {name: [] for name in runners}

    def listening(name: str, runner: Runner) -> Runner:
        def run(arrays: Arrays) -> dict[str, Array]:
            seen[name].append(dict(arrays))
            return runner(arrays)

        return run

    ears = {name: listening(name, runner) for name, runner in runners.items()}
    restorer = Restorer(ears, front, {len(_TIMES): _TIMES}, default_steps=len(_TIMES))
    restorer(voice(front.sample_rate_hz), front.sample_rate_hz)
    return seen


def voice(rate_hz: int) -> Array:
    """A wave (N,) with what upsets numbers: gliding harmonics, noise, near silence, a click."""
    rng = np.random.default_rng(0)
    at = np.arange(round(SECONDS * rate_hz)) / rate_hz
    phase = 2 * np.pi * np.cumsum(140 + 40 * np.sin(2 * np.pi * at)) / rate_hz
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 30))
    syllables = np.maximum(0.0, np.sin(2 * np.pi * 2 * at))
    wave = 0.1 * harmonics * syllables + 0.003 * rng.standard_normal(len(at))
    wave[: rate_hz // 10] *= 1e-4
    wave[len(wave) // 2] = 1.0
    return wave.astype(np.float32)
