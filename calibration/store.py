"""Captured inputs on disk: one safetensors file, arrays as fp16, the facts in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..core.bundle import strict
from ..core.bundle.manifest import sha256_of
from ..core.errors import IntegrityError, UsageError, reason
from ..core.outputs import publish
from ..core.spec import Arrays

VERSION = "2"
HOST = "host"
"""Stands for a component in the origin of the waves that everything else was captured from."""


@dataclass(frozen=True)
class Origin:
    """Where inputs come from: the damage, and the place in the sampler where there is one.

    `snr_db` is the scale-invariant ratio of clean speech to damage, `time` the diffusion time.
    """

    component: str
    clip: str
    kind: str
    snr_db: float
    steps: int | None = None
    time: float | None = None


@dataclass(frozen=True)
class _Stored:
    """What the metadata says beside the facts."""

    origins: tuple[Origin, ...]


@dataclass(frozen=True)
class Sample:
    """Inputs of one call of a component, and where they come from."""

    origin: Origin
    inputs: Arrays


@dataclass(frozen=True)
class Calibration:
    """What a quantizer sees of a model: inputs of every component.

    `sha256` is the file's; `facts` say what it was captured from.
    """

    sha256: str
    facts: Mapping[str, str]
    captured: Sequence[Sample]

    def samples(self, component: str) -> Sequence[Arrays]:
        """Inputs of a component as captured, in order; raises `UsageError` where there are none."""
        found = [s.inputs for s in self.captured if s.origin.component == component]
        if not found:
            raise UsageError(f"the calibration file holds no inputs of a component '{component}'")
        return found

    def spaced(self, component: str, count: int) -> Sequence[Arrays]:
        """At most `count` of `samples`, spread evenly over all of them."""
        found = self.samples(component)
        chosen = np.linspace(0, len(found) - 1, min(count, len(found))).round()
        return [found[int(index)] for index in chosen]

    def require(self, config: str) -> None:
        """Raise `UsageError` unless captured from a model of this configuration (its JSON)."""
        if self.facts.get("config") != config:
            raise UsageError(
                "the calibration file was captured from a model of other sizes; "
                "`hiresldm calibrate` with these weights makes the right one"
            )


def save(
    path: Path,
    captured: Sequence[Sample],
    *,
    facts: Mapping[str, str],
) -> None:
    """Write a calibration file, whole or not at all; raises `UsageError` where that fails."""
    arrays = {
        _key(index, name): value.astype(np.float16)
        for index, sample in enumerate(captured)
        for name, value in sample.inputs.items()
    }
    origins = [asdict(sample.origin) for sample in captured]
    metadata = {"version": VERSION, "origins": json.dumps(origins)}
    partial = path.with_name(f"{path.name}.partial")
    try:
        save_file(arrays, partial, metadata={**facts, **metadata})
        partial.chmod(0o644)  # safetensors writes for the owner alone
        publish(partial, path)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"cannot write {path}: {error}") from error


def load(path: Path) -> Calibration:
    """Read a calibration file, arrays as float32.

    Raises `UsageError` where there is no such file and `IntegrityError` where it is no calibration
    file or one of another version.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such calibration file; `hiresldm calibrate` makes one")
    try:
        with safe_open(path, "np") as file:
            facts = dict(file.metadata() or {})
            arrays = {key: file.get_tensor(key).astype(np.float32) for key in file.keys()}  # noqa: SIM118
        if (version := facts.pop("version")) != VERSION:
            raise IntegrityError(f"{path}: version {version}; this reader knows {VERSION}")
        told = {name: strict.parsed(facts.pop(name)) for name in ("origins",)}
        stored = strict.built(_Stored, told)
        samples = _assembled(stored.origins, arrays)
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        said = reason(error, path)
        raise IntegrityError(f"{path}: not a calibration file: {said}") from error
    return Calibration(sha256_of(path), facts, samples)


def _assembled(origins: Sequence[Origin], arrays: Arrays) -> list[Sample]:
    inputs: list[dict[str, np.ndarray]] = [{} for _ in origins]
    for key, value in arrays.items():
        index, _, name = key.partition(".")
        inputs[int(index)][name] = value
    return [Sample(origin, own) for origin, own in zip(origins, inputs, strict=True)]


def _key(index: int, name: str) -> str:
    return f"{index:05d}.{name}"
