"""The vocabulary shared by every room: components, their tensors, and the files made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .bundle.quantized import Quantized
from .bundle.schemes import Precision

Array = NDArray[np.float32]
Arrays = Mapping[str, Array]
Runner = Callable[[Arrays], dict[str, Array]]
"""One component on one engine: named inputs to named outputs."""


@dataclass(frozen=True)
class Dim:
    """A dynamic axis, declared once; every exporter translates it to its own words."""

    name: str
    low: int
    high: int
    example: int


@dataclass(frozen=True)
class Tensor:
    """A named float32 tensor; an axis is a number or a `Dim` (`scale` frames per unit of it)."""

    name: str
    shape: tuple[int | Dim | tuple[int, Dim], ...]

    def concrete(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape with every dynamic axis replaced by `sizes[dim.name]` (times its multiple)."""
        return tuple(_size(axis, sizes) for axis in self.shape)


def _size(axis: int | Dim | tuple[int, Dim], sizes: Mapping[str, int]) -> int:
    if isinstance(axis, int):
        return axis
    multiple, dim = axis if isinstance(axis, tuple) else (1, axis)
    return multiple * sizes[dim.name]


@dataclass(frozen=True)
class Component:
    """A network that is exported on its own: what goes in and comes out, and how it is used."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    per_step: bool = False
    """Whether it runs at every step of a sampler; all others run once."""
    fixed_lengths: tuple[int, ...] = ()
    """The only numbers of frames it has where it is made for a neural engine; empty: any."""
    boundary_layers: tuple[str, ...] = ()
    """Beginnings of the names of layers that read its inputs or write its outputs."""
    needs_float32: bool = False
    """Whether it computes in float32 in every precision, which then says how weights are stored."""
    operations: tuple[str, ...] = ()
    """Operations of the toolkit's own that its network uses, as the writers of files know them."""
    hops: int = 1
    """Of the host, for which one of its frames stands."""
    refused: tuple[tuple[str, str], ...] = ()
    """Formats that cannot hold it, each with the reason: the operation that it lacks."""

    @property
    def dim(self) -> Dim:
        """Its dynamic axis; raises ValueError for a component without one."""
        axes = [axis for tensor in self.inputs for axis in tensor.shape]
        dims = {axis[1] if isinstance(axis, tuple) else axis for axis in axes}
        (dim,) = {dim for dim in dims if isinstance(dim, Dim)}
        return dim

    def shape_of(self, tensor: Tensor, frames: int) -> tuple[int, ...]:
        """The shape of one of its tensors at so many frames."""
        return tensor.concrete({self.dim.name: frames})

    @staticmethod
    def frames_axis(tensor: Tensor) -> int:
        """The axis of a tensor that grows with the frames; all others are its channels."""
        (axis,) = (i for i, size in enumerate(tensor.shape) if not isinstance(size, int))
        return axis

    def sample(self, frames: int, seed: int) -> dict[str, Array]:
        """Random inputs of unit scale at so many frames."""
        rng = np.random.default_rng(seed)
        return {
            tensor.name: rng.standard_normal(self.shape_of(tensor, frames)).astype(np.float32)
            for tensor in self.inputs
        }

    def at_boundary(self, key: str) -> bool:
        """Whether a weight, by its state-dict key, belongs to a boundary layer.

        Spectra and masks span more than the 256 levels of an 8-bit activation: in w8a8 these layers
        have 8-bit weights like all others, but compute in float.
        """
        return any(name.startswith(self.boundary_layers) for name in key.split("."))


@dataclass(frozen=True)
class File:
    """A file of a bundle, by its path inside the bundle."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Artifact:
    """One component in one format and precision; `data` are the files `path` refers to."""

    component: str
    format: str
    precision: str
    path: str
    sha256: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tools: Mapping[str, str]
    data: tuple[File, ...] = ()
    enumerated_frames: tuple[int, ...] = ()
    """The only numbers of frames it takes, rising; empty: any length."""
    gate: Mapping[str, float] = field(default_factory=dict)
    """How near to PyTorch it was when it was built, `parity_db`, and what was asked, `floor_db`."""

    @property
    def files(self) -> tuple[File, ...]:
        """Every file the artifact needs, the graph first."""
        return (File(self.path, self.sha256), *self.data)


@dataclass(frozen=True)
class ExportJob:
    """One artifact to be written below `out`.

    `module` is the torch module with float32 weights; `quantized` holds, by the key of its state
    dict, the weights that are stored as integers, the same ones for every format; `calibration`
    holds captured inputs for precisions that quantize activations. `contract` is what the file
    itself tells of its host; `checkpoint` is the file of the same weights, where one lies below
    `out`; a format that chooses what stays float32 comes within `floor_db` of PyTorch.
    """

    component: Component
    module: Any
    precision: Precision
    out: Path
    contract: Mapping[str, str]
    floor_db: float
    checkpoint: Path | None
    quantized: Mapping[str, Quantized] = field(default_factory=dict)
    calibration: Sequence[Arrays] = ()


class Exporter(Protocol):
    """A module `export/writers/to_x.py`: one file format.

    It may also have `lint(path)`, what about a written file keeps it off the device that it is for,
    in words, and `read_integers(path)`, the integers of its weights by state-dict key.
    """

    FORMAT: str
    PRECISIONS: Sequence[Precision]

    def export(self, job: ExportJob) -> Artifact:
        """Write the component and describe what was written; raises `UsageError`, `ParityError`."""
        ...


Shapes = Mapping[str, tuple[int | None, ...]]
"""Shapes by tensor name; an axis of None takes any size."""


class Runtime(Protocol):
    """A module `runtimes/on_x.py`: one engine.

    One with `STANDS_IN = True` only interprets files of an engine that is not here: it comes after
    all others, and its time says nothing. With `SIDE_BY_SIDE = True` a call takes one thread, and
    `threads` of them may run at once; without, a call takes all of them.
    """

    FORMATS: Sequence[str]

    def load(self, artifact: Artifact, root: Path, *, threads: int) -> Runner:
        """Open the artifact below `root`; raises `BackendMissingError` without the engine."""
        ...

    def shapes(self, artifact: Artifact, root: Path) -> Shapes:
        """What the artifact takes and makes, as its file declares it; raises as `load` does."""
        ...

    def settings(self) -> Mapping[str, str]:
        """Engine, version, device and hints, for reports; raises as `load` does."""
        ...
