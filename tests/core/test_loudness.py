"""The meter against the standard's own numbers and another implementation."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiresldm.core.signal.loudness import LoudnessMeter, gain_to
from hiresldm.core.spec import Array

RATE_HZ, HOP = 48_000, 4800


def test_full_scale_997_hz_reads_as_the_standard_says() -> None:
    seconds = np.arange(3 * RATE_HZ) / RATE_HZ
    assert _lufs(np.sin(2 * np.pi * 997 * seconds)) == pytest.approx(-3.01, abs=0.01)


def test_speech_with_a_pause_and_a_quiet_part_agrees_with_pyloudnorm(speech: Array) -> None:
    wave = np.concatenate([speech, speech * 0.01, np.zeros(RATE_HZ, np.float32), speech * 0.3])
    # Whole hops, because pyloudnorm also counts a part of a block at the end.
    wave = wave[: len(wave) // HOP * HOP]
    assert _lufs(wave) == pytest.approx(
        pyloudnorm.Meter(RATE_HZ).integrated_loudness(wave), abs=0.1
    )


@pytest.mark.parametrize("gain_db", [-55.0, -20.0, 25.0])
def test_a_copy_at_another_level_has_the_same_loudness_but_for_its_gain(
    speech: Array, gain_db: float
) -> None:
    wave = np.concatenate([speech, speech * 0.002, speech * 0.1])
    assert _lufs(wave * 10 ** (gain_db / 20)) == pytest.approx(_lufs(wave) + gain_db, abs=1e-3)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=8))
def test_blocks_do_not_matter(speech: Array, sizes: list[int]) -> None:
    meter = LoudnessMeter(48_000)
    for block in np.split(speech, np.cumsum(sizes)):
        meter.add(block)
    assert meter.integrated_lufs() == _lufs(speech)


def test_short_audio_is_measured_without_gates() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(4800) / RATE_HZ)
    assert _lufs(tone) == pytest.approx(-3.0, abs=0.1)


@pytest.mark.parametrize("length", [0, 1, 100, RATE_HZ])
def test_silence_has_no_loudness(length: int) -> None:
    assert _lufs(np.zeros(length)) == -np.inf


def test_gain_reaches_the_target_and_leaves_silence_alone() -> None:
    assert gain_to(-20.0, -26.0) == pytest.approx(10 ** (6 / 20))
    assert gain_to(-20.0, -80.0) == pytest.approx(1000.0)
    assert gain_to(-20.0, 40.0) == pytest.approx(0.001)
    assert gain_to(-20.0, -85.1) == gain_to(-20.0, -np.inf) == 1.0


def _lufs(wave: np.ndarray) -> float:
    meter = LoudnessMeter(48_000)
    meter.add(wave.astype(np.float32))
    return meter.integrated_lufs()
