"""The sampler against a distribution whose answer is known, and NumPy against torch."""

import numpy as np
import pytest
import torch

from hiresldm.core.signal.sampler import ddim, dpmpp_2m, signal_and_noise, timesteps


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


def test_the_second_order_sampler_needs_fewer_steps_for_the_same_error():
    """The path of Gaussian data is known: here from e at t = 1 to 3 + e / 2 at t = 0."""
    noise = np.random.default_rng(0).standard_normal(1000)
    denoise = gaussian_denoiser(3.0, 0.5)

    def error(sample, steps):
        return np.abs(
            sample(denoise, noise * 0, noise, timesteps(steps, 1.0)) - 3 - noise / 2
        ).max()

    assert error(dpmpp_2m, 16) < 0.3 * error(ddim, 16)
    assert error(dpmpp_2m, 64) < 0.4 * error(dpmpp_2m, 32)
    assert error(dpmpp_2m, 2) == error(ddim, 2)


@pytest.mark.parametrize("sample", [ddim, dpmpp_2m])
def test_numpy_and_torch_agree_to_the_bit(sample):
    rng = np.random.default_rng(1)
    recovered, noise = rng.standard_normal((2, 1, 7, 4)).astype(np.float32)
    denoise = gaussian_denoiser(0.1, 0.7)
    on_numpy = sample(denoise, recovered, noise, timesteps(4, 0.6))
    on_torch = sample(
        denoise, torch.from_numpy(recovered), torch.from_numpy(noise), timesteps(4, 0.6)
    )
    assert np.array_equal(on_numpy, on_torch.numpy())


def test_a_warm_start_holds_the_recovered_latent():
    recovered = np.full((1, 3, 2), 5.0)
    seen = []
    ddim(lambda z, t: seen.append(z) or z, recovered, np.zeros_like(recovered), (0.5,))
    assert seen[0] == pytest.approx(recovered * np.cos(np.pi / 4))
