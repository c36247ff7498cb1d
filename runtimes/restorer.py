"""Opening a bundle folder as a `Restorer` on one engine."""

from __future__ import annotations

import pkgutil
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from .. import families
from ..core import arguments, processors, restorer
from ..core.bundle import manifest as bundles
from ..core.errors import IntegrityError, UsageError
from ..core.signal import noise
from ..core.spec import Artifact, Runtime

if TYPE_CHECKING:
    from ..audio.files import RestoredFile

_ROOM = Path(__file__).parent
EMBEDDED_BUNDLE = _ROOM.parent / "weights" / "edge"
"""The bundle that comes with the package."""
DEFAULT_BACKEND = "ort"
"""The engine of the plain install."""
_PREFIX = "on_"
_MOST_THREADS = 1024
_CHECKPOINTS = "torch"


class Restorer(restorer.Restorer):
    """A restorer that knows how to open a bundle, and to restore files.

    Threads may share one. A process started by spawn gets it by pickling, which opens the bundle
    anew there; on ONNX Runtime a forked process may use its parent's, on the thread that calls.
    """

    _reopen: Callable[[], Self] | None = None

    @classmethod
    def load(
        cls,
        path: str | PathLike[str] | None = None,
        *,
        backend: str = DEFAULT_BACKEND,
        precision: str | None = None,
        threads: int | None = None,
        chunk_s: float = restorer.CHUNK_S,
        wrap: restorer.Wrap = restorer.as_it_is,
    ) -> Self:
        """Open the bundle folder `path` (None: the embedded one) on an engine.

        `precision` None takes the bundle's first of each component, `threads` None as many as the
        process was given. Chunks are computed side by side: on `ort` and `openvino` the result is
        the same to the bit for any number. `chunk_s` trades memory for the context that is
        computed twice, not the result.
        `wrap` is put around every component's runner.
        Raises `UsageError` for an unknown backend, a precision that the bundle does not hold and
        values of other types, `BackendMissingError` for an engine that is not installed and
        `IntegrityError` for a bundle that is missing, altered or without this backend's format.
        """
        root = EMBEDDED_BUNDLE if path is None else arguments.path(path, "the bundle")
        runtime, count = runtime_of(backend), _threads(threads)
        manifest = _verified(root)
        _, host = families.of(manifest)
        artifacts = chosen(manifest, runtime, precision, root)
        opened = cls(
            {one.component: runtime.load(one, root, threads=count) for one in artifacts},
            host,
            chunk_s=arguments.seconds(chunk_s, "chunk_s"),
            enumerated_frames=shared_frames(artifacts),
            wrap=wrap,
            workers=(count or processors.usable()) if side_by_side(runtime) else 1,
        )
        folder = None if path is None else root.absolute()
        how: dict[str, Any] = {"precision": precision, "threads": threads, "chunk_s": chunk_s}
        opened._reopen = partial(cls.load, folder, backend=backend, wrap=wrap, **how)
        return opened

    def restore_file(
        self,
        source: str | PathLike[str],
        target: str | PathLike[str],
        *,
        steps: int | None = None,
        seed: int = 0,
        strength: float = 1.0,
        mono: bool = False,
        keep_rate: bool = False,
        bit_depth: str | None = None,
        bitrate_kbps: int | None = None,
        overwrite: bool = False,
        progress: Callable[[float], None] | None = None,
    ) -> RestoredFile:
        """Restore the file `source` to `target`, in the form that its name and the options tell.

        The options are those of `hiresldm restore`; `progress` is told of seconds that are done.
        Raises as `audio.files.restore_file` does.
        """
        from ..audio.files import Wanted, restore_file
        from ..audio.writing.writer import Form

        form = Form(depth=bit_depth, bitrate_kbps=bitrate_kbps)
        return restore_file(
            self,
            arguments.path(source, "the input"),
            arguments.path(target, "the output"),
            Wanted(steps, seed, strength, mono, keep_rate, form),
            overwrite=overwrite,
            progress=progress,
        )

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()]]:
        """What opens the same bundle in another process; raises `UsageError` where none was."""
        if self._reopen is None:
            raise UsageError(
                "this restorer was made of functions; only one that Restorer.load has opened can "
                "be pickled"
            )
        return self._reopen, ()


