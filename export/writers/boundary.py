"""Layers at the edge of a part: they read its inputs or write its outputs."""

from __future__ import annotations

_NAMES = ("embed", "head", "mask")


def at_edge(key: str) -> bool:
    """Whether a weight, by its state-dict key, belongs to such a layer.

    Spectra and masks span more than the 256 levels of an 8-bit activation: in w8a8 these layers
    have 8-bit weights like all others, but compute in float.
    """
    return any(name.startswith(_NAMES) for name in key.split("."))
