"""The gate: every artifact on every engine against the PyTorch reference, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import families
from ..core.bundle import manifest as bundles
from ..core.bundle.manifest import Manifest
from ..core.errors import BackendMissingError
from ..core.family import Host
from ..core.spec import Component, Runner
from . import golden, thresholds
from .audio import AudioEvaluator
from .candidates import Candidate, candidates
from .components import ComponentEvaluator
from .rows import Row

if TYPE_CHECKING:
    from ..families.checkpoints import Model


@dataclass(frozen=True)
class Gate:
    """A bundle and the model that it must agree with; `full` takes every length, step and clip."""

    manifest: Manifest
    root: Path
    model: Model
    full: bool = False

    @classmethod
    def open(cls, root: Path, *, weights: Path | None = None, full: bool = False) -> Gate:
        """The gate of the bundle in `root`, whose reference reads the bundle's own weights.

        `weights` takes them from another folder, rounded to fp16 as a build does. Raises
        `IntegrityError` before anything runs where a file is altered or missing, and
        `BackendMissingError` without torch.
        """
        manifest = bundles.load(root)
        bundles.verify(manifest, root)
        return cls(manifest, root, _stored(weights or root), full)

    @cached_property
    def components(self) -> Mapping[str, Component]:
        """The components of the model by name."""
        return {component.name: component for component in self.model.components}

    @cached_property
    def host(self) -> Host:
        """The host that the bundle describes."""
        return families.of(self.manifest)[1]

    @cached_property
    def reference(self) -> dict[str, Runner]:
        """The components of the model as runners, nothing about them rewritten."""
        from ..runtimes import on_torch

        return on_torch.runners(self.model)

    @cached_property
    def single(self) -> ComponentEvaluator:
        """Evaluates single components."""
        return ComponentEvaluator(
            self.reference, self.components, self.host, thresholds.load(), self.full
        )

    @cached_property
    def audio(self) -> AudioEvaluator:
        """Evaluates the whole pipeline."""
        return AudioEvaluator(self.reference, self.host, thresholds.load(), self.full)

    def rows(self) -> Iterator[Row]:
        """Every row, as it is made."""
        if all(artifact.format != "torch" for artifact in self.manifest.artifacts):
            yield from golden.rows(self.manifest, self.root, self._torch())
        for candidate in candidates(self.manifest, self.root):
            yield from self.evaluated(candidate)

    def evaluated(self, candidate: Candidate) -> Iterator[Row]:
        """The rows of one candidate."""
        yield from candidate.faults
        if candidate.runners:
            yield from self.single.rows(candidate)
        if candidate.complete:
            yield from golden.rows(self.manifest, self.root, candidate)
            yield from self.audio.rows(candidate)

    def _torch(self) -> Candidate:
        """The reference itself, which must still give what it gave when the bundle was built."""
        names = tuple(self.components)
        return Candidate("torch", "fp32", "torch", (), self.reference, needed=names)


def _stored(folder: Path) -> Model:
    try:
        import torch

        from ..families.checkpoints import load
    except ImportError as error:
        raise BackendMissingError(
            f"the reference needs torch, which cannot be imported ({error}); "
            "install it, or let `hiresldm selftest` check the bundle without it"
        ) from error
    model = load(folder)
    tensors: dict[str, Any] = model.state_dict()
    model.load_state_dict({name: t.to(torch.float16).float() for name, t in tensors.items()})
    return model
