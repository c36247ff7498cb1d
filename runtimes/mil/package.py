"""Opening a `.mlpackage` with coremltools, on any machine."""

from __future__ import annotations

import warnings
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from ...core.errors import BackendMissingError, IntegrityError

_WEIGHTS = "Data/com.apple.CoreML/weights"


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


def read(path: Path) -> tuple[Any, Any]:
    """The specification of the package and the main function of its program, weights read.

    Raises `BackendMissingError` without coremltools, `IntegrityError` where it cannot be read.
    """
    # coremltools tells on standard error what it cannot do off a Mac; here none of it is needed.
    with redirect_stderr(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        engine()
        from coremltools.converters.mil.frontend.milproto.load import load
        from coremltools.models.utils import load_spec

        try:
            spec = load_spec(str(path))
            version = spec.specificationVersion
            program = load(spec, version, file_weights_dir=str(path / _WEIGHTS))
        except Exception as error:  # its errors share no narrower base
            raise IntegrityError(f"{path} cannot be read as a Core ML program: {error}") from error
    return spec, program.functions["main"]
