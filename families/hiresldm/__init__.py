"""Hi-ResLDM: recovery, then latent diffusion that is conditioned on it, then a decoder."""

from __future__ import annotations

from ...core.family import Family
from .components import components as _components
from .host import Host
from .note import note as _note

FAMILY = Family("hiresldm", Host, _components, f"{__name__}.model", _note)
