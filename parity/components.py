"""Single components against the reference: on whole inputs, at every step, and through the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from ..core.calls import Call
from ..core.family import Host
from ..core.spec import Array, Artifact, Component, Runner
from . import inputs
from .candidates import Candidate
from .captured import Trace, trace
from .distance import Distance, distance, power
from .rows import LIMIT_DB, Row, Status
from .thresholds import Thresholds

T = TypeVar("T")
ODD, SHORT, CHUNK = 37, 64, 500
"""Latent frames: a number that no exporter traces, the most at which every kind of input is
quick, and those of a whole default chunk with its context."""


@dataclass(frozen=True)
class Case:
    """An input of one kind, and what the reference made of it."""

    kind: str
    call: Call


@dataclass(frozen=True)
class Finding:
    """A component that failed: the input it did worst on, and what it gave, if anything."""

    row: Row
    case: Case
    got: Array | str


@dataclass(frozen=True)
class Limits:
    """What a distance must reach, in dB."""

    whole: float
    channel: float
    peak: float


@dataclass
class ComponentEvaluator:
    """Evaluates components by what they make of the inputs captured from runs of the reference."""

    reference: Mapping[str, Runner]
    components: Mapping[str, Component]
    host: Host
    thresholds: Thresholds
    full: bool
    findings: list[Finding] = field(default_factory=list)
    """Every failure of a single component, in order."""
    _traces: dict[tuple[int, int], dict[str, Trace]] = field(default_factory=dict)

    def rows(self, candidate: Candidate) -> Iterator[Row]:
        """Rows of every part of the candidate that opened."""
        for artifact in candidate.artifacts:
            if artifact.component in candidate.runners:
                for frames in self._lengths(artifact):
                    yield self._row(candidate, artifact.component, frames)
                if self.components[artifact.component].per_step:
                    yield from self._sampling(candidate, artifact)

    def cases(self, component: str, frames: int, steps: int, index: int = 0) -> list[Case]:
        """Every kind of input with the reference's call number `index` of the component."""
        traces = self._traced(frames, steps)
        return [Case(kind, made.calls[component][index]) for kind, made in traces.items()]

    def _row(self, candidate: Candidate, component: str, frames: int) -> Row:
        cases = self.cases(component, frames, self.host.default_steps)
        scope = f"component, {frames} frames"
        return self.evaluated(candidate, component, scope, "component_db", cases)

    def _sampling(self, candidate: Candidate, artifact: Artifact) -> Iterator[Row]:
        name, frames = (
            artifact.component,
            artifact.enumerated_frames[0] if artifact.enumerated_frames else ODD,
        )
        for steps in self._steps():
            for index in range(len(self._any(frames, steps).calls[name])):
                cases = self.cases(name, frames, steps, index)
                scope = f"step {index + 1} of {steps}"
                yield self.evaluated(candidate, name, scope, "step_db", cases)
            yield self._loop(candidate, name, frames, steps)

    def _loop(self, candidate: Candidate, name: str, frames: int, steps: int) -> Row:
        """What the last step gives where the candidate samples on its own."""
        mixed = {**self.reference, name: candidate.runners[name]}
        output = self.components[name].outputs[0].name
        waves = self.waves(frames)

        def sampled(kind: str) -> Array:
            return trace(mixed, self.host, waves[kind], steps=steps).calls[name][-1].outputs[output]

        last = self.cases(name, frames, steps, -1)
        expected = {case.kind: case.call.outputs[output] for case in last}
        made = {kind: tried(sampled, kind) for kind in expected}
        return self._verdict(candidate, name, f"loop of {steps}", "loop_db", expected, made)[0]

    def waves(self, frames: int) -> Mapping[str, Array]:
        """Every kind of input (N,) of so many frames."""
        return inputs.signals(frames * self.host.hop, self.host.sample_rate_hz)

    def _any(self, frames: int, steps: int) -> Trace:
        return next(iter(self._traced(frames, steps).values()))

    def evaluated(
        self, candidate: Candidate, component: str, scope: str, limit: str, cases: Sequence[Case]
    ) -> Row:
        """One row over all cases: the worst of them decides."""
        name = self.components[component].outputs[0].name
        runner = candidate.runners[component]

        def output(call: Call) -> Array:
            return runner(call.inputs)[name]

        expected = {case.kind: case.call.outputs[name] for case in cases}
        made = {case.kind: tried(output, case.call) for case in cases}
        row, kind = self._verdict(candidate, component, scope, limit, expected, made)
        if row.status is Status.FAIL:
            case = next(case for case in cases if case.kind == kind)
            self.findings.append(Finding(row, case, made[kind]))
        return row

    def _verdict(
        self,
        candidate: Candidate,
        component: str,
        scope: str,
        limit: str,
        expected: Mapping[str, Array],
        made: Mapping[str, Array | str],
    ) -> tuple[Row, str]:
        """The row over all kinds of input, and the worst kind: one at fault, if there is any."""
        limits, declared = self.limits(candidate, component, limit), self.components[component]
        least, axis = self._least_power(expected), declared.frames_axis(declared.outputs[0])
        far = {kind: compared(wanted, made[kind], least, axis) for kind, wanted in expected.items()}
        told = {
            kind: fault_of(one, limits, speech=kind in inputs.speech()) for kind, one in far.items()
        }
        worst = min(far, key=lambda kind: (not told[kind], far[kind].snr_db))
        status = Status.FAIL if any(told.values()) else Status.PASS
        faults = "; ".join(f"{kind}: {fault}" for kind, fault in told.items() if fault)
        lowest = min(far, key=lambda kind: far[kind].snr_db)
        value = float(np.clip(far[lowest].snr_db, -LIMIT_DB, LIMIT_DB))
        reason = faults or f"worst on {lowest}"
        return candidate.row(
            component, scope, status, reason, value=value, floor=limits.whole
        ), worst

    def limits(self, candidate: Candidate, component: str, limit: str) -> Limits:
        """What the candidate's component must reach in a scope whose limit is called `limit`."""
        about = {
            "component": component,
            "format": candidate.format,
            "precision": candidate.precision,
            "runtime": candidate.runtime,
        }
        names = (limit, "channel_db", "peak_db")
        return Limits(*(self.thresholds.floor(name, **about) for name in names))

    def _least_power(self, expected: Mapping[str, Array]) -> float:
        speech = [power(expected[kind]) for kind in inputs.speech() if kind in expected]
        return float(np.mean(speech)) * 10 ** (-self.thresholds.quiet_db / 10) if speech else 0.0

    def _traced(self, frames: int, steps: int) -> dict[str, Trace]:
        key = (frames, steps)
        if key not in self._traces:
            waves = self.waves(frames)
            kinds = waves if frames <= (CHUNK if self.full else SHORT) else inputs.FEW
            self._traces[key] = {
                kind: trace(self.reference, self.host, waves[kind], steps=steps) for kind in kinds
            }
        return self._traces[key]

    def _lengths(self, artifact: Artifact) -> Sequence[int]:
        """The shortest, an odd one and a long one; of enumerated ones first and last, or all."""
        if artifact.enumerated_frames:
            return (
                artifact.enumerated_frames
                if self.full
                else (artifact.enumerated_frames[0], artifact.enumerated_frames[-1])
            )
        component = self.components[artifact.component]
        low, high = (component.hops * frames for frames in (component.dim.low, component.dim.high))
        return (low, ODD, CHUNK, high) if self.full else (low, ODD, CHUNK)

    def _steps(self) -> Sequence[int]:
        """Numbers of steps whose loop is run: the default and the next, or all."""
        offered = sorted(self.host.schedules)
        if self.full:
            return offered
        default = self.host.default_steps
        return [n for n in offered if n >= default][:2]


def fault_of(far: Distance, limits: Limits, *, speech: bool) -> str:
    """In words, what is wrong with a distance; empty where nothing is."""
    if far.fault:
        return far.fault
    if not far.snr_db >= limits.whole:
        return f"{far.snr_db:.1f} dB"
    if speech and not far.channel_db >= limits.channel:
        return f"one channel at {far.channel_db:.1f} dB, needed {limits.channel:.0f}"
    if speech and not far.peak_db >= limits.peak:
        return f"one value at {far.peak_db:.1f} dB, needed {limits.peak:.0f}"
    return ""


def compared(wanted: Array, made: Array | str, least_power: float, frames_axis: int) -> Distance:
    """The distance of what was made, or its fault in words where nothing was."""
    if isinstance(made, str):
        return Distance(-np.inf, -np.inf, -np.inf, made)
    return distance(wanted, made, least_power=least_power, frames_axis=frames_axis)


def tried(run: Callable[[T], Array], given: T) -> Array | str:
    """What a function gives, or in words why it gives nothing."""
    try:
        return run(given)
    except Exception as error:  # whatever an engine throws at an input is a finding
        return f"does not run: {error}"
