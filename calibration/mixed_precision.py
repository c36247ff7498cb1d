"""A mixed-precision config: the precision of every layer, by its path in the PyTorch model."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.bundle.schemes import Precision
from ..core.errors import IntegrityError, UsageError
from ..core.outputs import publish

VERSION = 1
ACCEPTED = (Precision.FP16, Precision.INT8, Precision.INT4)
"""What a layer may be stored as; the components of a layer that are no weight are fp16 in any
case."""
_KEYS = {"version", "model", "layers"}


@dataclass(frozen=True)
class PrecisionConfig:
    """Precisions by module path, such as `decoder.blocks.blocks.3.expand`, for the model `model`.

    Raises `UsageError` for a precision that is not in `ACCEPTED`.
    """

    model: str
    layers: Mapping[str, Precision]

    def __post_init__(self) -> None:
        for path, precision in self.layers.items():
            if precision not in ACCEPTED:
                raise UsageError(
                    f"{path}: {precision}; a mixed-precision config accepts {', '.join(ACCEPTED)}"
                )

    def require(self, paths: Collection[str]) -> None:
        """Raise `UsageError` unless the config names exactly the layers `paths` of a model."""
        if missing := sorted(set(paths) - set(self.layers)):
            raise UsageError(
                f"the mixed-precision config for {self.model} says nothing of {', '.join(missing)}"
            )
        if unknown := sorted(set(self.layers) - set(paths)):
            raise UsageError(
                f"the model has no linear layer {', '.join(unknown)} (from the config)"
            )


def load(path: Path) -> PrecisionConfig:
    """Read a mixed-precision config (JSON).

    Raises `UsageError` where there is no such file and `IntegrityError` where it is no
    mixed-precision config, of another version, or holds keys or precisions that are not understood.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return _parse(values)
    except OSError as error:
        raise UsageError(
            f"cannot read the mixed-precision config {path}: {error.strerror}"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError, UsageError) as error:
        raise IntegrityError(f"{path}: not a mixed-precision config: {error}") from error


def save(config: PrecisionConfig, path: Path) -> None:
    """Write a config as JSON, whole or not at all; raises `UsageError` where that fails."""
    layers = {name: str(precision) for name, precision in config.layers.items()}
    text = json.dumps({"version": VERSION, "model": config.model, "layers": layers}, indent=1)
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(text + "\n", encoding="utf-8")
        publish(partial, path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def _parse(values: dict[str, object]) -> PrecisionConfig:
    if values["version"] != VERSION:
        raise ValueError(f"version {values['version']}; this reader knows {VERSION}")
    if unknown := values.keys() - _KEYS:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    model, layers = values["model"], values["layers"]
    if not isinstance(model, str) or not isinstance(layers, dict):
        raise TypeError("'model' must be a name and 'layers' an object")
    return PrecisionConfig(model, {str(name): Precision(value) for name, value in layers.items()})
