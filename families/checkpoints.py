"""Weights on disk: one safetensors file per component, which tells how to build its network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as shortened
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..core.bundle import strict
from ..core.bundle.weights import weights_file
from ..core.errors import IntegrityError, UsageError, reason
from ..core.family import Host
from ..core.spec import Component
from . import DEFAULT, find


class Config(Protocol):
    """What the networks of a family are built of."""

    @property
    def family(self) -> str:
        """The name of the family."""
        ...

    @property
    def name(self) -> str:
        """What networks of this size are called."""
        ...

    @property
    def host(self) -> Host:
        """What surrounds the networks."""
        ...

    def to_json(self) -> str:
        """The text that the family's `outline` reads."""
        ...


@dataclass(frozen=True)
class OneSize:
    """The `Config` of a family whose networks have no sizes to choose."""

    family: str
    name: str
    host: Host

    def to_json(self) -> str:
        """No values."""
        return "{}"

    def check_json(self, text: str) -> None:
        """Raise ValueError unless `text` has no values either."""
        if values := strict.parsed(text):
            raise ValueError(
                f"{self.name} has no sizes to choose, but is given {shortened(values)}"
            )

    def check_size(self, size: str | None) -> None:
        """Raise `UsageError` where a size is asked for."""
        if size is not None:
            raise UsageError(f"{self.name} has one size; --size {size} cannot be chosen")


class Model(nn.Module):
    """A model of any family: its children are its components, by name."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    @property
    def components(self) -> tuple[Component, ...]:
        """The components, in the order in which audio passes them."""
        return find(self.config.family).components(self.config.host)


def save_component(
    module: nn.Module, config: Config, path: Path, dtype: torch.dtype, **facts: str
) -> None:
    """Write one component as safetensors, with the configuration and `facts` in its metadata."""
    tensors: dict[str, Tensor] = {
        name: value.detach().to(dtype).contiguous() for name, value in module.state_dict().items()
    }
    partial = path.with_suffix(".partial")
    # One entry: safetensors writes several in any order, and equal weights shall be equal files.
    told = {"family": config.family} | json.loads(config.to_json())
    text = json.dumps(told, separators=(",", ":"))
    save_file(tensors, partial, metadata={"config": text, **facts})
    partial.chmod(0o644)  # safetensors writes for the owner alone
    partial.rename(path)


def load_component(module: nn.Module, path: Path) -> None:
    """Fill `module` from safetensors; raises `IntegrityError` where they are not of its kind."""
    _outline(path)  # of this revision
    _fill(module, path, assign=False)


def open_component(path: Path, name: str) -> tuple[Component, nn.Module]:
    """One component and its network, ready; raises `IntegrityError` as `load_component` does."""
    model = _outline(path)
    declared = {component.name: component for component in model.components}
    if name not in declared:
        raise IntegrityError(f"{path}: a {model.config.family} has no component {name!r}")
    module = model.get_submodule(name)
    _fill(module, path, assign=True)
    return declared[name], module.eval()


def load(folder: Path) -> Model:
    """The model whose components lie in `folder`, a run or a bundle, ready to run.

    Raises `IntegrityError` where one is missing or its configuration differs.
    """
    model = _outline(_any_weights(folder))
    files = {component.name: weights_file(folder, component.name) for component in model.components}
    if len({_facts(path) for path in files.values()}) != 1:
        raise IntegrityError(f"{folder}: its components were trained with different configurations")
    for name, path in files.items():
        _fill(model.get_submodule(name), path, assign=True)
    return model.eval()


def _any_weights(folder: Path) -> Path:
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise IntegrityError(f"{folder} holds no files of weights (.safetensors)")
    return found[0]


def _outline(path: Path) -> Model:
    """The model that a file is of, without weights."""
    family, config = _facts(path)
    try:
        model: Model = find(family).outline(config)
    except (UsageError, ValueError) as error:  # another revision, or sizes that no network has
        raise IntegrityError(f"{path}: these weights cannot be used: {error}") from error
    return model


def _fill(module: nn.Module, path: Path, *, assign: bool) -> None:
    try:
        tensors = {name: value.float() for name, value in load_file(path).items()}
        module.load_state_dict(tensors, assign=assign)
    except (OSError, SafetensorError, RuntimeError) as error:
        said = reason(error, path)
        raise IntegrityError(f"{path}: these weights do not fit the model: {said}") from error


def _facts(path: Path) -> tuple[str, str]:
    """The family and the configuration that a file names."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise IntegrityError(f"{path}: no readable weights: {reason(error, path)}") from error
    if "config" not in metadata:
        raise IntegrityError(f"{path}: no readable weights: no configuration of a model in them")
    try:
        values = strict.parsed(metadata["config"])
        # Files that were written before there were families name none.
        return values.pop("family", DEFAULT), json.dumps(values)
    except (AttributeError, TypeError, ValueError) as error:
        raise IntegrityError(f"{path}: these weights cannot be used: {reason(error)}") from error
