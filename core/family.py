"""A model as a declaration: its components, the host around them, and how its networks are made.

What walks over the components of a model takes its `Family`, and never asks which model it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from . import arguments
from .errors import IntegrityError, UsageError
from .spec import Array, Arrays, Component, Runner

Runners = Mapping[str, Runner]
"""Components on engines, by name."""


@dataclass(frozen=True)
class Options:
    """What may be chosen of a restoration: how many sampler steps, and the seed of the noise."""

    steps: int
    seed: int = 0


class Host(Protocol):
    """What surrounds the components: from a chunk of wave to a chunk of wave.

    A frozen dataclass of plain values, NumPy at most: a bundle carries it as JSON, and every device
    runs it.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def sample_rate_hz(self) -> int:
        """Of the waves that come in and go out."""
        ...

    @property
    def hop(self) -> int:
        """Samples per frame of the components' dynamic axis; a chunk is whole frames."""
        ...

    @property
    def context_s(self) -> float:
        """Seconds on both sides of a chunk that change what is made of it."""
        ...

    @property
    def loudness_lufs(self) -> float | None:
        """The level that the components were made for; None where any will do."""
        ...

    @property
    def schedules(self) -> Mapping[int, tuple[float, ...]]:
        """Times of the sampler by number of steps; empty for a model that has no sampler."""
        ...

    @property
    def default_steps(self) -> int:
        """The number of steps where none is asked for; 1 without a sampler."""
        ...

    def offering(self, steps: Sequence[int], default: int) -> Self:
        """The host with other numbers of steps; raises `UsageError` for what it cannot offer."""
        ...

    def wave_of(self, output: str, value: Array) -> Array | None:
        """The wave (n,) that a component's output stands for; None where it is no sound."""
        ...

    def process(self, run: Runners, wave: Array, first_frame: int, options: Options) -> Array:
        """The restored chunk (n,) of a wave (n,), n whole frames; `first_frame` is its place.

        Raises `IntegrityError` where a component does not give what one of its name gives.
        """
        ...


class Stepless:
    """A base for hosts without a sampler, and whose components give nothing that can be heard."""

    schedules: ClassVar[Mapping[int, tuple[float, ...]]] = {}
    default_steps: ClassVar[int] = 1

    def offering(self, steps: Sequence[int], default: int) -> Self:
        """Raises `UsageError`: there are no steps to choose."""
        raise UsageError("this model has no sampler; steps cannot be chosen")

    def wave_of(self, output: str, value: Array) -> Array | None:
        """None: no output is a sound."""
        return None


@dataclass(frozen=True)
class Family:
    """A model that the toolkit carries: `families/<name>/` declares it as `FAMILY`.

    `host` is the class of its hosts, `components` names its components in the order in which audio
    passes them. `networks` is the module that torch is imported by, when networks are needed: it
    has the functions `outline`, `untrained` and, where others publish weights, `published`. `note`
    tells apps in words what a host does; without one they are given its code.
    """

    name: str
    host: type[Any]
    components: Callable[[Any], tuple[Component, ...]]
    networks: str
    note: Callable[[Any], str] | None = None

    def outline(self, config: str) -> Any:
        """The networks of a configuration, without weights; raises ValueError for another text."""
        return import_module(self.networks).outline(config)

    def untrained(self, size: str | None) -> Any:
        """The networks with random weights; raises `UsageError` for a size that there is not."""
        return import_module(self.networks).untrained(size)

    @property
    def published(self) -> Callable[[Path], Any] | None:
        """What reads a file that others made, None where nobody does.

        It raises `IntegrityError` for a file that it cannot read.
        """
        return getattr(import_module(self.networks), "published", None)

    def names(self, host: Host) -> tuple[str, ...]:
        """The names of the components."""
        return tuple(component.name for component in self.components(host))


def accepted_steps(host: Host, steps: int | None) -> int:
    """`steps`, or the default for None; raises `UsageError` for a number that is not offered."""
    chosen = host.default_steps if steps is None else arguments.whole(steps, "number of steps")
    offered = sorted(host.schedules) or [host.default_steps]
    if chosen not in offered:
        accepted = ", ".join(map(str, offered))
        raise UsageError(f"{chosen} steps are not offered by this model; accepted: {accepted}")
    return chosen


def check_offer(steps: Sequence[int], default: int) -> None:
    """Raise `UsageError` unless the steps to offer are 1 or more each, the default among them."""
    if not steps or min(steps) < 1 or default not in steps:
        accepted = ", ".join(map(str, steps)) or "none"
        raise UsageError(f"{default} default steps; accepted of those offered: {accepted}")


def made(
    run: Runners, component: str, inputs: Arrays, output: str, shape: tuple[int, ...]
) -> Array:
    """The output (1, *shape) of a component; a bundle may hold any graph, or lack one.

    Raises `UsageError` for a component that is not there, `IntegrityError` for another output.
    """
    if component not in run:
        raise UsageError(f"the model lacks {component}; it has {', '.join(run)}")
    outputs = run[component](inputs)
    found = outputs.get(output)
    if found is None:
        raise IntegrityError(f"{component} gives {sorted(outputs)}; {output} is needed")
    if found.shape != (1, *shape):
        raise IntegrityError(
            f"{component} gives {output} of shape {found.shape}, not {(1, *shape)}"
        )
    return found


def as_json(host: Host) -> dict[str, Any]:
    """The host's values as JSON has them, for a manifest."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(host)))
    return values


def contract(family: str, component: str, host: Host) -> dict[str, str]:
    """The host's values as text, for whoever has a component's file without the manifest."""
    facts: dict[str, Any] = {"family": family, "component": component}
    return {key: str(value) for key, value in (facts | _flat(asdict(host))).items()}


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested objects laid side by side, tables left out."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if not isinstance(value, Mapping):
            flat[name] = value
        elif all(isinstance(key, str) for key in value) and value:
            flat |= _flat(value)
    return flat
