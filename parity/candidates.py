"""What a bundle offers to be evaluated: its artifacts by format and precision, on every engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import families
from ..core.bundle.manifest import Manifest
from ..core.errors import BackendMissingError, ToolkitError
from ..core.spec import Artifact, Runner, Runtime
from ..runtimes.restorer import backends, pick, shared_frames
from .rows import Row, Status


@dataclass(frozen=True)
class Candidate:
    """The artifacts of one format and precision on one engine.

    `runners` holds those that open; then, for the other components, those of the engine's first
    precision. `faults` holds a row for each that does not open.
    """

    format: str
    precision: str
    runtime: str
    artifacts: tuple[Artifact, ...]
    runners: Mapping[str, Runner] = field(default_factory=dict)
    faults: tuple[Row, ...] = ()
    needed: tuple[str, ...] = ()
    """The names of all components of the model."""

    @property
    def enumerated_frames(self) -> tuple[int, ...]:
        """The only numbers of frames that its components take; none where any will do."""
        return shared_frames(self.artifacts)

    @property
    def complete(self) -> bool:
        """Whether every component opened, so that the whole pipeline can run."""
        return not self.faults and self.runners.keys() >= set(self.needed)

    def row(
        self,
        component: str,
        scope: str,
        status: Status,
        reason: str = "",
        *,
        value: float | None = None,
        floor: float | None = None,
    ) -> Row:
        """A row about this candidate."""
        about = (component, self.format, self.precision, self.runtime, scope)
        return Row(*about, value, floor, status, reason)


def candidates(manifest: Manifest, root: Path) -> Iterator[Candidate]:
    """Every format and precision of the bundle on every engine that opens it, one at a time."""
    engines = backends()
    family, host = families.of(manifest)
    names = family.names(host)
    for kind in dict.fromkeys((a.format, a.precision) for a in manifest.artifacts):
        own = tuple(a for a in manifest.artifacts if (a.format, a.precision) == kind)
        able = {name: engine for name, engine in engines.items() if kind[0] in engine.FORMATS}
        for name, engine in able.items():
            yield _opened(Candidate(*kind, name, own, needed=names), manifest, root, engine)
        if not able:
            yield _not_run(Candidate(*kind, "none", own), "no engine here opens this format")


def _opened(candidate: Candidate, manifest: Manifest, root: Path, engine: Runtime) -> Candidate:
    runners: dict[str, Runner] = {}
    faults: list[Row] = []
    for artifact in candidate.artifacts:
        try:
            runners[artifact.component] = engine.load(artifact, root, threads=0)
        except BackendMissingError as error:
            return _not_run(candidate, str(error))
        except Exception as error:  # whatever an engine throws at a file is a finding
            reason = f"cannot be opened: {error}"
            faults.append(candidate.row(artifact.component, "open", Status.FAIL, reason))
    if not faults:
        runners |= _others(manifest, root, engine, set(candidate.needed) - runners.keys())
    return replace(candidate, runners=runners, faults=tuple(faults))


def _others(
    manifest: Manifest, root: Path, engine: Runtime, components: set[str]
) -> dict[str, Runner]:
    """Runners of components that the precision lacks; own rows tell what does not open."""
    try:
        chosen = [
            pick(manifest.artifacts, component, engine, None, root)
            for component in sorted(components)
        ]
        return {one.component: engine.load(one, root, threads=0) for one in chosen}
    except ToolkitError:
        return {}


def _not_run(candidate: Candidate, reason: str) -> Candidate:
    names = [artifact.component for artifact in candidate.artifacts]
    rows = (candidate.row(name, "open", Status.NOT_RUN, reason) for name in names)
    return replace(candidate, faults=tuple(rows))
