"""What components are fed as sound passes the model: inputs to gate files by, if none are given."""

from __future__ import annotations

import numpy as np

from ...core.calls import Call, noting
from ...core.family import Host, Runners
from ...core.restorer import Restorer
from ...core.spec import Array, Arrays

STEPS = 2
SECONDS = 1.5


def captured_inputs(runners: Runners, host: Host) -> dict[str, list[Arrays]]:
    """Inputs of every component while the runners restore a made-up voice in noise.

    A sampler takes two steps, or the fewest above that are offered.
    """
    calls: list[Call] = []
    steps = min((count for count in host.schedules if count >= STEPS), default=None)
    rate_hz = host.sample_rate_hz
    Restorer(runners, host, wrap=noting(calls))(voice(rate_hz), rate_hz, steps=steps)
    return {name: [call.inputs for call in calls if call.component == name] for name in runners}


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
