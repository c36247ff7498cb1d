"""Operations of the toolkit's own: which there are, and what each is in the words of a format.

A component declares by name which of them its network uses. Each is a module here that holds
`onnx()`, its translation, `teach_coreml()`, which tells coremltools, and `in_coreml(state)`, the
values of a state dict as a Core ML file holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ...core.errors import ExportError
from ...core.spec import Arrays, Component
from . import gru

NAMESPACE = "hiresldm"
"""Of the operations, as torch has them."""


class Operation(Protocol):
    """What a module for one operation holds."""

    def onnx(self) -> Callable[..., Any]:
        """The operation as a function of onnxscript's operators."""
        ...

    def teach_coreml(self) -> None:
        """Register the operation with coremltools."""
        ...

    def in_coreml(self, state: Arrays) -> Arrays:
        """A state dict with the weights of the operation as Core ML files hold them."""
        ...


KNOWN: dict[str, Operation] = {"gru": gru}


def of(component: Component) -> dict[str, Operation]:
    """The operations of a component by name; raises `ExportError` for one that is unknown."""
    for name in component.operations:
        if name not in KNOWN:
            raise ExportError(f"{component.name}: there is no operation {name}; {', '.join(KNOWN)}")
    return {name: KNOWN[name] for name in component.operations}


def onnx_table(component: Component) -> dict[Any, Callable[..., Any]]:
    """Translations of the component's operations, as `torch.onnx.export` takes them."""
    import torch

    owned = getattr(torch.ops, NAMESPACE)
    return {getattr(owned, name).default: one.onnx() for name, one in of(component).items()}


def teach_coreml(component: Component) -> None:
    """Register the component's operations with coremltools."""
    for operation in of(component).values():
        operation.teach_coreml()


def in_coreml(component: Component, state: Arrays) -> Arrays:
    """The weights of the component as Core ML files hold them, by keys of their own."""
    for operation in of(component).values():
        state = operation.in_coreml(state)
    return state
