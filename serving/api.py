"""The service: what is answered at which address, and the server around it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..core.errors import UsageError, reason
from ..core.restorer import Restorer
from .figures import Figures
from .guard import OPEN, Guard
from .limits import Limits, check_reach, is_loopback
from .live import Streams
from .recordings import Recordings

HEADERS_S = 10.0
"""In which a client must have said what it wants."""
_LARGEST_MESSAGE = 1 << 20
_SHUTDOWN_S = 30


def application(
    restorer: Restorer, limits: Limits, *, token: str | None = None, is_local: bool
) -> Starlette:
    """The service over one restorer."""
    figures = Figures()
    recordings, streams = Recordings(restorer, limits, figures), Streams(restorer, limits, figures)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "recordings": recordings.work.inside})

    async def metrics(_: Request) -> Response:
        return Response(figures.text(), media_type="text/plain; version=0.0.4")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        recordings.work.close()

    return Starlette(
        routes=[
            Route("/restore", recordings, methods=["POST"]),
            WebSocketRoute("/stream", streams),
            Route(OPEN, health),
            Route("/metrics", metrics),
        ],
        middleware=[Middleware(Guard, token=token, is_local=is_local, request_s=limits.request_s)],
        lifespan=lifespan,
    )


def bound(host: str, port: int, token: str | None) -> socket.socket:
    """A socket for the service; port 0 takes a free one.

    Raises `UsageError` for an address that is not to be had, and for one that others reach where
    there is no token.
    """
    check_reach(host, token)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise UsageError(f"{host} port {port} cannot be served: {reason(error)}") from error


def serve(taken: socket.socket, restorer: Restorer, limits: Limits, token: str | None) -> None:
    """Serve until a signal; what is in work then is finished."""
    is_local = is_loopback(taken.getsockname()[0])
    app = application(restorer, limits, token=token, is_local=is_local)
    config = uvicorn.Config(
        app,
        http=_PatientProtocol,
        log_level="critical",
        access_log=False,
        server_header=False,
        ws_max_size=_LARGEST_MESSAGE,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[taken])


class _PatientProtocol(H11Protocol):
    """HTTP that does not wait for ever for a client that says nothing."""

    def connection_made(self, transport: Any) -> None:
        """Give a client some time to say what it wants."""
        super().connection_made(transport)
        asyncio.get_running_loop().call_later(HEADERS_S, self._end_if_silent)

    def _end_if_silent(self) -> None:
        is_own = self.transport.get_protocol() is self  # else it has become a WebSocket
        if is_own and getattr(self, "cycle", None) is None:
            self.transport.close()
