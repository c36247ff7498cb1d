"""Metrics against closed forms, and against everything that must not score well."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiresldm.core.errors import UsageError
from hiresldm.core.signal.metrics import band_limited, lost_speech, lsd, si_sdr_db, snr_db
from hiresldm.core.spec import Array

NOISE = np.random.default_rng(0).standard_normal(48_000).astype(np.float32)
SYLLABLES = NOISE * np.repeat(np.tile(np.array([1, 0], np.float32), 4), 6000)
"""An eighth of a second of noise and as much of silence, four times."""
OTHER = np.random.default_rng(1).standard_normal(48_000).astype(np.float32)


@pytest.mark.parametrize(
    ("candidate", "expected_db"),
    [
        (NOISE * 0, 0.0),
        (NOISE * 2, 0.0),
        (-NOISE, -20 * math.log10(2)),
        (NOISE * np.float32(0.5), 20 * math.log10(2)),
        (NOISE.copy(), math.inf),
    ],
)
def test_snr_of_known_errors(candidate: Array, expected_db: float) -> None:
    assert snr_db(NOISE, candidate) == pytest.approx(expected_db, abs=1e-6)


@given(st.floats(-60, 120), st.sampled_from([(48_000,), (2, 24_000), (3, 4, 4000)]))
def test_snr_is_the_ratio_of_powers(level_db: float, shape: tuple[int, ...]) -> None:
    scale = np.linalg.norm(NOISE.astype(float)) / np.linalg.norm(OTHER.astype(float))
    error = OTHER.astype(float) * scale * 10 ** (-level_db / 20)
    reference = NOISE.astype(float).reshape(shape)
    candidate = reference + error.reshape(shape)
    assert snr_db(reference, candidate) == pytest.approx(level_db, abs=1e-6)


@given(st.floats(0.01, 100), st.floats(-40, 60), st.booleans())
def test_si_sdr_ignores_gain_and_sign(gain: float, level_db: float, flipped: bool) -> None:
    reference = NOISE.astype(float)
    error = OTHER - reference * (np.vdot(reference, OTHER) / np.vdot(reference, reference))
    error *= np.linalg.norm(reference) / np.linalg.norm(error) * 10 ** (-level_db / 20)
    candidate = (reference + error) * (-gain if flipped else gain)
    assert si_sdr_db(NOISE, candidate) == pytest.approx(level_db, abs=1e-6)


def test_a_limited_band_ends_where_it_is_told_to() -> None:
    time_s = np.arange(48_000) / 48_000
    below, above = (np.sin(2 * np.pi * hz * time_s).astype(np.float32) for hz in (7000, 9000))
    assert np.allclose(band_limited(below + above, 8000.0), below, atol=1e-5)
    assert band_limited(above, 24_000.0) is above


@pytest.mark.parametrize("fault", [math.nan, math.inf, -math.inf])
def test_one_value_that_is_not_finite_never_scores_well(fault: float) -> None:
    candidate = NOISE.copy()
    candidate[100] = fault
    assert snr_db(NOISE, candidate) == -math.inf
    assert si_sdr_db(NOISE, candidate) == -math.inf
    assert lsd(NOISE, candidate) == math.inf
    assert lost_speech(SYLLABLES, candidate)["all"] == 1.0


def test_silence_never_scores_well() -> None:
    silence = np.zeros_like(NOISE)
    assert si_sdr_db(NOISE, silence) == si_sdr_db(silence, NOISE) == -math.inf
    assert snr_db(silence, NOISE) == -math.inf
    assert lsd(NOISE, silence) > 8


@pytest.mark.parametrize("gain", [10.0, 0.1, 2.0])
def test_lsd_of_a_gain_is_the_gain_in_every_bin(gain: float) -> None:
    expected = abs(2 * math.log10(gain))
    assert lsd(NOISE, NOISE * np.float32(gain)) == pytest.approx(expected, rel=1e-4)


def test_lsd_sees_the_band_that_it_is_asked_for_and_the_clip_holds() -> None:
    spectrum = np.fft.rfft(NOISE)
    spectrum[12_000:] *= 10  # 12 kHz and up: one bin per hertz
    raised = np.fft.irfft(spectrum).astype(np.float32)
    assert lsd(NOISE, raised, low_hz=13_000) == pytest.approx(2.0, abs=0.01)
    assert lsd(NOISE, raised, high_hz=11_000) < 0.02
    assert lsd(NOISE, raised, bandwidth_hz=11_000) < 0.02
    assert lsd(NOISE, raised) == pytest.approx(2 * math.sqrt(0.5), abs=0.02)
    assert math.isnan(lsd(NOISE, raised, low_hz=8000, bandwidth_hz=4000))


def test_lsd_does_not_hear_below_its_floor() -> None:
    assert lsd(NOISE * np.float32(5e-7), NOISE * 0) == 0.0  # power around 2e-10
    assert lsd(NOISE * np.float32(1e-4), NOISE * 0) > 2


def test_no_speech_is_lost_by_a_gain_by_noise_or_by_less_noise(speech: Array) -> None:
    noise = np.resize(OTHER, len(speech)) * speech.std()
    hissy = speech + np.float32(0.03) * noise
    for reference, candidate in ((speech, speech), (speech, speech + noise), (hissy, speech)):
        for gain in (1.0, -0.01, 20.0):
            assert set(lost_speech(reference, candidate * np.float32(gain)).values()) == {0.0}


@pytest.mark.parametrize(("lower_db", "share"), [(9.0, 0.0), (20.0, 0.5), (60.0, 0.5)])
def test_lost_speech_is_the_share_that_is_over_12_db_lower(lower_db: float, share: float) -> None:
    hz = np.fft.rfftfreq(len(SYLLABLES), 1 / 48_000)
    top = np.fft.irfft(np.fft.rfft(SYLLABLES) * (hz > 8000)).astype(np.float32)
    late = np.arange(len(SYLLABLES)) >= len(SYLLABLES) // 2
    gain = np.float32(10 ** (-lower_db / 20))
    made = lost_speech(SYLLABLES, SYLLABLES - (1 - gain) * top * late)
    assert made["low"] == made["mid"] == made["high"] == 0.0
    assert made["top"] == pytest.approx(share, abs=0.03)
    assert made["all"] == pytest.approx(share / 7, abs=0.01)  # one band of seven
    whole = lost_speech(SYLLABLES, SYLLABLES * np.where(late, gain, 1))
    assert list(whole.values()) == pytest.approx([share] * 5, abs=0.05)


def test_lost_speech_needs_speech_and_hears_silence(speech: Array) -> None:
    assert set(lost_speech(speech, speech * 0).values()) == {1.0}
    narrow = lost_speech(speech, speech * 0, bandwidth_hz=7000)
    assert math.isnan(narrow["top"]) and narrow["high"] == narrow["all"] == 1.0
    for nothing in (speech * 0, NOISE):  # hiss that never pauses is no speech
        assert all(map(math.isnan, lost_speech(nothing, nothing).values()))


def test_lsd_is_that_of_ap_bwe() -> None:
    torch = pytest.importorskip("torch")

    def log_power(wave: Array) -> object:
        window = torch.hann_window(2048)
        spectrum = torch.stft(torch.from_numpy(wave), 2048, 512, window=window, return_complex=True)
        return torch.log10(spectrum.abs().square().clamp(1e-8))

    difference = log_power(NOISE[:30_001]) - log_power(OTHER[:30_001])  # type: ignore[operator]
    expected = difference.square().mean(dim=0).sqrt().mean().item()
    assert lsd(NOISE[:30_001], OTHER[:30_001]) == pytest.approx(expected, rel=1e-4)


def test_what_cannot_be_compared_is_refused() -> None:
    for metric in (snr_db, si_sdr_db, lsd, lost_speech):
        with pytest.raises(UsageError, match=r"\(48000,\) and \(1, 48000\)"):
            metric(NOISE, NOISE[None])
        with pytest.raises(UsageError, match="not empty"):
            metric(NOISE[:0], NOISE[:0])
        with pytest.raises(UsageError, match="reference"):
            metric(NOISE * np.float32(np.nan), NOISE)
    for of_waves in (lsd, lost_speech):
        with pytest.raises(UsageError, match="wave"):
            of_waves(NOISE[None], NOISE[None])
