"""A recipe: the precision of every linear layer, by its path in the PyTorch model."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import IntegrityError, UsageError
from ..core.outputs import publish
from ..core.schemes import Precision

VERSION = 1
ACCEPTED = (Precision.FP16, Precision.INT8, Precision.INT4)
"""What a layer may be stored as; the parts of a layer that are no weight are fp16 in any case."""
_KEYS = {"version", "model", "layers"}


@dataclass(frozen=True)
class Recipe:
    """Precisions by module path, such as `decoder.blocks.blocks.3.expand`, for the model `model`.

    Raises `UsageError` for a precision that is not in `ACCEPTED`.
    """

    model: str
    layers: Mapping[str, Precision]

    def __post_init__(self) -> None:
        for path, precision in self.layers.items():
            if precision not in ACCEPTED:
                raise UsageError(f"{path}: {precision}; a recipe accepts {', '.join(ACCEPTED)}")

    def require(self, paths: Collection[str]) -> None:
        """Raise `UsageError` unless the recipe names exactly the layers `paths` of a model."""
        if missing := sorted(set(paths) - set(self.layers)):
            raise UsageError(f"the recipe for {self.model} says nothing of {', '.join(missing)}")
        if unknown := sorted(set(self.layers) - set(paths)):
            raise UsageError(
                f"the model has no linear layer {', '.join(unknown)} (from the recipe)"
            )


def load(path: Path) -> Recipe:
    """Read a recipe (JSON).

    Raises `UsageError` where there is no such file and `IntegrityError` where it is no recipe, of
    another version, or holds keys or precisions that are not understood.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return _parse(values)
    except OSError as error:
        raise UsageError(f"cannot read the recipe {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, UsageError) as error:
        raise IntegrityError(f"{path}: not a recipe: {error}") from error


def save(recipe: Recipe, path: Path) -> None:
    """Write a recipe as JSON, whole or not at all; raises `UsageError` where that fails."""
    layers = {name: str(precision) for name, precision in recipe.layers.items()}
    text = json.dumps({"version": VERSION, "model": recipe.model, "layers": layers}, indent=1)
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(text + "\n", encoding="utf-8")
        publish(partial, path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def _parse(values: dict[str, object]) -> Recipe:
    if values["version"] != VERSION:
        raise ValueError(f"version {values['version']}; this reader knows {VERSION}")
    if unknown := values.keys() - _KEYS:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    model, layers = values["model"], values["layers"]
    if not isinstance(model, str) or not isinstance(layers, dict):
        raise TypeError("'model' must be a name and 'layers' an object")
    return Recipe(model, {str(name): Precision(value) for name, value in layers.items()})
