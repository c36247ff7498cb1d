"""Opening a `.mlpackage` with coremltools, on any machine."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from ...core.errors import BackendMissingError, IntegrityError, ToolkitError, UsageError, reason

_MODEL = "Data/com.apple.CoreML/model.mlmodel"
_WEIGHTS = "Data/com.apple.CoreML/weights"
_SHOWN = 60
"""Characters of a name that are told."""


def engine() -> Any:
    """The package coremltools; raises `BackendMissingError` without it."""
    try:
        import coremltools
    except ImportError as error:
        raise BackendMissingError(
            f"coremltools cannot be imported ({error}); "
            "install it with: pip install 'hiresldm[coreml]'"
        ) from error
    return coremltools


def read(path: Path, known: Collection[str]) -> tuple[Any, Any]:
    """The specification of the package and the main function of its program, weights read.

    Raises `BackendMissingError` without coremltools, `IntegrityError` where it cannot be read,
    `UsageError` naming the first operation that is of none of the `known` types.
    """
    with _reading(path):
        spec = _specification(path)
        _check_operations(spec, path, known)
        return spec, _main(spec, path / _WEIGHTS)


def specification(path: Path) -> Any:
    """The specification of the package alone; raises as `read` does."""
    with _reading(path):
        return _specification(path)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    # coremltools tells on standard error what it cannot do off a Mac; here none of it is needed.
    with redirect_stderr(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        engine()
        try:
            yield
        except ToolkitError:
            raise
        except Exception as error:  # its errors share no narrower base
            said = reason(error, path)
            raise IntegrityError(f"{path} cannot be read as a Core ML program: {said}") from error


def _specification(path: Path) -> Any:
    from coremltools.models.utils import load_spec

    # Named, not looked up in the package's own list, which may lead anywhere.
    return load_spec(str(path / _MODEL))


def _check_operations(spec: Any, path: Path, known: Collection[str]) -> None:
    """Before coremltools opens it: what it computes of constants may take any memory."""
    for function in spec.mlProgram.functions.values():
        for block in function.block_specializations.values():
            for operation in block.operations:
                if operation.type not in known:
                    name = operation.outputs[0].name if operation.outputs else ""
                    raise UsageError(
                        f"{path.name}: operation '{name[:_SHOWN]}' is of type "
                        f"{operation.type[:_SHOWN]}; "
                        f"known are {', '.join(known)}"
                    )


def _main(spec: Any, weights: Path) -> Any:
    from coremltools.converters.mil.frontend.milproto.load import load

    program = load(spec, spec.specificationVersion, file_weights_dir=str(weights))
    return program.functions["main"]
