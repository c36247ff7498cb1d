"""The systems of a comparison: the input, a model's stages, whole pipelines, open peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from ...core.errors import UsageError
from ...core.restorer import measure
from ...core.signal.loudness import gain_to
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...families.hiresldm.host import Host, RecoveryAlone, RoundTrip
from ...runtimes.restorer import DEFAULT_BACKEND, Restorer
from ..peers.load import Peer
from .evaluation import System
from .testset import Pair

PIPELINE = "pipeline"
"""The row of a bundle that is given no name of its own."""


@dataclass(frozen=True)
class Variant:
    """A bundle (None: the embedded one) on one engine at one precision, by the name of its row."""

    name: str
    bundle: Path | None
    backend: str
    precision: str | None


def recover(restorer: Restorer, damaged: Array) -> Array:
    """The recovered wave (N,) at 48 kHz: no diffusion, no decoder."""
    return restorer.under(RecoveryAlone(**vars(restorer.host)))(damaged, RATE_HZ)


def round_trip(restorer: Restorer, damaged: Array, clean: Array) -> Array:
    """The decoder's wave (N,) from the latent of `clean`: the best that it can give.

    Both are (N,) at 48 kHz and are brought to the model's level by the gain of `damaged`.
    """
    host = restorer.host
    level_lufs = measure([damaged[:, None]], 1, host.sample_rate_hz)[0]
    gain = gain_to(host.loudness_lufs or level_lufs, level_lufs)
    given = RoundTrip(**vars(host), clean=clean * np.float32(gain))
    return restorer.under(given)(damaged, RATE_HZ)


def variants(
    bundles: Sequence[str], backends: Sequence[str], precisions: Sequence[str]
) -> tuple[Variant, ...]:
    """Every bundle, given as DIR or NAME=DIR, on every engine at every precision.

    Rows are called by the bundle's name, and by engine and precision where these are given.
    Raises `UsageError` for two bundles of one name.
    """
    named = [_named(text) for text in bundles] or [(PIPELINE, None)]
    if len(dict(named)) < len(named):
        raise UsageError("two bundles have the same name; tell them apart as NAME=DIR")
    engines: list[str | None] = [*backends] or [None]
    stored: list[str | None] = [*precisions] or [None]
    return tuple(
        Variant("/".join(filter(None, (name, engine, kept))), path, engine or DEFAULT_BACKEND, kept)
        for (name, path), engine, kept in product(named, engines, stored)
    )


def load(variant: Variant, *, threads: int | None) -> Restorer:
    """Open a variant; raises as `Restorer.load` does."""
    return Restorer.load(
        variant.bundle, backend=variant.backend, precision=variant.precision, threads=threads
    )


def systems_of(
    restorers: Mapping[str, Restorer],
    steps: Sequence[int],
    peers: Sequence[Peer] = (),
    *,
    seed: int,
    referenced: bool = True,
) -> tuple[System, ...]:
    """Every row of a comparison: input, stages of the first restorer, pipelines, peers.

    Each named restorer runs the numbers of steps that it offers, its default for none. The
    autoencoder round trip needs clean versions (`referenced`). Raises `UsageError` for steps that
    no restorer offers, and for a restorer that offers none of them.
    """
    first = next(iter(restorers.values()))
    made = [System("input", None, lambda pair: pair.damaged)]
    staged = isinstance(first.host, Host)
    if staged:
        made.append(System("recovery", None, lambda pair: recover(first, pair.damaged)))
    if staged and referenced:
        made.append(
            System("autoencoder", None, lambda p: round_trip(first, p.damaged, p.reference))
        )
    for name, restorer in restorers.items():
        made += [_pipeline(name, restorer, count, seed) for count in _offered(restorer, steps)]
    if unknown := set(steps) - {system.steps for system in made}:
        first.accepted_steps(min(unknown))  # tells what is accepted
    return (*made, *(_peer(peer) for peer in peers))


def _offered(restorer: Restorer, steps: Sequence[int]) -> list[int]:
    offered = [count for count in steps if count in restorer.host.schedules]
    # One that offers none is asked for one all the same: it refuses, telling what it accepts.
    return offered or [restorer.accepted_steps(steps[0] if steps else None)]


def _pipeline(name: str, restorer: Restorer, steps: int, seed: int) -> System:
    def run(pair: Pair) -> Array:
        return restorer(pair.damaged, RATE_HZ, steps=steps, seed=seed, keep_rate=True)

    return System(name, steps, run)


def _peer(peer: Peer) -> System:
    return System(peer.name, None, lambda pair: peer.enhance(pair.damaged))


def _named(text: str) -> tuple[str, Path | None]:
    name, _, folder = text.rpartition("=")
    return (name or PIPELINE), Path(folder)
