"""Resemble Enhance: a denoiser, flow matching in a latent, and a vocoder at 44.1 kHz."""

from __future__ import annotations

from ...core.family import Family
from .components import components as _components
from .host import Host

FAMILY = Family("resemble-enhance", Host, _components, f"{__name__}.model")
