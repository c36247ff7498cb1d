"""The verb `pack`: what a web host or an app takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..told import tell

if TYPE_CHECKING:
    from ...core.bundle.manifest import Manifest

Web = Annotated[
    Path | None, typer.Option("--web", metavar="OUT", help="The page, as static files.")
]
Ios = Annotated[
    Path | None,
    typer.Option("--ios", metavar="OUT", help="Core ML or else, and a note."),
]
Android = Annotated[
    Path | None,
    typer.Option("--android", metavar="OUT", help="ORT format or else, and a note."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def pack(
    web_out: Web = None,
    ios_out: Ios = None,
    android_out: Android = None,
    bundle: options.Bundle = None,
    precision: options.Precision = None,
    overwrite: Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Pack a model for a web host, for iOS or for Android: files, vectors, an integration note.

    Apps get the first of these formats that the bundle holds: Core ML or ORT, LiteRT, ExecuTorch.
    """
    from ...core.errors import UsageError
    from ...export.pack import device, web
    from ...runtimes.restorer import EMBEDDED_BUNDLE

    root = bundle or EMBEDDED_BUNDLE
    made: dict[str, Any] = {}
    if web_out:
        packed = web.write(root, web_out, precision=precision, overwrite=overwrite)
        made["web"] = _about(web_out, packed) | {"headers": dict(web.HEADERS)}
    for name, out in (("ios", ios_out), ("android", android_out)):
        if out:
            platform = device.PLATFORMS[name]
            packed = device.write(platform, root, out, precision=precision, overwrite=overwrite)
            made[name] = _about(out, packed)
    if not made:
        raise UsageError("nothing to pack; name a folder with --web, --ios or --android")
    tell(made, lambda: _text(made), as_json=as_json, quiet=quiet)


def _about(out: Path, packed: Manifest) -> dict[str, Any]:
    from ...core.bundle.manifest import bytes_of

    artifacts = {a.component: f"{a.format} {a.precision}" for a in packed.artifacts}
    return {"out": str(out), "bytes": bytes_of(out), "components": artifacts}


def _text(made: dict[str, Any]) -> str:
    lines = []
    for pack in made.values():
        held = ", ".join(f"{name} ({what})" for name, what in pack["components"].items())
        lines.append(f"{pack['out']}: {pack['bytes'] / 1e6:.1f} MB: {held}")
        headers = pack.get("headers", {}).items()
        lines += [f"  the host should send  {name}: {value}" for name, value in headers]
    return "\n".join(lines)
