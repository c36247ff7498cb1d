"""The sampler against a distribution whose answer is known, and NumPy against torch."""

import numpy as np
import pytest
import torch

from hiresldm.core.sampler import ddim, signal_and_noise, timesteps


def gaussian_denoiser(mean: float, std: float):
    """The exact E[z | z_t] of scalar data N(mean, std^2)."""

    def denoise(noisy, t):
        a, s = signal_and_noise(t)
        gain = a * std**2 / (a**2 * std**2 + s**2)
        return mean + gain * (noisy - a * mean)

    return denoise


def test_many_steps_reach_the_data_distribution_and_one_step_only_its_mean():
    noise = np.random.default_rng(0).standard_normal(20_000)
    denoise = gaussian_denoiser(3.0, 0.5)
    many = ddim(denoise, noise * 0, noise, timesteps(64, 1.0))
    one = ddim(denoise, noise * 0, noise, timesteps(1, 1.0))
    assert many.mean() == pytest.approx(3.0, abs=0.02)
    assert many.std() == pytest.approx(0.5, abs=0.02)
    assert one.std() == pytest.approx(0.0, abs=1e-6)


def test_numpy_and_torch_agree_to_the_bit():
    rng = np.random.default_rng(1)
    recovered, noise = rng.standard_normal((2, 1, 7, 4)).astype(np.float32)
    denoise = gaussian_denoiser(0.1, 0.7)
    on_numpy = ddim(denoise, recovered, noise, timesteps(4, 0.6))
    on_torch = ddim(
        denoise, torch.from_numpy(recovered), torch.from_numpy(noise), timesteps(4, 0.6)
    )
    assert np.array_equal(on_numpy, on_torch.numpy())


def test_a_warm_start_holds_the_recovered_latent():
    recovered = np.full((1, 3, 2), 5.0)
    seen = []
    ddim(lambda z, t: seen.append(z) or z, recovered, np.zeros_like(recovered), (0.5,))
    assert seen[0] == pytest.approx(recovered * np.cos(np.pi / 4))
