"""Time of every component on 10 s of audio: `pytest -o addopts= <this file>`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hiresldm.core.spec import Array, Runner
from hiresldm.families.hiresldm.components import NAMES as COMPONENTS
from hiresldm.families.hiresldm.components import components
from hiresldm.families.hiresldm.frontend import FrontEnd, istft, stft
from hiresldm.families.hiresldm.host import Host
from hiresldm.runtimes.restorer import Restorer

RATE_HZ = 48_000
SECONDS = 10

T = TypeVar("T")


@pytest.fixture(scope="module")
def embedded() -> dict[str, Runner]:
    """The components of the embedded model, on one thread."""
    runners: dict[str, Runner] = {}

    def kept(name: str, runner: Runner) -> Runner:
        runners[name] = runner
        return runner

    Restorer.load(threads=1, wrap=kept)
    return runners


def test_host_transforms(benchmark: BenchmarkFixture, speech: Array) -> None:
    wave, front = np.resize(speech, SECONDS * RATE_HZ), FrontEnd()

    def there_and_back() -> Array:
        return istft(stft(wave, front), front)

    made = _timed(benchmark, there_and_back)
    assert np.allclose(made, wave, atol=1e-4)


@pytest.mark.parametrize("component", COMPONENTS)
def test_component(
    benchmark: BenchmarkFixture, embedded: dict[str, Runner], component: str
) -> None:
    declared = {one.name: one for one in components(Host())}[component]
    frames = SECONDS * RATE_HZ // Host().hop
    inputs = declared.sample(frames, seed=0)
    made = _timed(benchmark, lambda: embedded[component](inputs))
    assert {name: array.shape for name, array in made.items()} == {
        output.name: declared.shape_of(output, frames) for output in declared.outputs
    }


def _timed(benchmark: BenchmarkFixture, function: Callable[[], T]) -> T:
    """Few rounds: what counts here is seconds, not the last per cent."""
    made: T = benchmark.pedantic(function, rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]
    return made
