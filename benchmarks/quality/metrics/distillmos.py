"""DistillMOS (Stahl 2025): what people would say of speech as a whole, from 1 to 5."""

from __future__ import annotations

import contextlib
import io
import sys
from functools import cache
from types import ModuleType
from typing import Any

from ....core.spec import Array
from ...rates import at_16_khz


def mos(wave: Array) -> float:
    """The opinion of a wave (N,) at 48 kHz, whatever its level."""
    import torch

    with torch.inference_mode():
        return float(_model()(torch.from_numpy(at_16_khz(wave))[None]))


@cache
def _model() -> Any:
    # Its command line alone uses torchaudio, whose wheels do not load where CUDA is missing.
    stand_in = ModuleType("torchaudio")
    sys.modules.setdefault("torchaudio", stand_in)
    try:
        from distillmos import ConvTransformerSQAModel
    finally:
        if sys.modules["torchaudio"] is stand_in:
            del sys.modules["torchaudio"]
    with contextlib.redirect_stdout(io.StringIO()):  # it prints where its weights lie
        return ConvTransformerSQAModel().eval()
