"""Every pipeline of a bundle by its audio: what its format and precision do to the audio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import families
from ...benchmarks.quality.testset import pairs
from ...calibration.search import Deltas
from ...core.bundle.schemes import Precision
from ...core.errors import UsageError
from ...core.restorer import Restorer
from ...families.checkpoints import Model
from ...parity.evaluator import Budget, Evaluator
from ...runtimes.restorer import shared_frames
from .bundle import Built
from .gate import Measured, engine_of
from .plan import Plan

SEED = 0
Pipeline = Sequence[Measured]
"""One artifact of every component, all of one format."""


@dataclass(frozen=True)
class Evaluated:
    """A pipeline of one format and precision: its files' bytes, and its difference from fp32."""

    format: str
    precision: str
    engine: str
    bytes: int
    deltas: Deltas
    holds: bool
    of_fp32: float
    """Its bytes as a share of those of all weights in float32."""


def evaluator_of(
    plan: Plan, model: Model, speech: Path, *, per_class: int, steps: int
) -> Evaluator:
    """What evaluates the plan's pipelines on validation clips of `speech`; raises as `check`."""
    check(plan, [component.name for component in model.components])
    clips = list(pairs(speech, "valid", seed=SEED, per_class=per_class))
    return Evaluator(clips, steps=steps, seed=SEED)


def check(plan: Plan, names: Sequence[str]) -> None:
    """Raise `UsageError` for a plan without whole pipelines of `names`, or without fp32."""
    missing = [
        component
        for component in names
        if component not in {row.component.name for row in plan.rows}
    ]
    if missing:
        raise UsageError(f"--audio needs every component; {', '.join(missing)} is not to be built")
    if Precision.FP32 not in {row.precision for row in plan.rows}:
        raise UsageError("--audio compares with fp32; name it in --precisions")


def count(built: Built) -> int:
    """How many pipelines `evaluate` gives."""
    return len(_pipelines(built))


def evaluate(built: Built, root: Path, evaluator: Evaluator, budget: Budget) -> Iterator[Evaluated]:
    """Every whole pipeline of the bundle `root` that has an engine here, against fp32.

    fp32 is that of its format; where fp32 of a component was left out of the bundle, its file
    nearest to PyTorch stands in.
    """
    references = {}
    for (format_, precision), pipeline in _pipelines(built).items():
        if format_ not in references:
            exact = _exact(built, format_)
            references[format_] = evaluator.scored(f"{format_} fp32", _restorer(built, exact, root))
        clips = evaluator.scored(f"{format_} {precision}", _restorer(built, pipeline, root))
        deltas = evaluator.deltas(clips, references[format_])
        size = sum(one.bytes for one in pipeline)
        share = size / sum(built.fp32_bytes.values())
        engine, holds = str(pipeline[0].engine), budget.holds(deltas)
        yield Evaluated(format_, precision, engine, size, deltas, holds, share)


def _pipelines(built: Built) -> dict[tuple[str, str], Pipeline]:
    """Whole pipelines by format and precision, but for fp32."""
    found: dict[tuple[str, str], list[Measured]] = {}
    for one in _kept(built):
        if one.artifact.precision != Precision.FP32:
            found.setdefault((one.artifact.format, one.artifact.precision), []).append(one)
    return {
        names: pipeline for names, pipeline in found.items() if len(pipeline) == len(_names(built))
    }


def _exact(built: Built, format_: str) -> Pipeline:
    own = [one for one in _kept(built) if one.artifact.format == format_]
    return [
        max((one for one in own if one.artifact.component == component), key=_nearness)
        for component in _names(built)
    ]


def _nearness(one: Measured) -> tuple[bool, float]:
    return one.artifact.precision == Precision.FP32, one.parity_db or 0.0


def _kept(built: Built) -> list[Measured]:
    return [one for one in built.measured if one.engine and one.artifact.path not in built.dropped]


def _names(built: Built) -> tuple[str, ...]:
    family, host = families.of(built.manifest)
    return family.names(host)


def _restorer(built: Built, pipeline: Pipeline, root: Path) -> Restorer:
    _, host = families.of(built.manifest)
    artifacts = [one.artifact for one in pipeline]
    runners = {a.component: engine_of(a, root)[1] for a in artifacts}
    return Restorer(
        {component: runner for component, runner in runners.items() if runner},
        host,
        enumerated_frames=shared_frames(artifacts),
    )
