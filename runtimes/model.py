"""A model as a request names it: which bundle, and how it is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.bundle.manifest import sha256_of
from .restorer import DEFAULT_BACKEND, EMBEDDED_BUNDLE, Restorer


@dataclass(frozen=True)
class Model:
    """Which bundle, and how it is run; goes to other processes, which load it there."""

    bundle: Path | None = None
    backend: str = DEFAULT_BACKEND
    precision: str | None = None
    threads: int | None = None

    def load(self) -> Restorer:
        """The restorer."""
        return Restorer.load(
            self.bundle, backend=self.backend, precision=self.precision, threads=self.threads
        )

    @property
    def key(self) -> str:
        """What tells this model's results from others'."""
        manifest = (self.bundle or EMBEDDED_BUNDLE) / "bundle.json"
        return f"{sha256_of(manifest)} {self.backend} {self.precision or ''}".strip()
