"""The host around any runners, with every call written down: where expected values come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.manifest import Manifest
from ..core.restorer import Restorer
from ..core.spec import Array, Arrays, Runner


@dataclass(frozen=True)
class Call:
    """What a part was given and what it gave."""

    inputs: Arrays
    outputs: Arrays


@dataclass(frozen=True)
class Trace:
    """A run of the host: the calls of each part in order, and the restored wave (N,)."""

    calls: dict[str, list[Call]] = field(default_factory=dict)
    wave: Array = field(default_factory=lambda: np.zeros(0, np.float32))


def trace(
    runners: Mapping[str, Runner],
    manifest: Manifest,
    wave: Array,
    *,
    steps: int | None = None,
) -> Trace:
    """Restore a wave (N,) at 48 kHz in one chunk at its own level, writing down every call."""
    front = manifest.front
    calls: dict[str, list[Call]] = {name: [] for name in runners}
    heard = {name: _noting(runner, calls[name]) for name, runner in runners.items()}
    # Without context the parts see the frames of the wave and no others.
    restorer = Restorer(
        heard,
        front,
        manifest.sampler,
        default_steps=manifest.default_steps,
        chunk_s=1.0 + len(wave) / front.sample_rate_hz,
        context_s=0.0,
    )
    stream = restorer.stream([front.loudness_lufs], steps=steps)
    restored = np.concatenate([stream.process(wave[:, None]), stream.flush()])[:, 0]
    return Trace(calls, restored)


def restorer_of(
    runners: Mapping[str, Runner], manifest: Manifest, *, buckets: Sequence[int] = ()
) -> Restorer:
    """The host that the bundle describes, around these runners."""
    return Restorer(
        runners,
        manifest.front,
        manifest.sampler,
        default_steps=manifest.default_steps,
        buckets=buckets,
    )


def _noting(runner: Runner, calls: list[Call]) -> Runner:
    def run(inputs: Arrays) -> dict[str, Array]:
        outputs = runner(inputs)
        calls.append(Call(dict(inputs), outputs))
        return outputs

    return run
