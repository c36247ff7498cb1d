"""Microphones and loudspeakers, through PortAudio."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import BackendMissingError, UsageError, reason
from ..core.signal.rates import RATE_HZ
from .live import Exchange

Device = int | str | None
"""A device by its number or a part of its name; None for the system's own choice."""


@dataclass(frozen=True)
class Form:
    """What is asked of the devices."""

    channels: int = 1
    heard: Device = None
    said: Device = None
    rate_hz: int = RATE_HZ
    block_s: float = 0.02
    """A callback is given so much sound."""


@contextmanager
def opened(exchange: Exchange, form: Form, *, plays: bool) -> Iterator[None]:
    """Open devices that give the exchange what they hear and, where it `plays`, say what it has.

    Raises `BackendMissingError` without sounddevice, `UsageError` for devices that do not work.
    """
    sounddevice = _engine()

    def hear(heard: Any, frames: int, time: Any, status: Any) -> None:
        exchange.hear(np.array(heard, np.float32))

    def both(heard: Any, said: Any, frames: int, time: Any, status: Any) -> None:
        exchange.hear(np.array(heard, np.float32))
        said[:] = exchange.say(frames)

    how = {
        "samplerate": form.rate_hz,
        "channels": form.channels,
        "blocksize": round(form.block_s * form.rate_hz),
        "dtype": "float32",
        "latency": "low",
    }
    try:
        if plays:
            device = (form.heard, form.said)
            running = sounddevice.Stream(device=device, callback=both, **how)
        else:
            running = sounddevice.InputStream(device=form.heard, callback=hear, **how)
        with running:
            yield
    except (sounddevice.PortAudioError, ValueError) as error:
        raise UsageError(f"the sound device cannot be used: {reason(error)}") from error


def _engine() -> Any:
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # the latter where PortAudio itself is missing
        raise BackendMissingError(
            f"sounddevice cannot be imported ({error}); install it with: "
            "pip install 'hiresldm[live]', and on Linux PortAudio: apt install libportaudio2"
        ) from error
    return sounddevice
