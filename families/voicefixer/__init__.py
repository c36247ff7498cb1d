"""VoiceFixer (Liu 2022): mels are cleaned and completed, then made a wave at 44.1 kHz."""

from __future__ import annotations

from ...core.family import Family
from .host import Host
from .host import components as _components

FAMILY = Family("voicefixer", Host, _components, f"{__name__}.weights")
