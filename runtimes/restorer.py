"""Opening a bundle folder as a `Restorer` on one engine."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Self, cast

from ..core import manifest as bundles
from ..core import noise, restorer
from ..core.errors import IntegrityError, UsageError
from ..core.spec import Artifact, Runtime

_ROOM = Path(__file__).parent
EMBEDDED_BUNDLE = _ROOM.parent / "weights" / "edge"
"""The bundle that comes with the package."""
_PREFIX = "on_"


class Restorer(restorer.Restorer):
    """A restorer that knows how to open a bundle."""

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        *,
        backend: str = "ort",
        precision: str | None = None,
        threads: int | None = None,
        chunk_s: float = restorer.CHUNK_S,
    ) -> Self:
        """Open the bundle folder `path` (None: the embedded one) on an engine.

        `precision` None takes the bundle's first of each part, `threads` None leaves the number
        to the engine; `chunk_s` trades memory for the context computed twice, not the result.
        Raises `UsageError` for an unknown backend or a precision that the bundle does not hold,
        `BackendMissingError` for an engine that is not installed and `IntegrityError` for a
        bundle that is missing, altered or without this backend's format.
        """
        root = EMBEDDED_BUNDLE if path is None else path
        runtime = runtime_of(backend)
        if threads is not None and threads < 1:
            raise UsageError(f"{threads} threads are not possible; accepted: 1 or more")
        manifest = bundles.load(root)
        bundles.verify(manifest, root)
        if manifest.noise_sha256 != noise.golden_hash():
            raise IntegrityError(f"{root} was made for another noise generator than this one")
        chosen = [pick(manifest.artifacts, part, runtime, precision) for part in restorer.PARTS]
        return cls(
            {one.component: runtime.load(one, root, threads=threads or 0) for one in chosen},
            manifest.front,
            manifest.sampler,
            default_steps=manifest.default_steps,
            chunk_s=chunk_s,
            buckets=shared_buckets(chosen),
        )


def backends() -> dict[str, Runtime]:
    """Engines by name: every module `on_<name>.py` that opens files; none loads its engine yet."""
    names = [module.name for module in pkgutil.iter_modules([str(_ROOM)])]
    modules = {
        name.removeprefix(_PREFIX): import_module(f".{name}", __package__)
        for name in names
        if name.startswith(_PREFIX)
    }
    return {name: cast("Runtime", m) for name, m in modules.items() if hasattr(m, "FORMATS")}


def runtime_of(backend: str) -> Runtime:
    """The module of an engine; raises `UsageError` for a name that is none."""
    known = backends()
    if backend not in known:
        raise UsageError(f"there is no backend {backend!r}; accepted: {', '.join(known)}")
    return known[backend]


def pick(
    artifacts: Sequence[Artifact], part: str, runtime: Runtime, precision: str | None
) -> Artifact:
    """The first artifact of the part that the engine opens, in `precision` unless that is None.

    Raises `IntegrityError` where the bundle has none at all for the engine, `UsageError` where it
    has none in this precision.
    """
    own = [a for a in artifacts if a.component == part and a.format in runtime.FORMATS]
    if not own:
        raise IntegrityError(f"the bundle holds no {part} as {' or '.join(runtime.FORMATS)}")
    for artifact in own:
        if precision in (None, artifact.precision):
            return artifact
    accepted = ", ".join(dict.fromkeys(a.precision for a in own))
    raise UsageError(f"the bundle holds no {part} in {precision}; accepted: {accepted}")


def shared_buckets(artifacts: Sequence[Artifact]) -> tuple[int, ...]:
    """The numbers of latent frames that all the artifacts take, rising; none where any will do.

    Raises `IntegrityError` where they have no number in common.
    """
    limited = [set(artifact.buckets) for artifact in artifacts if artifact.buckets]
    if not limited:
        return ()
    if shared := set.intersection(*limited):
        return tuple(sorted(shared))
    raise IntegrityError("the parts of this bundle take no common number of latent frames")
