"""Resemble Enhance: a denoiser, flow matching in a latent, and a vocoder at 44.1 kHz."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...core.family import Family
from .components import components as _components
from .host import Host

if TYPE_CHECKING:
    from .model import Model


def _outline(config: str) -> Model:
    from .model import outline

    return outline(config)


def _untrained(size: str | None) -> Model:
    from .model import untrained

    return untrained(size)


def _published(file: Path) -> Model:
    from .model import published

    return published(file)


FAMILY = Family("resemble-enhance", Host, _components, _outline, _untrained, _published)
