"""What is installed, what of it would run a model, and why."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from .. import families
from ..core import processors
from ..core.bundle import manifest as bundles
from ..core.errors import BackendMissingError, ToolkitError
from ..core.spec import Runtime
from .restorer import DEFAULT_BACKEND, EMBEDDED_BUNDLE, Restorer, backends, pick, runtime_of

TESTED: Mapping[str, str] = {
    "av": "18.1.0",
    "mutagen": "1.48.1",
    "numpy": "2.4.6",
    "onnxruntime": "1.32.0",
    "packaging": "26.4",
    "rich": "15.0.0",
    "soundfile": "0.14.0",
    "soxr": "1.1.0",
    "typer": "0.29.2",
    "openvino": "2026.4.1",
    "coremltools": "9.0",
    "executorch": "1.5.1",
    "torch": "2.13.0",
}
"""The newest versions that the tests ran with: of the plain install, then of the other engines.

The oldest are the bounds in `pyproject.toml`, which CI restores the example with.
"""


def packages() -> list[dict[str, Any]]:
    """Every package of `TESTED`: version here, versions needed and tested, and what that means."""
    needed = {one.name: str(one.specifier) for one in _requirements() if one.name in TESTED}
    rows: list[dict[str, Any]] = []
    for name, tested in TESTED.items():
        here, accepted = _version(name), needed.get(name, "")
        verdict = verdict_on(name, here, accepted, tested)
        row = {"name": name, "installed": here, "needed": accepted, "tested": tested}
        rows.append(row | {"verdict": verdict})
    return rows


def verdict_on(name: str, here: str | None, needed: str, tested: str) -> str:
    """What it means that this version of a package is here: in words, with the way out."""
    if here is None:
        return "not installed"
    if not SpecifierSet(needed).contains(here, prereleases=True):
        return f"not accepted; install another with: pip install '{name}{needed}'"
    mine, proven = Version(Version(here).public), Version(tested)
    if mine == proven:
        return "as tested"
    return "newer than tested" if mine > proven else "older than tested, accepted"


def engines() -> list[dict[str, Any]]:
    """Every engine: the formats it opens, its settings, or the reason why it does not run here."""
    return [
        {"name": name, "formats": list(engine.FORMATS)} | _present(engine)
        for name, engine in backends().items()
    ]


def threads(asked: int | None) -> dict[str, Any]:
    """How many CPU threads an engine starts: those asked for, else what is left by the limits."""
    quota, mask = processors.quota(), processors.allowed()
    return {
        "used": asked or processors.usable(),
        "asked": asked,
        "processors": os.cpu_count(),
        "allowed": len(mask),
        "cores": processors.cores(mask),
        "quota": None if math.isinf(quota) else quota,
    }


def choice(bundle: Path | None, backend: str | None, threads: int | None) -> dict[str, Any]:
    """The model and engine that `restore` takes with these options, and why; opened to be sure.

    Raises what `Restorer.load` raises where it could not be opened.
    """
    root, engine = bundle or EMBEDDED_BUNDLE, backend or DEFAULT_BACKEND
    Restorer.load(root, backend=engine, threads=threads)
    manifest = bundles.load(root)
    family, host = families.of(manifest)
    names = family.names(host)
    chosen = [pick(manifest.artifacts, name, runtime_of(engine), None, root) for name in names]
    return {
        "bundle": str(root),
        "family": family.name,
        "model": manifest.model,
        "why_bundle": "as asked for" if bundle else "built in, as none is asked for",
        "engine": engine,
        "why_engine": "as asked for" if backend else "what the plain install has, as none is asked",
        "components": {one.component: f"{one.format} {one.precision}" for one in chosen},
        "why_components": "the first of each component in the bundle that the engine opens",
        "steps": host.default_steps,
    }


def examine(
    bundle: Path | None, backend: str | None, wanted: int | None
) -> tuple[dict[str, Any], ToolkitError | None]:
    """All of the above as JSON values, and what keeps the chosen model from running, if anything.

    `problem` is that in words.
    """
    problem: ToolkitError | None = None
    chosen: dict[str, Any] | None = None
    try:
        chosen = choice(bundle, backend, wanted)
    except ToolkitError as error:
        problem = error
    found = {
        "hiresldm": _version("hiresldm"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": packages(),
        "engines": engines(),
        "threads": threads(wanted),
        "choice": chosen,
        "problem": str(problem) if problem else None,
    }
    return found, problem


def _requirements() -> Iterator[Requirement]:
    """What the installed package asks for; nothing where it runs from a folder, not installed."""
    try:
        yield from map(Requirement, requires("hiresldm") or ())
    except PackageNotFoundError:
        return


def _present(engine: Runtime) -> dict[str, Any]:
    try:
        return {"present": True, "settings": dict(engine.settings()), "reason": None}
    except BackendMissingError as error:
        return {"present": False, "settings": {}, "reason": str(error)}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
