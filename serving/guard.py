"""Who is let in, and for how long."""

from __future__ import annotations

import asyncio
import hmac
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

OPEN = "/health"
_LOCAL = {"localhost", "127.0.0.1", "::1"}


class Guard:
    """Refuses whoever lacks the token, and pages of other origins; ends what takes too long."""

    def __init__(
        self, app: ASGIApp, *, token: str | None, is_local: bool, request_s: float
    ) -> None:
        self._app = app
        self._token = token
        self._is_local = is_local
        self._request_s = request_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a refusal."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif refusal := self._refusal(scope):
            await deny(refusal, scope, receive, send)
        elif scope["type"] == "websocket":  # has limits of its own
            await self._app(scope, receive, send)
        else:
            await self._in_time(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = urlsplit(f"//{headers.get('host', '')}")
        # A page of another site must not reach a service of this machine through its browser.
        if self._is_local and host.hostname not in _LOCAL:
            return told(HTTPStatus.FORBIDDEN, "this service answers to localhost alone")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host.netloc:
            return told(HTTPStatus.FORBIDDEN, "pages of other origins are not served")
        if self._token and scope["path"] != OPEN:
            given = headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
                return told(HTTPStatus.UNAUTHORIZED, "the token is needed: Authorization: Bearer")
        return None

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            async with asyncio.timeout(self._request_s):
                await self._app(scope, receive, sending)
        except TimeoutError:
            if not begun:  # else the connection is cut, as no answer would be whole
                said = f"the request took longer than {self._request_s:g} s"
                await told(HTTPStatus.REQUEST_TIMEOUT, said)(scope, receive, send)


def told(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """An answer that says what was wrong."""
    return JSONResponse({"error": sentence}, status, headers)


async def deny(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a refusal, also where a WebSocket was asked for."""
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
