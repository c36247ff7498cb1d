"""What a service grants its clients, so that none can harm the others."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ..core.errors import UsageError


@dataclass(frozen=True)
class Limits:
    """Bounds of one service."""

    workers: int = 1
    """Recordings that are restored at a time."""
    waiting: int = 8
    """Recordings that wait for a worker; the next one is refused."""
    streams: int = 4
    """Live streams at a time; the next one is refused."""
    body_bytes: int = 100_000_000
    body_s: float = 60.0
    """In which a recording must have arrived."""
    request_s: float = 300.0
    """From the first byte to the last one of the answer."""
    audio_s: float = 1800.0
    """Of a recording, whatever its header says."""
    silence_s: float = 30.0
    """In which a live client must send something, or take what it is sent."""


def check_reach(host: str, token: str | None) -> None:
    """Raise `UsageError` where others than this machine would be served without a token."""
    if not token and not is_loopback(host):
        raise UsageError(
            f"{host} may be reached from other machines; a token is needed (--token or "
            "HIRESLDM_TOKEN), or 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