def backends() -> dict[str, Runtime]:
    """Engines by name: every module `on_<name>.py` that opens files, those that stand in last."""
    names = [module.name for module in pkgutil.iter_modules([str(_ROOM)])]
    modules = {
        name.removeprefix(_PREFIX): import_module(f".{name}", __package__)
        for name in names
        if name.startswith(_PREFIX)
    }
    engines = {name: cast("Runtime", m) for name, m in modules.items() if hasattr(m, "FORMATS")}
    return dict(sorted(engines.items(), key=lambda item: (stands_in(item[1]), item[0])))


def stands_in(engine: Runtime) -> bool:
    """Whether it only interprets files of an engine that is not here."""
    return bool(getattr(engine, "STANDS_IN", False))


def side_by_side(engine: Runtime) -> bool:
    """Whether several chunks are computed at once, each on one thread."""
    return bool(getattr(engine, "SIDE_BY_SIDE", False))


def runtime_of(backend: str) -> Runtime:
    """The module of an engine; raises `UsageError` for a name that is none."""
    known = backends()
    if not isinstance(backend, str) or backend not in known:
        raise UsageError(f"there is no backend {backend!r}; accepted: {', '.join(known)}")
    return known[backend]


def chosen(
    manifest: bundles.Manifest, runtime: Runtime, precision: str | None, root: Path
) -> list[Artifact]:
    """One artifact of every component of a model; raises as `pick` does."""
    family, host = families.of(manifest)
    return [pick(manifest.artifacts, name, runtime, precision, root) for name in family.names(host)]


def pick(
    artifacts: Sequence[Artifact],
    component: str,
    runtime: Runtime,
    precision: str | None,
    root: Path = EMBEDDED_BUNDLE,
) -> Artifact:
    """The first artifact of the component that the engine opens, in `precision` unless that is
    None.

    Raises `IntegrityError` where the bundle in `root` has none at all for the engine, `UsageError`
    where it has none in this precision.
    """
    own = [a for a in artifacts if a.component == component and a.format in runtime.FORMATS]
    if not own:
        formats = " or ".join(runtime.FORMATS)
        way_out = _way_out(artifacts, runtime, root)
        raise IntegrityError(f"the bundle holds no {component} as {formats}; {way_out}")
    for artifact in own:
        if precision in (None, artifact.precision):
            return artifact
    accepted = ", ".join(dict.fromkeys(a.precision for a in own))
    raise UsageError(f"the bundle holds no {component} in {precision}; accepted: {accepted}")


def _way_out(artifacts: Sequence[Artifact], runtime: Runtime, root: Path) -> str:
    """How to make a bundle that the engine opens, of the same weights."""
    kept = any(artifact.format == _CHECKPOINTS for artifact in artifacts)
    weights = [] if root == EMBEDDED_BUNDLE else ["--weights", str(root) if kept else "RUN"]
    wanted = runtime.FORMATS[0]
    # ONNX graphs read their weights from the checkpoints, so these come with them.
    formats = ["--formats", "onnx" if wanted == _CHECKPOINTS else wanted]
    command = shlex.join(["hiresldm", "build", "NEW", *weights, *formats])
    return f"make one that has it with: {command}"


def shared_frames(artifacts: Sequence[Artifact]) -> tuple[int, ...]:
    """The numbers of frames that all the artifacts take, rising; none where any will do.

    Raises `IntegrityError` where they have no number in common.
    """
    limited = [
        set(artifact.enumerated_frames) for artifact in artifacts if artifact.enumerated_frames
    ]
    if not limited:
        return ()
    if shared := set.intersection(*limited):
        return tuple(sorted(shared))
    raise IntegrityError("the components of this bundle take no common number of frames")


def _verified(root: Path) -> bundles.Manifest:
    manifest = bundles.load(root)
    bundles.verify(manifest, root)
    if manifest.noise_sha256 != noise.golden_hash():
        raise IntegrityError(f"{root} was made for another noise generator than this one")
    return manifest


def _threads(threads: int | None) -> int:
    """The number of threads, 0 for the engine's own choice."""
    if threads is None:
        return 0
    count = arguments.whole(threads, "number of threads")
    if count not in range(1, _MOST_THREADS + 1):
        raise UsageError(f"{count} threads are not possible; accepted: 1 to {_MOST_THREADS}")
    return count
