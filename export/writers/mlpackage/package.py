"""Writing a `.mlpackage` whose bytes depend on nothing but its content, and reading it back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from .convert import unheard

DATA = "Data"
MODEL = "com.apple.CoreML/model.mlmodel"
WEIGHTS = "com.apple.CoreML/weights"
_DATE = "com.github.apple.coremltools.conversion_date"


def save(model: Any, path: Path, facts: Mapping[str, str]) -> None:
    """Write the model to the folder `path`, with `facts` in its metadata.

    coremltools puts the date, random identifiers and an order of its own into every package; these
    are replaced, so that equal models have equal hashes.
    """
    from coremltools.proto import Model_pb2

    with unheard():
        model.save(str(path))
    file = path / DATA / MODEL
    spec = Model_pb2.Model.FromString(file.read_bytes())
    metadata = spec.description.metadata.userDefined
    metadata.pop(_DATE, None)
    metadata.update(facts)
    file.write_bytes(spec.SerializeToString(deterministic=True))
    (path / "Manifest.json").write_text(_manifest(), encoding="utf-8")


def read(path: Path) -> tuple[Any, Any]:
    """The specification and the MIL program of a saved package."""
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.models.utils import load_spec

    with unheard():
        spec = load_spec(str(path))
        folder = str(path / DATA / WEIGHTS)
        return spec, load(spec, spec.specificationVersion, file_weights_dir=folder)


def _manifest() -> str:
    entries = dict(_entries())
    root = next(key for key, entry in entries.items() if entry["path"] == MODEL)
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": entries,
        "rootModelIdentifier": root,
    }
    return json.dumps(manifest, indent=1) + "\n"


def _entries() -> Iterator[tuple[str, dict[str, str]]]:
    for path, description in ((MODEL, "Model Specification"), (WEIGHTS, "Model Weights")):
        entry = {
            "author": "com.apple.CoreML",
            "description": f"CoreML {description}",
            "name": Path(path).name,
            "path": path,
        }
        yield str(uuid5(NAMESPACE_URL, path)), entry
