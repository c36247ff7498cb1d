"""The host around any runners, with every call written down: where expected values come from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..core.calls import Call, noting
from ..core.family import Host, Runners
from ..core.restorer import Restorer
from ..core.spec import Array


@dataclass(frozen=True)
class Trace:
    """A run of the host: the calls of each component in order, and the restored wave (N,)."""

    calls: dict[str, list[Call]] = field(default_factory=dict)
    wave: Array = field(default_factory=lambda: np.zeros(0, np.float32))


def trace(runners: Runners, host: Host, wave: Array, *, steps: int | None = None) -> Trace:
    """Restore a wave (N,) at the host's rate in one chunk at its own level, noting every call."""
    calls: list[Call] = []
    # Without context the components see the frames of the wave and no others.
    restorer = Restorer(
        runners,
        host,
        chunk_s=1.0 + len(wave) / host.sample_rate_hz,
        context_s=0.0,
        wrap=noting(calls),
    )
    own_lufs = [host.loudness_lufs or 0.0]
    restored = np.concatenate(list(restorer.restored([wave[:, None]], own_lufs, steps=steps)))[:, 0]
    by_name: dict[str, list[Call]] = {name: [] for name in runners}
    for call in calls:
        by_name[call.component].append(call)
    return Trace(by_name, restored)
