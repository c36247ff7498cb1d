"""Training on a bare folder of audio: it learns, resumes to the bit, and survives bad batches."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from tiny import TINY
from torch.utils.tensorboard import SummaryWriter

from hiresldm.core.errors import IntegrityError, UsageError
from hiresldm.reference.config import EDGE, ModelConfig
from hiresldm.reference.frontend import stft
from hiresldm.reference.training import run, stages
from hiresldm.reference.training.cache import PairCache, open_or_render
from hiresldm.reference.training.loop import Schedule, Trainer
from hiresldm.reference.training.losses import (
    band_mask,
    compressed_loss,
    decoded_loss,
    level_loss,
    shape_loss,
    waveform_loss,
)
from hiresldm.reference.training.loudness import loudness_loss
from hiresldm.reference.training.variety import varied
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE as EMBEDDED


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, speech: np.ndarray) -> Path:
    """A folder of two files without any manifest."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("a", "b"):
        (folder / name).mkdir()
        soundfile.write(folder / name / "x.wav", speech[:120_000], 48_000)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, data: Path) -> PairCache:
    return open_or_render(data, "train", tmp_path_factory.mktemp("cache"), variants=2, seed=0)


def trainer(cache: PairCache, out: Path, config: ModelConfig = TINY) -> Trainer:
    torch.manual_seed(0)
    stage = stages.RecoveryStage(config, batch=2, seconds=0.5)
    made = Trainer(stage, cache, out, Schedule(minutes=60.0))
    made.own.mkdir(parents=True, exist_ok=True)
    return made


def steps(made: Trainer, count: int) -> None:
    with SummaryWriter(str(made.own / "log")) as log:
        for _ in range(count):
            made.step(nullcontext, log)


def test_a_resumed_run_takes_the_very_same_steps(cache: PairCache, tmp_path: Path):
    straight = trainer(cache, tmp_path / "straight")
    steps(straight, 6)
    first = trainer(cache, tmp_path / "broken")
    steps(first, 3)
    first.save()
    second = trainer(cache, tmp_path / "broken")
    second.resume()
    steps(second, 3)
    assert second.state.step == 6
    expected, got = straight.average.state_dict(), second.average.state_dict()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_all_stages_train_and_leave_weights_and_a_plot(data: Path, tmp_path: Path):
    for stage in run.STAGES:
        job = run.Job(stage, data, tmp_path, TINY, minutes=0.03, variants=1)
        state = run.train(job, resume=False, quiet=True)
        assert state.step > 0
        assert state.skipped == 0
    parts = {path.stem for path in tmp_path.glob("*.safetensors")}
    assert parts == {"recovery", "encoder", "decoder", "denoiser"}
    with pytest.raises(UsageError, match="--resume"):
        run.train(job, resume=False, quiet=True)


def test_validation_speech_is_heard_with_the_averaged_weights(cache: PairCache, tmp_path: Path):
    made = trainer(cache, tmp_path)
    made.valid = cache
    steps(made, 2)
    weights = {name: value.clone() for name, value in made.module.state_dict().items()}
    for _ in range(2):
        made.save()
    first, second = made.state.valid
    assert first == second  # the same batches every time
    assert first[0] == 2 and np.isfinite(first[1])
    after = made.module.state_dict()
    assert all(torch.equal(weights[name], after[name]) for name in weights)
    made.average.module.load_state_dict(weights)
    made.save()
    assert made.state.valid[-1][1] != first[1]


def test_a_stage_asks_for_those_before_it(data: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=r"recovery\.safetensors is missing"):
        run.train(run.Job("denoiser", data, tmp_path, TINY, 0.01), resume=False, quiet=True)


def test_a_run_can_start_from_trained_parts(data: Path, tmp_path: Path):
    first = run.Job("recovery", data, tmp_path / "first", TINY, minutes=0.03, variants=1)
    run.train(first, resume=False, quiet=True)
    again = replace(first, out=tmp_path / "again", minutes=1e-6, init=first.out)
    run.train(again, resume=False, quiet=True)
    started, trained = (load_file(j.out / "recovery.safetensors") for j in (again, first))
    # One step of the warm-up has been taken from there.
    assert all(torch.allclose(started[name], trained[name], atol=1e-4) for name in trained)
    with pytest.raises(IntegrityError, match="do not fit"):
        run.train(replace(again, out=tmp_path / "other", init=EMBEDDED), resume=False, quiet=True)


def test_being_quieter_costs_as_much_as_being_louder(speech: np.ndarray):
    front = EDGE.front
    spectrum = stft(torch.from_numpy(speech[None, 24_000:72_000]), front)
    bandwidth_hz = torch.tensor([20_000.0])
    scales = [
        level_loss(spectrum * 2.0 ** (0.3 * p), spectrum, bandwidth_hz, front) for p in (-1, 0, 1)
    ]
    assert scales[1] == 0
    assert scales[0] == pytest.approx(np.log(2), rel=0.3)  # what lies below the floor costs nothing
    assert scales[0] == pytest.approx(float(scales[2]), rel=0.1)


