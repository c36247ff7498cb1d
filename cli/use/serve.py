"""The verb `serve`: restoring over HTTP."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ...core.errors import UsageError


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
    api: Annotated[bool, typer.Option("--api", help="Restore here, for programs.")] = False,
    host: Annotated[
        str, typer.Option(help="Address; another than this machine's needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8048,
    token: Annotated[
        str | None, typer.Option(envvar="HIRESLDM_TOKEN", help="What clients must send.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Recordings restored at a time.", show_default="cores"),
    ] = None,
    waiting: Annotated[int, typer.Option(min=0, help="Recordings that may wait.")] = 8,
    streams: Annotated[int, typer.Option(min=1, help="Live streams at a time.")] = 4,
    megabytes: Annotated[int, typer.Option(min=1, help="Of a recording, at most.")] = 100,
    minutes: Annotated[float, typer.Option(min=0.1, help="Of a recording, at most.")] = 30.0,
    seconds: Annotated[float, typer.Option(min=1, help="For a request, at most.")] = 300.0,
    backend: Annotated[str, typer.Option(help="Engine that runs the model.")] = "ort",
    precision: Annotated[
        str | None, typer.Option(help="fp32, fp16, int8, ...", show_default="the bundle's first")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Do not print the address.")] = False,
) -> None:
    """Serve restoring over HTTP, to this machine or, with a token, to others."""
    from ...core.processors import usable
    from ...runtimes.restorer import Restorer
    from ...serving import api as service
    from ...serving.limits import Limits
    from ...serving.live import CHUNK_S

    if not api:
        raise UsageError("say --api: there is nothing else to serve")
    limits = Limits(
        workers=workers or usable(),
        waiting=waiting,
        streams=streams,
        body_bytes=megabytes * 1_000_000,
        request_s=seconds,
        audio_s=60 * minutes,
    )
    with service.bound(host, port, token) as taken:
        load = partial(Restorer.load, bundle, backend=backend, precision=precision, threads=1)
        whole, live = load(), load(chunk_s=CHUNK_S)
        if not quiet:
            print(f"http://{host}:{taken.getsockname()[1]}/ (stop with Ctrl+C)", flush=True)
        service.serve(taken, whole, live, limits, token)
