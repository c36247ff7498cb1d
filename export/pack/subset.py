"""A part of a bundle as a bundle: one artifact of each component, and the golden vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ... import families
from ...core.bundle import manifest as bundles
from ...core.bundle.manifest import Manifest
from ...core.errors import IntegrityError
from ...core.spec import Artifact
from .folder import copy


def chosen(bundle: Path, form: str, precision: str | None = None) -> Manifest:
    """The bundle's manifest with the first artifact of each component in this format alone.

    Raises `IntegrityError` for a bundle that is altered or lacks a component.
    """
    manifest = bundles.load(bundle)
    bundles.verify(manifest, bundle)
    family, host = families.of(manifest)
    fitting = [
        a for a in manifest.artifacts if a.format == form and precision in (None, a.precision)
    ]
    picked = [_first(fitting, name, bundle, form, precision) for name in family.names(host)]
    return replace(manifest, artifacts=tuple(picked))


def write(manifest: Manifest, bundle: Path, out: Path) -> None:
    """Copy what the manifest lists from `bundle` to the folder `out`, the manifest last."""
    for file in bundles.files(manifest):
        if not (out / file.path).exists():
            copy(bundle / file.path, out / file.path)
    bundles.save(manifest, out)


def _first(
    fitting: Sequence[Artifact], name: str, bundle: Path, form: str, precision: str | None
) -> Artifact:
    for artifact in fitting:
        if artifact.component == name:
            return artifact
    wanted = f"{form} {precision}" if precision else form
    command = f"hiresldm build NEW --weights {bundle} --formats {form}"
    if precision:
        command += f" --precisions {precision}"
    raise IntegrityError(f"{bundle} holds no {name} as {wanted}; make one that does: {command}")
