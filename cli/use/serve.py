"""The verb `serve`: the page that restores in a browser, or restoring over HTTP for programs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...core.errors import UsageError
from .. import options

if TYPE_CHECKING:
    from ...serving.limits import Limits

LOOPBACK = "127.0.0.1"
_PANEL = "With --api"

Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Do not print the address.")]
Api = Annotated[
    bool, typer.Option("--api", help="Restore here, for programs, instead of the page.")
]
Host = Annotated[
    str,
    typer.Option(help="Address; one that others reach needs a token.", rich_help_panel=_PANEL),
]
Token = Annotated[
    str | None,
    typer.Option(envvar="HIRESLDM_TOKEN", help="What clients must send.", rich_help_panel=_PANEL),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Recordings restored at a time.",
        show_default="cores",
        rich_help_panel=_PANEL,
    ),
]
Waiting = Annotated[
    int, typer.Option(min=0, help="Recordings that may wait.", rich_help_panel=_PANEL)
]
Streams = Annotated[
    int, typer.Option(min=1, help="Live streams at a time.", rich_help_panel=_PANEL)
]
Megabytes = Annotated[
    int, typer.Option(min=1, help="Of a recording, at most.", rich_help_panel=_PANEL)
]
Minutes = Annotated[
    float, typer.Option(min=0.1, help="Of a recording, at most.", rich_help_panel=_PANEL)
]
Seconds = Annotated[
    float, typer.Option(min=1, help="For a request, at most.", rich_help_panel=_PANEL)
]
Backend = Annotated[str, typer.Option(help="Engine that runs the model.", rich_help_panel=_PANEL)]
Precision = Annotated[
    str | None,
    typer.Option(
        help="fp32, fp16, int8, ...",
        show_default="the bundle's first",
        rich_help_panel=_PANEL,
    ),
]


def serve(
    bundle: options.BundleArgument = None,
    port: Port = 8048,
    quiet: Quiet = False,
    api: Api = False,
    host: Host = LOOPBACK,
    token: Token = None,
    workers: Workers = None,
    waiting: Waiting = 8,
    streams: Streams = 4,
    megabytes: Megabytes = 100,
    minutes: Minutes = 30.0,
    seconds: Seconds = 300.0,
    backend: Backend = "ort",
    precision: Precision = None,
) -> None:
    """Serve the page that restores in a browser, or with --api restoring for programs."""
    from ...core.processors import usable
    from ...serving.limits import Limits

    if not api:
        if host != LOOPBACK:
            raise UsageError("the page is for browsers on this machine; --host goes with --api")
        _page(bundle, port, quiet=quiet)
        return
    limits = Limits(
        workers=workers or usable(),
        waiting=waiting,
        streams=streams,
        body_bytes=megabytes * 1_000_000,
        request_s=seconds,
        audio_s=60 * minutes,
    )
    _api(bundle, (host, port), limits, token, backend, precision, quiet=quiet)


def _page(bundle: Path | None, port: int, *, quiet: bool) -> None:
    from ...export.pack import web
    from ...runtimes.restorer import EMBEDDED_BUNDLE
    from ...serving import page

    with page.server(web.files(bundle or EMBEDDED_BUNDLE), port) as server:
        _tell("localhost", server.server_port, quiet=quiet)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def _api(
    bundle: Path | None,
    address: tuple[str, int],
    limits: Limits,
    token: str | None,
    backend: str,
    precision: str | None,
    *,
    quiet: bool,
) -> None:
    from ...runtimes.restorer import Restorer
    from ...serving import api

    with api.bound(*address, token) as taken:
        restorer = Restorer.load(bundle, backend=backend, precision=precision, threads=1)
        _tell(address[0], taken.getsockname()[1], quiet=quiet)
        api.serve(taken, restorer, limits, token)


def _tell(host: str, port: int, *, quiet: bool) -> None:
    if not quiet:
        named = f"[{host}]" if ":" in host else host
        print(f"http://{named}:{port}/ (stop with Ctrl+C)", flush=True)
