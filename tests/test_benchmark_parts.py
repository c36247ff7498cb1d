"""Time of every part on 10 s of audio: `pytest --benchmark-only` prints the figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from hiresldm.benchmarks.speed.timing.timing import ClockedRestorer
from pytest_benchmark.fixture import BenchmarkFixture

from hiresldm.core.restorer import PARTS
from hiresldm.core.spec import Array
from hiresldm.families.hiresldm.components import components
from hiresldm.families.hiresldm.config import ModelConfig
from hiresldm.families.hiresldm.frontend import FrontEnd, istft, stft

RATE_HZ = 48_000
SECONDS = 10

T = TypeVar("T")


@pytest.fixture(scope="module")
def embedded() -> ClockedRestorer:
    """The embedded model on one thread."""
    return ClockedRestorer.load(threads=1)


def test_host_transforms(benchmark: BenchmarkFixture, speech: Array) -> None:
    wave, front = np.resize(speech, SECONDS * RATE_HZ), FrontEnd()

    def there_and_back() -> Array:
        return istft(stft(wave, front), front)

    made = _timed(benchmark, there_and_back)
    assert np.allclose(made, wave, atol=1e-4)


@pytest.mark.parametrize("part", PARTS)
def test_part(benchmark: BenchmarkFixture, embedded: ClockedRestorer, part: str) -> None:
    parts = {one.name: one for one in components(ModelConfig(front=embedded.front))}
    frames = SECONDS * RATE_HZ // embedded.front.latent_hop
    inputs = parts[part].sample(frames, seed=0)
    made = _timed(benchmark, lambda: embedded.parts[part](inputs))
    assert {name: array.shape for name, array in made.items()} == {
        output.name: output.concrete({"frames": frames}) for output in parts[part].outputs
    }


def _timed(benchmark: BenchmarkFixture, function: Callable[[], T]) -> T:
    """Few rounds: what counts here is seconds, not the last per cent."""
    made: T = benchmark.pedantic(function, rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]
    return made
