"""What a draw adds to a mean: the components of the comparison whose answers are known."""

import numpy as np
import pytest

from hiresldm.benchmarks.experiments.draws import mean_of, spread, top_level
from hiresldm.benchmarks.quality.testset import Pair

RATE_HZ = 48_000


def test_the_mean_of_many_draws_is_where_they_gather():
    def denoiser(given):
        return {"clean": given["condition"] + given["noisy"]}

    shape = (1, 50, 64)
    given = {"condition": np.full(shape, 2.0, np.float32), "noisy": np.zeros(shape, np.float32)}
    made = mean_of(denoiser, 16)(given)["clean"]
    assert made.dtype == np.float32
    assert made.mean() == pytest.approx(2.0, abs=0.02)
    assert made.std() == pytest.approx(0.25, abs=0.02)


def test_the_level_of_the_top_minds_the_band_of_the_clip_alone(speech):
    pair = Pair("x", (), "x", "x", 12_000.0, speech, speech)
    time_s = np.arange(len(speech)) / RATE_HZ
    loud = 0.1 * np.sin(2 * np.pi * 14_000 * time_s).astype(np.float32)
    assert top_level(pair, speech)["top_db"] == pytest.approx(0.0, abs=1e-6)
    assert top_level(pair, speech * np.float32(0.5))["top_db"] == pytest.approx(-6.02, abs=0.01)
    assert top_level(pair, speech + loud)["top_db"] == pytest.approx(0.0, abs=0.1)


def test_draws_of_a_model_that_minds_the_seed_lie_apart(toy_restorer, noisy):
    pair = Pair("x", (), "x", "x", 24_000.0, None, noisy)
    restorer = toy_restorer()
    assert 0 < spread(pair, restorer) < 60
