"""VoiceFixer (Liu 2022): mels are cleaned and completed, then made a wave at 44.1 kHz."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import UsageError
from ...core.family import Family
from .host import Host
from .host import components as _components

if TYPE_CHECKING:
    from ..checkpoints import Model


def _outline(config: str) -> Model:
    from .weights import outline

    return outline(config)


def _untrained(size: str | None) -> Model:
    from .weights import untrained

    if size is not None:
        raise UsageError(f"VoiceFixer has one size; --size {size} cannot be chosen")
    return untrained()


def _published(path: Path) -> Model:
    from .weights import published

    return published(path)


FAMILY = Family("voicefixer", Host, _components, _outline, _untrained, _published)
