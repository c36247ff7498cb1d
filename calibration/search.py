"""The smallest mix of fp16, int8 and int4 layers whose audio stays within a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..core.bundle.schemes import Precision
from ..core.errors import BudgetError
from ..families.checkpoints import Model
from .layers import quantizable
from .mixed_precision import PrecisionConfig
from .sensitivity import Sensitivity
from .simulation import Layers, model_bytes, stored_bytes, uniform

Deltas = Mapping[str, Mapping[str, float]]
"""Difference from fp32 by metric: mean, and the low and high end of its 95 % interval."""


@dataclass(frozen=True)
class Trial:
    """Precisions of the layers, the bytes of a model so stored, and what that does to the audio."""

    name: str
    layers: Layers
    bytes: int
    deltas: Deltas
    holds: bool


Evaluate = Callable[[str, Layers], Trial]
HALVINGS = 4
"""Trials between the smallest that holds the budget and the largest that does not."""
MOST_TRIALS = 6 + HALVINGS
"""Trials at most in a search."""


@dataclass(frozen=True)
class Choice:
    """A layer at a precision: its bytes, and the noise that it leaves in the output."""

    precision: Precision
    bytes: int
    noise: float


@dataclass(frozen=True)
class Found:
    """The mixed-precision config, the trial that it stands for, and every trial, largest first."""

    config: PrecisionConfig
    chosen: Trial
    trials: Sequence[Trial]


def search(model: Model, sensitivities: Sequence[Sensitivity], evaluate: Evaluate) -> Found:
    """The smallest trial that holds, out of those that `descent` lists.

    Tried are fp16, int8 and int4 throughout, the descent where it reaches the bytes of int8, and
    then halves of the bytes between. Raises `BudgetError` where not even fp16 holds.
    """
    path = descent(model, sensitivities)
    fp16 = evaluate("fp16", path[0])
    if not fp16.holds:
        means = {metric: round(delta["mean"], 4) for metric, delta in fp16.deltas.items()}
        raise BudgetError(f"not even fp16 holds the budget; it differs from fp32 by {means}")
    int8 = evaluate("int8", uniform(model, Precision.INT8))
    sizes = [model_bytes(model, layers) for layers in path]
    alike = next(index for index, size in enumerate(sizes) if size <= int8.bytes)
    mixed = evaluate("mixed, bytes of int8", path[alike])
    int4 = evaluate("int4", path[-1])
    trials = [fp16, int8, mixed, int4]
    if not int4.holds:
        low, high = (alike, len(path) - 1) if mixed.holds else (0, alike)
        trials += _halved(path, sizes, low, high, evaluate)
    chosen = min((trial for trial in trials if trial.holds), key=lambda trial: trial.bytes)
    config = PrecisionConfig(model.config.name, chosen.layers)
    return Found(config, chosen, sorted(trials, key=lambda trial: -trial.bytes))


def _halved(
    path: Sequence[Layers], sizes: Sequence[int], low: int, high: int, evaluate: Evaluate
) -> list[Trial]:
    """Trials between one that holds (`low`) and one that does not, ever nearer to the border."""
    trials: list[Trial] = []
    while len(trials) < HALVINGS and high - low > 1:
        # The index between both whose size is nearest to the middle of their sizes.
        wanted = (sizes[low] + sizes[high]) / 2
        middle = min(range(low + 1, high), key=lambda index: abs(sizes[index] - wanted))
        trials.append(evaluate(f"mixed, {middle} of {len(path) - 1} moves", path[middle]))
        low, high = (middle, high) if trials[-1].holds else (low, middle)
    return trials


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
        moves += [
            (noise_per_byte, path, precision) for noise_per_byte, precision in _moves(choices)
        ]
    made: list[dict[str, Precision]] = [uniform(model, Precision.FP16)]
    for _, path, precision in sorted(moves, key=lambda move: move[0]):
        made.append(made[-1] | {path: precision})
    return made


def _moves(choices: Sequence[Choice]) -> list[tuple[float, Precision]]:
    """Steps down in size with their noise per byte, rising: the lower hull of the choices."""
    kept = list(choices[:1])
    for choice in choices[1:]:
        while len(kept) > 1 and _noise_per_byte(kept[-2], kept[-1]) >= _noise_per_byte(
            kept[-1], choice
        ):
            kept.pop()
        kept.append(choice)
    return [(_noise_per_byte(a, b), b.precision) for a, b in pairwise(kept)]


def _noise_per_byte(large: Choice, small: Choice) -> float:
    return (small.noise - large.noise) / (large.bytes - small.bytes)
