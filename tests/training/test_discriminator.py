"""The discriminator of a polish: it learns, and each side trains itself alone."""

import torch

from hiresldm.training.discriminator import SMALL, Discriminator

TOPS_HZ = torch.full((4,), 20_000.0)


def waves() -> tuple[torch.Tensor, torch.Tensor]:
    """Clean ones are steady tones, restored ones noise: easy to tell apart."""
    time_s = torch.arange(12_000) / 48_000
    clean = 0.3 * torch.sin(2 * torch.pi * 440 * time_s).repeat(4, 1)
    noise = torch.randn(4, 12_000, generator=torch.Generator().manual_seed(0))
    return clean, 0.3 * noise


def test_a_discriminator_learns_to_tell_clean_from_restored():
    torch.manual_seed(0)
    discriminator = Discriminator(SMALL, 48_000)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-3)
    clean, restored = waves()
    losses = []
    for _ in range(25):
        loss = discriminator.losses(clean, restored, TOPS_HZ)[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[0] > 1.5  # at first it cannot tell: the hinge stands at two
    assert losses[-1] < 0.5


def test_each_side_gets_gradients_from_its_own_loss_alone():
    discriminator = Discriminator(SMALL, 48_000)
    clean, restored = waves()
    restored.requires_grad_()
    discriminator.losses(clean, restored, TOPS_HZ)[0].backward()
    assert restored.grad is None
    assert all(p.grad is not None and p.grad.isfinite().all() for p in discriminator.parameters())
    discriminator.zero_grad()
    sum(discriminator.losses(clean, restored, TOPS_HZ)[1:]).backward()
    assert restored.grad is not None and restored.grad.isfinite().all()
    assert restored.grad.abs().max() > 0
    assert all(p.grad is None for p in discriminator.parameters())


def test_what_lies_above_the_bandwidth_is_not_heard():
    discriminator = Discriminator(SMALL, 48_000)
    time_s = torch.arange(12_000) / 48_000
    low, high = (0.01 * torch.sin(2 * torch.pi * hz * time_s)[None] for hz in (440, 15_000))
    changes = []
    for top_hz in (8000.0, 20_000.0):
        heard = [discriminator(wave, torch.tensor([top_hz]))[1][-1] for wave in (low, low + high)]
        changes.append(float((heard[1] - heard[0]).detach().abs().max()))
    assert changes[0] < 0.2 * changes[1]


def test_silence_gives_finite_gradients():
    discriminator = Discriminator(SMALL, 48_000)
    silence = torch.zeros(1, 12_000, requires_grad=True)
    sum(discriminator.losses(torch.zeros(1, 12_000), silence, TOPS_HZ[:1])).backward()
    assert silence.grad is not None and silence.grad.isfinite().all()