def test_unknown_phase_does_not_make_a_decoder_quiet(speech: np.ndarray):
    """With random phases, the best magnitude is the true one, not a smaller one."""
    front = EDGE.front
    target = stft(torch.from_numpy(speech[None, 24_000:72_000]), front)
    real, imaginary = target.chunk(2, -1)
    angle = 2 * torch.pi * torch.rand(real.shape, generator=torch.Generator().manual_seed(0))
    turned = torch.cat(
        [
            real * angle.cos() - imaginary * angle.sin(),
            real * angle.sin() + imaginary * angle.cos(),
        ],
        dim=-1,
    )
    mask = torch.ones(1, 1, front.bins)
    losses = [
        float(decoded_loss(turned * scale, target, mask, front)) for scale in (0.8, 1.0, 1.25)
    ]
    assert losses[1] < min(losses[0], losses[2])
    assert decoded_loss(target, target, mask, front) < 1e-6 < losses[1]


def test_the_shape_of_a_clip_counts_as_much_when_it_is_quiet(speech: np.ndarray):
    wave = torch.from_numpy(speech[None, 24_000:72_000])
    noise = 0.1 * torch.randn(wave.shape, generator=torch.Generator().manual_seed(0))
    whole, half = (float(shape_loss(scale * (wave + noise), scale * wave)) for scale in (1.0, 0.5))
    assert whole == pytest.approx(half) == pytest.approx(0.08 / float(wave.abs().mean()), rel=0.02)


def test_loudness_minds_what_is_heard_at_any_level_of_the_recording(speech: np.ndarray):
    wave = torch.from_numpy(speech[None, 24_000:72_000])
    noise = torch.randn(wave.shape, generator=torch.Generator().manual_seed(0)) * wave.std()
    assert loudness_loss(wave, wave, 48_000) < 2e-3
    added = [float(loudness_loss(wave + noise * g, wave, 48_000)) for g in (0.01, 0.1, 1.0)]
    assert added == sorted(added) and added[0] > 0.01
    quiet = float(loudness_loss((wave + noise * 0.1) / 8, wave / 8, 48_000))
    assert quiet == pytest.approx(added[1], rel=1e-3)
    # The same error is worse as a sound that was not there than as one that is missing.
    missing = float(loudness_loss(wave, wave + noise * 0.1, 48_000))
    assert missing < 0.7 * added[1]


def test_digital_silence_gives_finite_losses_and_gradients():
    front = EDGE.front
    spectrum = torch.zeros(2, 10, 2 * front.bins, requires_grad=True)
    wave = torch.zeros(2, 9600, requires_grad=True)
    bandwidth_hz = torch.tensor([0.0, 24_000.0])
    mask = band_mask(bandwidth_hz, front.bins, front.sample_rate_hz)
    loss = compressed_loss(spectrum, spectrum.detach(), mask, front)
    loss = loss + decoded_loss(spectrum, spectrum.detach(), mask, front)
    loss = loss + level_loss(spectrum, spectrum.detach(), bandwidth_hz, front)
    loss = loss + shape_loss(wave, wave.detach())
    loss = loss + waveform_loss(wave, wave.detach(), bandwidth_hz, front.sample_rate_hz)
    loss = loss + loudness_loss(wave, wave.detach(), front.sample_rate_hz)
    loss.backward()
    assert loss.isfinite()
    assert spectrum.grad is not None and spectrum.grad.isfinite().all()
    assert wave.grad is not None and wave.grad.isfinite().all()


def test_a_step_that_is_not_finite_is_skipped_and_counted(cache: PairCache, tmp_path: Path):
    made = trainer(cache, tmp_path)
    before = {name: value.clone() for name, value in made.module.state_dict().items()}
    losses = made.stage.losses
    made.stage.losses = lambda *args: {"bad": losses(*args)["spectrum"] * float("nan")}  # type: ignore[method-assign]
    steps(made, 1)
    assert made.state.skipped == 1
    after = made.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_varied_crops_keep_their_level_and_their_clean_version(cache: PairCache):
    batch = cache.draw(8, 48_000, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    clean, damaged = varied(batch.clean, batch.damaged, 48_000, rng)
    np.testing.assert_allclose((damaged**2).mean(1), (batch.damaged**2).mean(1), rtol=1e-3)
    changed = np.abs(clean - batch.clean).max(1) > 1e-4
    assert 2 <= changed.sum() <= 8
    # Clean speech with no damage anywhere near it stays equal to its damaged version.
    clean, damaged = varied(batch.clean, batch.clean.copy(), 48_000, rng)
    np.testing.assert_allclose(clean, damaged, atol=1e-6)
    silence = np.zeros_like(batch.clean)
    assert not any(np.any(wave) for wave in varied(silence, silence, 48_000, rng))


def test_a_cache_draws_speakers_evenly_and_at_model_loudness(cache: PairCache):
    batch = cache.draw(8, 48_000, np.random.default_rng(0))
    assert batch.clean.shape == batch.damaged.shape == (8, 48_000)
    assert 0.02 < np.sqrt((batch.damaged**2).mean()) < 0.4
    assert {clip.speaker for clip in cache.clips} == {"a", "b"}
    assert len(set(batch.bandwidth_hz)) > 2  # other speeds, other tops
    assert max(batch.bandwidth_hz) <= 24_000
