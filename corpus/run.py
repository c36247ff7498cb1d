"""A corpus from its source to its sink, in the order of the source, however it is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from .clip import Clip, Finished, Outcome, Quarantined, Sink, Source
from .journal import Journal, spool_of
from .spool import Spool

Runner = Callable[[Iterable[Clip]], Iterator[Outcome]]
"""Gives what became of each clip, as they end; takes clips no faster than that."""


@dataclass
class Summary:
    """What a run did."""

    restored: int = 0
    quarantined: int = 0
    known: int = 0
    """Clips that an earlier run had done."""
    alike: int = 0
    """Clips left out, whose key another one has."""
    audio_s: float = 0.0


def run(
    source: Source,
    sink: Sink,
    journal: Journal,
    runner: Runner,
    *,
    per_shard: int,
    progress: Callable[[Outcome], None],
) -> Summary:
    """Restore every clip that `journal` does not know, `per_shard` of them to a shard."""
    spool, summary = Spool(spool_of(journal.out)), Summary()
    order: deque[str] = deque()
    done: dict[str, Outcome] = {}
    ready: list[Outcome] = []
    for outcome in runner(_new(source, journal, order, summary)):
        done[outcome.key] = outcome
        _count(summary, outcome)
        progress(outcome)
        while order and order[0] in done:
            ready.append(done.pop(order.popleft()))
            if len(ready) == per_shard:
                _pack(ready, sink, journal, spool)
                ready = []
    if ready:
        _pack(ready, sink, journal, spool)
    sink.finish(journal.records)
    journal.publish()
    spool.clear()
    return summary


def _new(source: Source, journal: Journal, order: deque[str], summary: Summary) -> Iterator[Clip]:
    """The clips that are yet to be done; their keys go to `order`."""
    taken: set[str] = set()
    for clip in source:
        if journal.has(clip.key):
            summary.known += 1
        elif clip.id in taken:
            summary.alike += 1
        else:
            taken.add(clip.id)
            order.append(clip.key)
            yield clip


def _pack(outcomes: Sequence[Outcome], sink: Sink, journal: Journal, spool: Spool) -> None:
    pieces = [p for one in outcomes if isinstance(one, Finished) for p in one.pieces]
    journal.add(outcomes, sink.write(journal.shards, pieces) if pieces else [])
    spool.forget(outcomes)


def _count(summary: Summary, outcome: Outcome) -> None:
    if isinstance(outcome, Quarantined):
        summary.quarantined += 1
    elif isinstance(outcome, Finished):
        summary.restored += 1
        summary.audio_s += sum(piece.record["duration_s"] for piece in outcome.pieces)
