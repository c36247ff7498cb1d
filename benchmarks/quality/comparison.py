"""A whole comparison: bundles, their stages and open peers on the same clips, scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...core import processors
from ...runtimes.restorer import EMBEDDED_BUNDLE
from .. import provenance
from ..peers.load import peers_of
from . import evaluation, per_speaker, systems
from .evaluation import ClipScores, Rendering, System
from .metrics import scores
from .sources import Source

Watch = Callable[[Sequence[System], Iterator[Rendering]], Iterator[Rendering]]
"""Sees every rendering on its way to the scores."""
Track = Callable[[Iterable[list[ClipScores]], int], Iterable[list[ClipScores]]]
"""Shows how many of so many clips are scored."""


@dataclass(frozen=True)
class Asked:
    """What is compared, as names, and by which metrics; what is empty takes its default."""

    bundles: Sequence[str] = ()
    backends: Sequence[str] = ()
    precisions: Sequence[str] = ()
    steps: Sequence[int] = ()
    peers: Sequence[str] = ()
    metrics: Sequence[str] = ()
    seed: int = 0
    threads: int | None = None


@dataclass(frozen=True)
class Compared:
    """Every clip's scores, the models that were compared, and the packages that took part."""

    clips: Sequence[ClipScores]
    models: dict[str, Any]
    packages: Sequence[str]
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Rows by system and class, by speaker, and by clip, as a result holds them."""
        lines = [evaluation.clip_row(clip) for clip in self.clips]
        return {
            "rows": evaluation.rows(self.clips, seed=self.seed),
            "speakers": per_speaker.rows(lines),
            "models": self.models,
            "seed": self.seed,
            "clips": lines,
        }


def compare(source: Source, asked: Asked, *, watch: Watch, track: Track) -> Compared:
    """Restore and score every clip of the source by every system.

    Raises `UsageError` for unknown names, `BackendMissingError` for a metric, engine or peer that
    is not installed, and what loading a bundle raises.
    """
    scorers = scores.choose(asked.metrics or [scores.FAST], referenced=source.referenced)
    scores.require(scorers)
    variants = systems.variants(asked.bundles, asked.backends, asked.precisions)
    peers = peers_of(asked.peers)
    restorers = {one.name: systems.load(one, threads=asked.threads) for one in variants}
    compared = systems.systems_of(
        restorers, asked.steps, peers, seed=asked.seed, referenced=source.referenced
    )
    renderings = watch(compared, evaluation.render(source.pairs, compared))
    workers = asked.threads or processors.usable()
    scored = evaluation.evaluate(renderings, compared, scorers, workers=workers)
    clips = [clip for clips in track(scored, source.count) for clip in clips]
    models = {one.name: provenance.model(one.bundle or EMBEDDED_BUNDLE) for one in variants}
    packages = [*scores.packages(scorers), *(one.package for one in peers)]
    return Compared(clips, models, packages, asked.seed)
