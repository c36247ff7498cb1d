"""The whole pipeline against the reference's: by decibels where nothing is lost, else by ear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..benchmarks.quality.metrics import scores
from ..benchmarks.quality.testset import Pair
from ..core.bundle.schemes import Precision
from ..core.errors import BackendMissingError
from ..core.family import Host
from ..core.restorer import Restorer
from ..core.signal.rates import RATE_HZ
from ..core.spec import Array, Runner
from . import inputs
from .candidates import Candidate
from .components import tried
from .distance import distance
from .rows import END_TO_END, LIMIT_DB, PIPELINE, Row, Status
from .thresholds import Thresholds

_HIGHER_IS_BETTER = {"lsd": False, "estoi": True, "dnsmos_ovrl": True}
_SCORERS = ("lsd", "estoi", "dnsmos")
LOUDEST = 2.0
"""Peaks beyond this share of the reference's are clicks, which a mean over a clip may not tell."""


@dataclass
class AudioEvaluator:
    """Evaluates restored speech: the same host, seed and chunks around both sets of components."""

    reference: Mapping[str, Runner]
    host: Host
    thresholds: Thresholds
    full: bool
    _restored: dict[tuple[tuple[int, ...], bool], dict[str, Array]] = field(default_factory=dict)
    _scored: dict[bytes, dict[str, float]] = field(default_factory=dict)
    """Scores by the hash of a wave: the reference's serve every candidate."""

    def rows(self, candidate: Candidate) -> Iterator[Row]:
        """The rows of the candidate's whole pipeline."""
        # Ears differ on a single clip: what they hear is a mean over all kinds of speech.
        every = self.full or candidate.precision != Precision.FP32
        made = self._made(candidate.runners, candidate.enumerated_frames, every=every)
        wanted = self.expected(candidate.enumerated_frames, every=every)
        yield from self.compared(candidate, wanted, made)

    def compared(
        self, candidate: Candidate, wanted: Mapping[str, Array], made: Mapping[str, Array | str]
    ) -> Iterator[Row]:
        """Rows over restored waves (N,) by kind, as reference and candidate made them."""
        waves = {kind: wave for kind, wave in made.items() if not isinstance(wave, str)}
        broken = {kind: distance(wanted[kind], wave).fault for kind, wave in waves.items()}
        broken |= {kind: wave for kind, wave in made.items() if isinstance(wave, str)}
        for kind, wave in waves.items():
            if not broken[kind] and np.abs(wave).max() > LOUDEST * np.abs(wanted[kind]).max():
                broken[kind] = f"a peak more than {LOUDEST:g} times the reference's"
        faults = [f"{kind}: {fault}" for kind, fault in broken.items() if fault]
        if faults:
            yield candidate.row(PIPELINE, END_TO_END, Status.FAIL, "; ".join(faults))
        elif candidate.precision == Precision.FP32:
            yield self._by_decibels(candidate, wanted, waves)
        else:
            yield from self._by_ear(candidate, wanted, waves)

    def _by_decibels(
        self, candidate: Candidate, wanted: Mapping[str, Array], made: Mapping[str, Array]
    ) -> Row:
        about = {"component": PIPELINE, "format": candidate.format, "runtime": candidate.runtime}
        floor = self.thresholds.floor("pipeline_db", precision=candidate.precision, **about)
        values = {kind: distance(wave, made[kind]).snr_db for kind, wave in wanted.items()}
        kind = min(values, key=lambda kind: values[kind])
        status = Status.PASS if values[kind] >= floor else Status.FAIL
        value = float(np.clip(values[kind], -LIMIT_DB, LIMIT_DB))
        return candidate.row(
            PIPELINE, END_TO_END, status, f"worst on {kind}", value=value, floor=floor
        )

    def _by_ear(
        self, candidate: Candidate, wanted: Mapping[str, Array], made: Mapping[str, Array]
    ) -> Iterator[Row]:
        reference, got = self._means(wanted), self._means(made)
        absent = [metric for metric in _HIGHER_IS_BETTER if metric not in got]
        note = f"{', '.join(absent)} need: pip install 'hiresldm[quality]'" if absent else ""
        for metric, value in got.items():
            gained = value - reference[metric]
            gained = gained if _HIGHER_IS_BETTER[metric] else -gained
            floor = -self.thresholds.audio[metric]
            status = Status.PASS if gained >= floor else Status.FAIL
            scope = f"{END_TO_END}, {metric}"
            yield candidate.row(PIPELINE, scope, status, note, value=gained, floor=floor)

    def _means(self, restored: Mapping[str, Array]) -> dict[str, float]:
        """Mean over waves of each metric of the budget that this installation can measure."""
        chosen = [one for one in scores.choose(_SCORERS, referenced=True) if _installed(one)]
        rows = [self._scores(wave, chosen) for wave in restored.values()]
        measured = [metric for metric in _HIGHER_IS_BETTER if metric in rows[0]]
        return {metric: float(np.mean([row[metric] for row in rows])) for metric in measured}

    def _scores(self, wave: Array, chosen: Sequence[scores.Scorer]) -> dict[str, float]:
        known = hashlib.sha256(wave.tobytes()).digest()
        if known not in self._scored:
            clean = inputs.speech()[inputs.CLEAN]
            pair = Pair("speech", ("speech",), "speech", "", RATE_HZ / 2, clean, clean)
            self._scored[known] = scores.score(pair, wave, chosen)
        return self._scored[known]

    def expected(self, enumerated_frames: tuple[int, ...], *, every: bool) -> dict[str, Array]:
        """What the reference restores, by kind of speech, at the lengths `enumerated_frames`."""
        case = (enumerated_frames, every)
        if case not in self._restored:
            made = self._made(self.reference, enumerated_frames, every=every)
            self._restored[case] = {k: w for k, w in made.items() if not isinstance(w, str)}
        return self._restored[case]

    def _made(
        self, runners: Mapping[str, Runner], enumerated_frames: tuple[int, ...], *, every: bool
    ) -> dict[str, Array | str]:
        restorer = Restorer(runners, self.host, enumerated_frames=enumerated_frames)
        waves = inputs.speech()
        kinds = waves if every else (inputs.NOISY,)
        # Compared at the rate of what was given, whatever the model's own is.
        restored = partial(restorer, sample_rate_hz=RATE_HZ, keep_rate=True)
        return {kind: tried(restored, waves[kind]) for kind in kinds}


def _installed(scorer: scores.Scorer) -> bool:
    try:
        scores.require([scorer])
    except BackendMissingError:
        return False
    return True
