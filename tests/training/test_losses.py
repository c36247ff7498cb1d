"""Losses on real speech: each asks for what it is named for, and bears silence."""

import numpy as np
import pytest
import torch

from hiresldm.families.hiresldm.config import EDGE
from hiresldm.families.hiresldm.networks.torch_frontend import istft, stft
from hiresldm.training.losses import (
    band_mask,
    compressed_loss,
    decoded_loss,
    level_loss,
    missing_loss,
    shape_loss,
    top_loss,
    waveform_loss,
)
from hiresldm.training.loudness import loudness_loss


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
    assert losses[1] < 1e-6 < min(losses[0], losses[2])


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
    loss = loss + missing_loss(spectrum, spectrum.detach(), mask, front) + top_loss(spectrum, mask)
    loss = loss + decoded_loss(spectrum, spectrum.detach(), mask, front)
    loss = loss + level_loss(spectrum, spectrum.detach(), bandwidth_hz, front)
    loss = loss + shape_loss(wave, wave.detach())
    loss = loss + waveform_loss(wave, wave.detach(), bandwidth_hz, front.sample_rate_hz)
    loss = loss + loudness_loss(wave, wave.detach(), front.sample_rate_hz)
    loss.backward()
    assert loss.isfinite()
    assert spectrum.grad is not None and spectrum.grad.isfinite().all()
    assert wave.grad is not None and wave.grad.isfinite().all()


def test_loud_speech_may_not_be_taken_away_but_what_lies_between_may(speech: np.ndarray):
    front = EDGE.front
    target = stft(torch.from_numpy(speech[None, 24_000:72_000]), front)
    mask = torch.ones(1, 1, front.bins)
    magnitude = torch.hypot(*target.chunk(2, -1))
    loud = (magnitude > 0.3 * magnitude.amax()).repeat(1, 1, 2)
    assert missing_loss(2 * target, target, mask, front) == 0
    assert missing_loss(torch.where(loud, target, 0), target, mask, front) < 1e-6
    assert missing_loss(torch.where(loud, 0, target), target, mask, front) > 1e-2


def test_the_top_above_a_clip_shall_be_quiet(speech: np.ndarray):
    front = EDGE.front
    spectrum = stft(torch.from_numpy(speech[None, 24_000:72_000]), front)
    mask = band_mask(torch.tensor([8000.0]), front.bins, front.sample_rate_hz)
    quiet = spectrum * torch.cat([mask, mask], dim=-1)
    assert top_loss(quiet, mask) < 1e-6 < top_loss(spectrum, mask)


def test_a_wave_comes_back_from_its_spectrum(speech: np.ndarray):
    wave = torch.from_numpy(speech[None, : 100 * 480])
    assert torch.allclose(istft(stft(wave, EDGE.front), EDGE.front), wave, atol=1e-5)
