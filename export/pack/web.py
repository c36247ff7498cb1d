"""The page that restores in a browser, a bundle beside it: served, or as files for any host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...core.bundle import manifest as bundles
from ...core.bundle.manifest import Manifest
from ...core.errors import IntegrityError
from . import subset
from .folder import copy, whole

PAGE = Path(__file__).parents[2] / "web"
"""The page as it was built; Node makes it anew from `web/`."""
FORMAT = "onnx"
HEADERS: Mapping[str, str] = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""What a host should send: the first two are what a browser wants for threads."""
_BUNDLE = "bundle"
_FAMILY = "hiresldm"
"""The one whose host the page has."""


def files(bundle: Path) -> dict[str, Path]:
    """Files by their path below the page's address: the page, and of the bundle what it reads.

    Raises `IntegrityError` for a bundle that is altered, or that the page cannot play.
    """
    manifest = _chosen(bundle)
    read = {bundles.NAME, *(file.path for file in bundles.files(manifest))}
    return _page() | {f"{_BUNDLE}/{name}": bundle / name for name in sorted(read)}


def write(bundle: Path, out: Path, *, precision: str | None, overwrite: bool) -> Manifest:
    """Write the page and the bundle as static files; raises as `files`, and as `folder.whole`.

    `_headers` names the headers in the form that several hosts of static files read.
    """
    manifest = _chosen(bundle, precision)
    with whole(out, overwrite=overwrite) as draft:
        for name, path in _page().items():
            copy(path, draft / name)
        subset.write(manifest, bundle, draft / _BUNDLE)
        lines = "".join(f"  {name}: {value}\n" for name, value in HEADERS.items())
        (draft / "_headers").write_text(f"/*\n{lines}", encoding="utf-8")
    return manifest


def _chosen(bundle: Path, precision: str | None = None) -> Manifest:
    family = bundles.load(bundle).family
    if family != _FAMILY:
        raise IntegrityError(f"{bundle} is of the family {family}; the page plays {_FAMILY} alone")
    return subset.chosen(bundle, FORMAT, precision)


def _page() -> dict[str, Path]:
    return {path.relative_to(PAGE).as_posix(): path for path in PAGE.rglob("*") if path.is_file()}
