"""What is compared: stages and pipelines of bundles, and open peers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hiresldm.benchmarks.peers.load import NAMES, Enhance, peers_of
from hiresldm.benchmarks.peers.spectra import overlap_add
from hiresldm.benchmarks.quality.systems import (
    Variant,
    load,
    recover,
    round_trip,
    systems_of,
    variants,
)
from hiresldm.benchmarks.quality.testset import Pair
from hiresldm.core.errors import BackendMissingError, UsageError
from hiresldm.core.signal.metrics import lsd, si_sdr_db
from hiresldm.core.spec import Array
from hiresldm.runtimes.restorer import Restorer

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    """The embedded bundle."""
    return load(Variant("pipeline", None, "ort", None), threads=1)


@pytest.fixture(scope="module")
def pair(speech: Array, noisy: Array) -> Pair:
    """Two seconds of the example."""
    where = slice(RATE_HZ, 3 * RATE_HZ)
    return Pair("mixed", (), "example", "p257", 24_000.0, speech[where], noisy[where], "en")


def test_systems_are_input_stages_and_pipelines(restorer: Restorer, pair: Pair) -> None:
    compared = systems_of({"pipeline": restorer, "student": restorer}, [1, 2], seed=5)
    made = {(one.name, one.steps): one.run(pair) for one in compared if one.steps != 2}
    assert [(one.name, one.steps) for one in compared] == [
        ("input", None), ("recovery", None), ("autoencoder", None),
        ("pipeline", 1), ("pipeline", 2), ("student", 1), ("student", 2),
    ]  # fmt: skip
    assert np.array_equal(made["input", None], pair.damaged)
    assert np.array_equal(made["recovery", None], recover(restorer, pair.damaged))
    expected = restorer(pair.damaged, RATE_HZ, steps=1, seed=5)
    assert np.array_equal(made["pipeline", 1], expected)
    assert np.array_equal(made["student", 1], expected)
    blind = systems_of({"pipeline": restorer}, [], seed=0, referenced=False)
    assert [one.name for one in blind] == ["input", "recovery", "pipeline"]
    with pytest.raises(UsageError, match="99 steps are not offered"):
        systems_of({"pipeline": restorer}, [1, 99], seed=0)


def test_the_round_trip_knows_the_clean_clip(restorer: Restorer, pair: Pair) -> None:
    ceiling = round_trip(restorer, pair.damaged, pair.reference)
    pipeline = restorer(pair.damaged, RATE_HZ, steps=1)
    assert ceiling.shape == pair.damaged.shape
    assert lsd(pair.reference, ceiling) < 0.9 * lsd(pair.reference, pipeline)
    # The level of the damaged wave leads, so turning both up turns the result up and no more.
    louder = round_trip(restorer, pair.damaged * np.float32(2), pair.reference * np.float32(2))
    assert np.allclose(louder, 2 * ceiling, atol=1e-3)


def test_variants_are_bundles_by_engines_by_precisions() -> None:
    assert variants([], [], []) == (Variant("pipeline", None, "ort", None),)
    made = variants(["teacher=a", "b"], ["ort", "openvino"], ["int8"])
    assert [(one.name, one.bundle) for one in made] == [
        ("teacher/ort/int8", Path("a")), ("teacher/openvino/int8", Path("a")),
        ("pipeline/ort/int8", Path("b")), ("pipeline/openvino/int8", Path("b")),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="same name"):
        variants(["a", "b"], [], [])


@pytest.fixture(scope="module", params=NAMES)
def enhance(request: pytest.FixtureRequest) -> Enhance:
    """Each peer in turn, where it is installed."""
    try:
        return peers_of([request.param])[0].enhance
    except BackendMissingError as error:
        pytest.skip(str(error))


def test_a_peer_takes_noise_away_in_step_and_at_level(enhance: Enhance, speech: Array) -> None:
    clean = speech[: 3 * RATE_HZ + 7]
    hiss = np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    noisy = clean + np.float32(0.02) * hiss
    made = enhance(noisy)
    assert made.shape == clean.shape and made.dtype == np.float32
    assert abs(_lag(clean, made)) <= 1
    assert si_sdr_db(clean, made) > si_sdr_db(clean, noisy) + 3.0
    assert abs(20 * np.log10(np.std(made) / np.std(clean))) < 3.0


def test_an_unknown_peer_is_refused() -> None:
    with pytest.raises(UsageError, match="no peer 'demucs'; accepted: all, rnnoise"):
        peers_of(["demucs"])


def test_frames_that_were_not_altered_give_the_wave_back(speech: Array) -> None:
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(960) / 960))
    frames = np.lib.stride_tricks.sliding_window_view(speech[:48_000], 960)[::512] * window
    made = overlap_add(frames, window, 512)
    assert np.allclose(made[1:-1], speech[1 : len(made) - 1], atol=1e-6)


def _lag(reference: Array, candidate: Array) -> int:
    count = 2 * len(reference)
    spectrum = np.fft.rfft(candidate, count) * np.conj(np.fft.rfft(reference, count))
    peak = int(np.argmax(np.fft.irfft(spectrum, count)))
    return peak if peak < len(reference) else peak - count
