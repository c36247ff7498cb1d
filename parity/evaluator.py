"""What storing a model at a mix of precisions does to its audio, against a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import nan

from ..benchmarks.quality import evaluation as quality
from ..benchmarks.quality.evaluation import ClipScores, System
from ..benchmarks.quality.metrics import scores
from ..benchmarks.quality.testset import Pair
from ..calibration.capture import restorer_of
from ..calibration.search import Deltas, Trial
from ..calibration.simulation import Layers, model_bytes, simulated
from ..core.errors import UsageError
from ..core.restorer import Restorer
from ..core.signal.rates import RATE_HZ
from ..core.spec import Array
from ..families.checkpoints import Model
from . import thresholds


@dataclass(frozen=True)
class Budget:
    """What a trial may lose against fp32 on the mean of the pairs, each at least 0."""

    lsd: float
    estoi: float
    dnsmos: float

    @classmethod
    def usual(cls) -> Budget:
        """The one of `parity/thresholds.toml`."""
        audio = thresholds.load().audio
        return cls(audio["lsd"], audio["estoi"], audio["dnsmos_ovrl"])

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read `lsd=0.05,estoi=0.005`; limits not named are the usual ones.

        Raises `UsageError` for another name and for what is no number of at least 0.
        """
        names = [field.name for field in fields(cls)]
        limits = {}
        for item in text.split(","):
            name, _, value = item.partition("=")
            try:
                limits[name.strip()] = float(value)
            except ValueError:
                limits[name.strip()] = nan
        if set(limits) - set(names) or not all(limit >= 0 for limit in limits.values()):
            accepted = ",".join(f"{name}=NUMBER" for name in names)
            raise UsageError(f"the budget '{text}' is not understood; accepted: {accepted}")
        return replace(cls.usual(), **limits)

    def holds(self, deltas: Deltas) -> bool:
        """Whether the mean differences are within."""
        return (
            deltas["lsd"]["mean"] <= self.lsd
            and deltas["estoi"]["mean"] >= -self.estoi
            and deltas["dnsmos_ovrl"]["mean"] >= -self.dnsmos
        )


METRICS = ("lsd", "estoi", "dnsmos_ovrl")
SCORERS = ("lsd", "estoi", "dnsmos")
"""The metrics of a budget, and the groups of `benchmarks.scores` that measure them."""


class Evaluator:
    """The same pairs for every restorer, measured by what a budget limits.

    Raises `BackendMissingError` where a metric is not installed.
    """

    def __init__(self, pairs: Sequence[Pair], *, steps: int, seed: int) -> None:
        self._pairs, self._steps, self._seed = pairs, steps, seed
        self._scorers = scores.choose(SCORERS, referenced=True)
        scores.require(self._scorers)

    def scored(self, name: str, restorer: Restorer) -> list[ClipScores]:
        """The scores of all pairs as the restorer leaves them."""

        def run(pair: Pair) -> Array:
            return restorer(
                pair.damaged, RATE_HZ, steps=self._steps, seed=self._seed, keep_rate=True
            )

        systems = [System(name, self._steps, run)]
        renderings = quality.render(self._pairs, systems)
        return [clip for (clip,) in quality.evaluate(renderings, systems, self._scorers, workers=1)]

    def deltas(self, clips: Sequence[ClipScores], reference: Sequence[ClipScores]) -> Deltas:
        """How the scores differ from those of a reference, pair by pair."""
        return {metric: self._delta(clips, reference, metric) for metric in METRICS}

    def _delta(
        self, clips: Sequence[ClipScores], reference: Sequence[ClipScores], metric: str
    ) -> dict[str, float]:
        differences = [
            clip.values[metric] - other.values[metric]
            for clip, other in zip(clips, reference, strict=True)
        ]
        found = quality.interval(differences, [clip.speaker for clip in clips], seed=self._seed)
        return found or dict.fromkeys(("mean", "low", "high"), nan)


class TrialEvaluator:
    """Evaluates every trial of a model; fp32 once, at the start."""

    def __init__(
        self, model: Model, pairs: Sequence[Pair], budget: Budget, *, steps: int, seed: int
    ) -> None:
        self.model = model
        self.budget = budget
        self._evaluator = Evaluator(pairs, steps=steps, seed=seed)
        self._reference = self._evaluator.scored("fp32", restorer_of(model))

    def __call__(self, name: str, layers: Layers) -> Trial:
        """The trial with its difference from fp32, pair by pair."""
        size = model_bytes(self.model, layers)
        return self.of(name, restorer_of(simulated(self.model, layers)), size, layers)

    def of(self, name: str, restorer: Restorer, size: int, layers: Layers) -> Trial:
        """Whatever restorer, as a trial of so many bytes; `layers` are empty where not known."""
        deltas = self._evaluator.deltas(self._evaluator.scored(name, restorer), self._reference)
        return Trial(name, layers, size, deltas, self.budget.holds(deltas))
