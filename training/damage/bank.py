"""Clips on the device that trains: any stretches of any of them as one batch."""

from __future__ import annotations

import torch
from torch import Tensor

from ...core.errors import UsageError
from ..data.corpus import RATE_HZ
from ..data.material import Clips, Material
from .draws import Draw

LONGEST_MINUTES = 6.0
"""Of a speaker's minutes no more than these make it likelier to be drawn."""


class Bank:
    """Waves that lie as 16-bit samples on a device."""

    def __init__(self, clips: Clips, device: torch.device) -> None:
        self.audio = torch.from_numpy(clips.audio).to(device)
        self.offsets = torch.from_numpy(clips.offsets).to(device)
        self.lengths = torch.from_numpy(clips.lengths).to(device)

    def __len__(self) -> int:
        return len(self.lengths)

    def stretches(self, which: Tensor, starts: Tensor, count: int) -> Tensor:
        """(B, count) samples of clips (B,) from their samples (B,) on, silence after their ends."""
        places = starts[:, None] + torch.arange(count, device=self.audio.device)
        lengths = self.lengths[which][:, None]
        inside = torch.minimum(places, lengths - 1)
        found = self.audio[self.offsets[which][:, None] + inside].float() / 32768
        return found * (places < lengths)

    def loops(self, which: Tensor, starts: Tensor, count: int) -> Tensor:
        """The same, but each clip begins anew where it ends."""
        places = starts[:, None] + torch.arange(count, device=self.audio.device)
        places = places % self.lengths[which][:, None]
        return self.audio[self.offsets[which][:, None] + places].float() / 32768

    def anywhere(self, size: int, count: int, draw: Draw) -> Tensor:
        """(size, count) samples from random places of random clips."""
        which = draw.below(len(self), size)
        return self.loops(which, self.within(which, draw), count)

    def within(self, which: Tensor, draw: Draw) -> Tensor:
        """A random sample (B,) of each clip."""
        places = draw.uniform(len(which))[:, 0] * self.lengths[which]
        return places.long()


class Sounds:
    """A material on a device: speech as recorded and as it should sound, noise, rooms, codecs."""

    def __init__(self, material: Material, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        speech = material.speech
        self.recorded, self.target = (
            Bank(clips, self.device) for clips in (speech.recorded, speech.target)
        )
        self.noise = Bank(material.noise, self.device) if len(material.noise) else None
        self.rooms = torch.from_numpy(material.rooms.responses).to(self.device).float()
        self.direct = torch.from_numpy(material.rooms.direct).to(self.device)
        self.bandwidth_hz = torch.from_numpy(speech.bandwidth_hz).to(self.device).float()
        self.speaker = torch.from_numpy(speech.speaker).to(self.device)
        self.coded = [
            (Bank(one.clips, self.device), torch.from_numpy(one.of).to(self.device))
            for one in material.coded
        ]
        self._likely: dict[float, Tensor] = {}

    def pick(self, size: int, draw: Draw, *, least_hz: float = 0.0) -> Tensor:
        """Clips (size,) with sound up to `least_hz`: speakers by the square root of their minutes.

        Raises `UsageError` where no clip sounds so far up.
        """
        if least_hz not in self._likely:
            self._likely[least_hz] = self._likelihood(least_hz)
        return torch.multinomial(
            self._likely[least_hz], size, replacement=True, generator=draw.generator
        )

    def _likelihood(self, least_hz: float) -> Tensor:
        used = (self.bandwidth_hz >= least_hz).double()
        if not used.any():
            raise UsageError(f"no clip sounds up to {least_hz:g} Hz, which this stage learns from")
        minutes = used * self.recorded.lengths / (60 * RATE_HZ)
        voices = int(self.speaker.max()) + 1
        total = torch.zeros(voices, dtype=torch.double, device=self.device)
        count = torch.zeros_like(total)
        total.index_add_(0, self.speaker, minutes)
        count.index_add_(0, self.speaker, used)
        likely = total.clamp(max=LONGEST_MINUTES).sqrt() / count.clamp(min=1)
        return (used * likely[self.speaker]).float()
