"""The verb `serve`: the page that restores in a browser, on this machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer


def serve(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            metavar="BUNDLE",
            envvar="HIRESLDM_BUNDLE",
            help="Folder of a model.",
            show_default="built-in",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8048,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Do not print the address.")] = False,
) -> None:
    """Serve the page that restores in a browser, to browsers on this machine."""
    from ...export.pack import web
    from ...runtimes.restorer import EMBEDDED_BUNDLE
    from ...serving import page

    with page.server(web.files(bundle or EMBEDDED_BUNDLE), port) as server:
        if not quiet:
            print(f"http://localhost:{server.server_port}/ (stop with Ctrl+C)", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
