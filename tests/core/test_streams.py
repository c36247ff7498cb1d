"""Streams: speech restored as it comes, in blocks of any size."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiresldm import Restorer, ToolkitError
from hiresldm.core.restorer import measure
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.signal.rates import RATE_HZ
from hiresldm.core.spec import Array

MakeRestorer = Callable[..., Any]


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.integers(0, 60_000), max_size=8),
    st.sampled_from(["quality", "live"]),
    st.integers(1, 2),
)
def test_as_many_samples_come_out_as_go_in_and_their_blocks_do_not_matter(
    toy_restorer: MakeRestorer, speech: Array, sizes: list[int], latency: str, channels: int
) -> None:
    wave = speech[:100_000, None].repeat(channels, axis=1)
    restorer = toy_restorer(workers=2)
    stream, other = (restorer.stream(channels, latency=latency) for _ in range(2))
    parts, taken, given_out = [], 0, 0
    for block in np.split(wave, np.cumsum(sizes)):
        parts.append(stream.push(block))
        taken, given_out = taken + len(block), given_out + len(parts[-1])
        assert taken - given_out <= round(stream.latency_s * RATE_HZ)
    made = np.concatenate([*parts, stream.flush().reshape(-1, channels)])
    assert made.shape == wave.shape
    rest = [other.push(wave), other.flush().reshape(-1, channels)]
    assert np.array_equal(made, np.concatenate(rest))


def test_quality_is_that_of_the_whole_wave(noisy: Array) -> None:
    restorer = Restorer.load(precision="fp32", threads=1)
    stream = restorer.stream(latency="quality", loudness_lufs=measure([noisy[:, None]], 1, RATE_HZ))
    parts = [stream.push(noisy[i : i + 7777]) for i in range(0, len(noisy), 7777)]
    assert snr_db(restorer(noisy, RATE_HZ), np.concatenate([*parts, stream.flush()])) > 60.0


def test_live_is_soon_and_follows_the_level(noisy: Array) -> None:
    """Speech that is 20 dB softer is restored as well: its level is not known beforehand."""
    restorer = Restorer.load(precision="fp32", threads=1)
    made = []
    for gain in (1.0, 0.1):
        stream = restorer.stream(latency="live")
        assert stream.latency_s <= 0.16
        wave = noisy[: 2 * RATE_HZ] * np.float32(gain)
        made.append(np.concatenate([stream.push(wave), stream.flush()]) / gain)
    assert snr_db(made[0], made[1]) > 60.0


def test_a_stream_at_another_rate_comes_out_at_the_models(
    toy_restorer: MakeRestorer, speech: Array
) -> None:
    wave = speech[:16_000]
    stream = toy_restorer().stream(sample_rate_hz=16_000, latency="live")
    parts = [stream.push(block) for block in np.split(wave, 50)]
    assert (stream.sample_rate_hz, stream.output_rate_hz) == (16_000, RATE_HZ)
    assert len(np.concatenate([*parts, stream.flush()])) == 3 * len(wave)


def test_ten_minutes_take_no_more_memory_than_one(toy_restorer: MakeRestorer) -> None:
    """Of a stream whose components do nothing, so that the time passes soon."""
    stream = toy_restorer().stream(latency="quality")
    stream._restoration._function = lambda wave, _: wave
    block = np.full(48_000, 0.01, np.float32)
    peaks = []
    tracemalloc.start()
    for seconds in (60, 600):
        tracemalloc.reset_peak()
        for _ in range(seconds):
            stream.push(block)
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] - peaks[0] < 500_000  # the level of ten minutes


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"channels": 0}, "channels"),
        ({"latency": "soon"}, "accepted: quality, live"),
        ({"sample_rate_hz": 10}, "10 Hz"),
        ({"sample_rate_hz": "16000"}, "sample rate"),
        ({"strength": 2}, "strength"),
    ],
)
def test_what_no_stream_is_made_of_is_refused(
    toy_restorer: MakeRestorer, how: dict[str, Any], named: str
) -> None:
    with pytest.raises(ToolkitError, match=named):
        toy_restorer().stream(**how)


@pytest.mark.parametrize(
    "block", [[0.0], np.zeros(3, np.int16), np.zeros((3, 2)), np.full(3, np.nan)]
)
def test_what_is_no_block_is_refused_and_the_stream_goes_on(
    toy_restorer: MakeRestorer, block: Any
) -> None:
    stream = toy_restorer().stream(latency="live")
    with pytest.raises(ToolkitError, match=r"accepted|finite"):
        stream.push(block)
    assert len(stream.push(np.zeros(20_000))) + len(stream.flush()) == 20_000
