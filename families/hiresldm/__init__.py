"""Hi-ResLDM: recovery, then latent diffusion that is conditioned on it, then a decoder."""

from __future__ import annotations

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
    from .config import named
    from .model import Model

    return Model(named(size or "edge")).eval()


FAMILY = Family("hiresldm", Host, _components, _outline, _untrained)
