"""GTCRN (Rong 2024): one small causal network that takes noise out of speech at 16 kHz."""

from __future__ import annotations

from ...core.family import Family
from .host import Host
from .host import components as _components

FAMILY = Family("gtcrn", Host, _components, f"{__name__}.weights")
