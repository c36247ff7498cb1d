"""Every chain of a bundle, heard: what its format and precision do to the audio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import families
from ...calibration.search import Deltas
from ...core.errors import UsageError
from ...core.restorer import Restorer
from ...core.schemes import Precision
from ...parity.evaluator import Budget, Panel
from ...runtimes.restorer import shared_buckets
from .bundle import Built
from .gate import Measured, engine_of
from .plan import Plan

Chain = Sequence[Measured]
"""One artifact of every part, all of one format."""


@dataclass(frozen=True)
class Heard:
    """A chain of one format and precision: its files' bytes, and its difference from fp32."""

    format: str
    precision: str
    engine: str
    bytes: int
    deltas: Deltas
    holds: bool


def check(plan: Plan, names: Sequence[str]) -> None:
    """Raise `UsageError` for a plan without whole chains of `names`, or without fp32."""
    missing = [part for part in names if part not in {row.component.name for row in plan.rows}]
    if missing:
        raise UsageError(f"--audio needs every component; {', '.join(missing)} is not to be built")
    if Precision.FP32 not in {row.precision for row in plan.rows}:
        raise UsageError("--audio compares with fp32; name it in --precisions")


def count(built: Built) -> int:
    """How many chains `hear` gives."""
    return len(_chains(built))


def hear(built: Built, root: Path, panel: Panel, budget: Budget) -> Iterator[Heard]:
    """Every whole chain of the bundle `root` that has an engine here, against fp32 in its format.

    Where fp32 of a part was left out of the bundle, its file nearest to PyTorch stands in.
    """
    references = {}
    for (format_, precision), chain in _chains(built).items():
        if format_ not in references:
            exact = _exact(built, format_)
            references[format_] = panel.scored(f"{format_} fp32", _restorer(built, exact, root))
        clips = panel.scored(f"{format_} {precision}", _restorer(built, chain, root))
        deltas = panel.deltas(clips, references[format_])
        size = sum(one.bytes for one in chain)
        engine = str(chain[0].engine)
        yield Heard(format_, precision, engine, size, deltas, budget.holds(deltas))


def _chains(built: Built) -> dict[tuple[str, str], Chain]:
    """Whole chains by format and precision, but for fp32."""
    found: dict[tuple[str, str], list[Measured]] = {}
    for one in _kept(built):
        if one.artifact.precision != Precision.FP32:
            found.setdefault((one.artifact.format, one.artifact.precision), []).append(one)
    return {names: chain for names, chain in found.items() if len(chain) == len(_names(built))}


def _exact(built: Built, format_: str) -> Chain:
    own = [one for one in _kept(built) if one.artifact.format == format_]
    return [
        max((one for one in own if one.artifact.component == part), key=_nearness)
        for part in _names(built)
    ]


def _nearness(one: Measured) -> tuple[bool, float]:
    return one.artifact.precision == Precision.FP32, one.parity_db or 0.0


def _kept(built: Built) -> list[Measured]:
    return [one for one in built.measured if one.engine and one.artifact.path not in built.dropped]


def _names(built: Built) -> tuple[str, ...]:
    family, host = families.of(built.manifest)
    return family.names(host)


def _restorer(built: Built, chain: Chain, root: Path) -> Restorer:
    _, host = families.of(built.manifest)
    artifacts = [one.artifact for one in chain]
    runners = {a.component: engine_of(a, root)[1] for a in artifacts}
    return Restorer(
        {part: runner for part, runner in runners.items() if runner},
        host,
        buckets=shared_buckets(artifacts),
    )
