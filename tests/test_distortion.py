"""The distortion chain on real speech: seeded, aligned, and doing what it is named for."""

import numpy as np
import pytest
from scipy import signal

from hiresldm.reference.training import distortion
from hiresldm.reference.training.distortion import KINDS, LEVEL, Distorter
from hiresldm.reference.training.noises import NoiseBank


@pytest.fixture(scope="module")
def distorter(speech: np.ndarray) -> Distorter:
    return Distorter(NoiseBank([speech[::-1].copy()], lambda rng: speech))


def high_band(wave: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(wave)[int(20_000 / 48_000 * len(wave)) :]).mean())


@pytest.mark.parametrize("kind", [*KINDS, LEVEL])
def test_each_kind_is_seeded_finite_and_keeps_the_length(distorter, speech, kind: str):
    first, again, other = (distorter(speech, (kind,), np.random.default_rng(s)) for s in (1, 1, 2))
    assert first.shape == speech.shape
    assert np.isfinite(first).all()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, speech)


@pytest.mark.parametrize("seed", range(6))
def test_a_codec_leaves_speech_where_it_was(speech, seed: int):
    coded = distortion.codec(speech, np.random.default_rng(seed))
    scores = signal.correlate(coded, speech, method="fft")
    assert abs(int(np.argmax(scores)) - (len(speech) - 1)) <= 2


def test_reverb_keeps_the_direct_sound_in_place(speech):
    room = distortion.synthetic_room(np.random.default_rng(0))
    late = np.pad(room, (777, 0))
    echoed = distortion.reverberate(speech, late, wet=0.3)
    scores = signal.correlate(echoed, speech, method="fft")
    assert int(np.argmax(scores)) == len(speech) - 1


@pytest.mark.parametrize("seed", range(4))
def test_low_pass_takes_the_top_away(speech, seed: int):
    hiss = speech + 0.01 * np.random.default_rng(9).standard_normal(len(speech))
    filtered = distortion.low_pass(hiss.astype(np.float32), np.random.default_rng(seed))
    assert high_band(filtered) < 0.7 * high_band(hiss)


def test_silence_survives_every_kind(distorter):
    silence = np.zeros(48_000, np.float32)
    for kind in (*KINDS, LEVEL):
        assert np.isfinite(distorter(silence, (kind,), np.random.default_rng(0))).all()
