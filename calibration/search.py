"""The smallest mix of fp16, int8 and int4 layers whose audio stays within a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..core.errors import BudgetError
from ..core.schemes import Precision
from ..families.checkpoints import Model
from .layers import quantizable
from .mixed_precision import Recipe
from .sensitivity import Sensitivity
from .simulation import Layers, model_bytes, stored_bytes, uniform

Deltas = Mapping[str, Mapping[str, float]]
"""Difference from fp32 by metric: mean, and the low and high end of its 95 % interval."""


@dataclass(frozen=True)
class Mix:
    """Precisions of the layers, the bytes of the whole model so stored, and what is heard."""

    name: str
    layers: Layers
    bytes: int
    deltas: Deltas
    holds: bool


Hear = Callable[[str, Layers], Mix]
HALVINGS = 4
"""Mixes heard between the smallest that holds the budget and the largest that does not."""
HEARD = 6 + HALVINGS
"""Mixes heard at most in a search."""


@dataclass(frozen=True)
class Choice:
    """A layer at a precision: its bytes, and the noise that it leaves in the output."""

    precision: Precision
    bytes: int
    noise: float


@dataclass(frozen=True)
class Found:
    """The recipe, the mix that it stands for, and every mix that was heard, largest first."""

    recipe: Recipe
    chosen: Mix
    heard: Sequence[Mix]


def search(model: Model, sensitivities: Sequence[Sensitivity], hear: Hear) -> Found:
    """The smallest mix heard that holds, out of those that `descent` lists.

    Heard are fp16, int8 and int4 throughout, the descent where it reaches the bytes of int8, and
    then halves of the bytes between. Raises `BudgetError` where not even fp16 holds.
    """
    path = descent(model, sensitivities)
    fp16 = hear("fp16", path[0])
    if not fp16.holds:
        means = {metric: round(delta["mean"], 4) for metric, delta in fp16.deltas.items()}
        raise BudgetError(f"not even fp16 holds the budget; it differs from fp32 by {means}")
    int8 = hear("int8", uniform(model, Precision.INT8))
    sizes = [model_bytes(model, layers) for layers in path]
    alike = next(index for index, size in enumerate(sizes) if size <= int8.bytes)
    mixed = hear("mixed, bytes of int8", path[alike])
    int4 = hear("int4", path[-1])
    heard = [fp16, int8, mixed, int4]
    if not int4.holds:
        low, high = (alike, len(path) - 1) if mixed.holds else (0, alike)
        heard += _halved(path, sizes, low, high, hear)
    chosen = min((mix for mix in heard if mix.holds), key=lambda mix: mix.bytes)
    recipe = Recipe(model.config.name, chosen.layers)
    return Found(recipe, chosen, sorted(heard, key=lambda mix: -mix.bytes))


def _halved(
    path: Sequence[Layers], sizes: Sequence[int], low: int, high: int, hear: Hear
) -> list[Mix]:
    """Mixes between one that holds (`low`) and one that does not, ever nearer to the border."""
    heard: list[Mix] = []
    while len(heard) < HALVINGS and high - low > 1:
        # The index between both whose size is nearest to the middle of their sizes.
        wanted = (sizes[low] + sizes[high]) / 2
        middle = min(range(low + 1, high), key=lambda index: abs(sizes[index] - wanted))
        heard.append(hear(f"mixed, {middle} of {len(path) - 1} moves", path[middle]))
        low, high = (middle, high) if heard[-1].holds else (low, middle)
    return heard


def descent(model: Model, sensitivities: Sequence[Sensitivity]) -> list[dict[str, Precision]]:
    """From all fp16 to all int4, one layer made smaller at a time, least noise per byte first."""
    noise = {(s.layer, s.precision): s.noise for s in sensitivities}
    moves = []
    for path, layer in quantizable(model).items():
        choices = [Choice(Precision.FP16, stored_bytes(layer, Precision.FP16), 0.0)]
        for precision in (Precision.INT8, Precision.INT4):
            if (path, precision) in noise:
                size = stored_bytes(layer, precision)
                choices.append(Choice(precision, size, noise[path, precision]))
        moves += [(price, path, precision) for price, precision in _moves(choices)]
    made: list[dict[str, Precision]] = [uniform(model, Precision.FP16)]
    for _, path, precision in sorted(moves, key=lambda move: move[0]):
        made.append(made[-1] | {path: precision})
    return made


def _moves(choices: Sequence[Choice]) -> list[tuple[float, Precision]]:
    """Steps down in size with their noise per byte, rising: the lower hull of the choices."""
    kept = list(choices[:1])
    for choice in choices[1:]:
        while len(kept) > 1 and _price(kept[-2], kept[-1]) >= _price(kept[-1], choice):
            kept.pop()
        kept.append(choice)
    return [(_price(a, b), b.precision) for a, b in pairwise(kept)]


def _price(large: Choice, small: Choice) -> float:
    return (small.noise - large.noise) / (large.bytes - small.bytes)
