"""The page that restores in a browser, with a bundle beside it: which files, under which names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ... import families
from ...core import manifest as bundles
from ...core.errors import IntegrityError

PAGE = Path(__file__).parents[2] / "web"
"""The page as it was built; Node makes it anew from `web/`."""
FAMILY = "hiresldm"
FORMAT = "onnx"
HEADERS: Mapping[str, str] = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""What a host has to send so that a browser gives the page threads."""


def files(bundle: Path) -> dict[str, Path]:
    """Files by their path below the page's address: the page, and of the bundle what it reads.

    Raises `IntegrityError` for a bundle that is altered, or that the page cannot play.
    """
    manifest = bundles.load(bundle)
    bundles.verify(manifest, bundle)
    family, host = families.of(manifest)
    if family.name != FAMILY:
        raise IntegrityError(f"{bundle} is of the family {family.name}; the page plays {FAMILY}")
    for name in family.names(host):
        if not any(a.component == name and a.format == FORMAT for a in manifest.artifacts):
            raise IntegrityError(f"{bundle} holds no {name} as {FORMAT}, which the page needs")
    artifacts = [a for a in manifest.artifacts if a.format == FORMAT]
    listed = {bundles.NAME, *(file.path for a in artifacts for file in a.files)}
    page = {path.relative_to(PAGE).as_posix(): path for path in PAGE.rglob("*") if path.is_file()}
    return page | {f"bundle/{name}": bundle / name for name in sorted(listed)}
