"""Who is timed: a bundle on engines, precisions, threads and steps, and open peers beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ...core.bundle import manifest as bundles
from ...core.bundle.manifest import bytes_of
from ...core.errors import IntegrityError, ToolkitError, UsageError
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...runtimes.restorer import chosen, runtime_of
from ..peers.load import Peer, peers_of
from .timing import RTF, Timed, factors, spread

_RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Contestant:
    """Something that is timed: what it is called, and its real-time factors on a wave (N,).

    The factors are of the whole (`RTF`) and, where it has such, of its components.
    """

    about: Mapping[str, Any]
    run: Callable[[Array], Mapping[str, float]]


@dataclass(frozen=True)
class Asked:
    """What of a bundle is timed, and which peers beside it; None stands for its own choice."""

    backends: Sequence[str]
    precisions: Sequence[str | None]
    threads: Sequence[int]
    steps: Sequence[int | None]
    peers: Sequence[str] = ()


def contestants(root: Path, asked: Asked) -> Iterator[Contestant]:
    """Every variant that the bundle holds, then the peers, which compute on one thread.

    Raises what `Restorer.load` and `peers_of` raise, and for an engine or a precision that takes
    part in no variant.
    """
    manifest = bundles.load(root)
    for (backend, precision), threads in product(held(root, manifest, asked), asked.threads):
        timed = Timed.load(root, backend=backend, precision=precision, threads=threads)
        size = _bytes(root, manifest, backend, precision)
        for steps in dict.fromkeys(map(timed.restorer.accepted_steps, asked.steps)):
            about: dict[str, Any] = {
                "system": manifest.model,
                "backend": backend,
                "precision": precision,
            }
            about |= {"threads": threads, "steps": steps, "bytes": size}
            yield Contestant(about, variant(timed, steps))
    for peer in peers_of(asked.peers):
        nothing = dict.fromkeys(("backend", "precision", "steps"))
        about = {"system": peer.name, **nothing, "threads": 1, "bytes": peer.bytes}
        yield Contestant(about, _peer(peer))


def held(root: Path, manifest: bundles.Manifest, asked: Asked) -> list[tuple[str, str | None]]:
    """Engines and precisions, of those asked for, whose artifacts the bundle has.

    Raises `UsageError` or `IntegrityError` for one that it has in no combination.
    """
    missing: dict[tuple[str, str | None], ToolkitError] = {}
    pairs = list(product(asked.backends, asked.precisions))
    for backend, precision in pairs:
        try:
            chosen(manifest, runtime_of(backend), precision, root)
        except (UsageError, IntegrityError) as error:
            missing[backend, precision] = error
    for side, names in enumerate((asked.backends, asked.precisions)):
        for name in names:
            if all(pair in missing for pair in pairs if pair[side] == name):
                raise next(error for pair, error in missing.items() if pair[side] == name)
    return [pair for pair in pairs if pair not in missing]


def rows(contestants: Sequence[Contestant], speech: Array, *, runs: int) -> list[dict[str, Any]]:
    """Real-time factors of each on a wave (N,), and their ratio to the first one's.

    After one run of each to warm up they take turns, so that a busy spell of the machine falls on
    all of them; ratios are taken within a round.
    """
    for one in contestants:
        one.run(speech)
    taken: list[list[Mapping[str, float]]] = [[] for _ in contestants]
    for _ in range(runs):
        for one, own in zip(contestants, taken, strict=True):
            own.append(one.run(speech))
    first = [factors[RTF] for factors in taken[0]]
    return [
        {
            **one.about,
            "audio_s": len(speech) / RATE_HZ,
            **_summary(own),
            "ratio": _ratio(own, first),
        }
        for one, own in zip(contestants, taken, strict=True)
    ]


def variant(timed: Timed, steps: int) -> Callable[[Array], Mapping[str, float]]:
    """What times a restorer at so many steps."""
    return lambda speech: factors(timed, speech, steps=steps)


def _peer(peer: Peer) -> Callable[[Array], Mapping[str, float]]:
    def run(speech: Array) -> Mapping[str, float]:
        began = perf_counter()
        peer.enhance(speech)
        return {RTF: (perf_counter() - began) * RATE_HZ / len(speech)}

    return run


def _bytes(root: Path, manifest: bundles.Manifest, backend: str, precision: str | None) -> int:
    """Bytes of all files that the variant reads, each once."""
    artifacts = chosen(manifest, runtime_of(backend), precision, root)
    paths = {file.path for artifact in artifacts for file in artifact.files}
    return sum(bytes_of(root / path) for path in paths)


def _summary(taken: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    spreads = {name: spread([one[name] for one in taken]) for name in taken[0]}
    return {RTF: spreads.pop(RTF), "components": spreads}


def _ratio(own: Sequence[Mapping[str, float]], first: Sequence[float]) -> dict[str, float]:
    """Median of the rounds' ratios, and its 95 % bootstrap interval over rounds."""
    ratios = np.array([one[RTF] for one in own]) / first
    drawn = np.random.default_rng(0).integers(len(ratios), size=(_RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(ratios[drawn], axis=1), (0.025, 0.975))
    return {"median": float(np.median(ratios)), "low": float(low), "high": float(high)}
