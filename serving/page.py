"""The page over HTTP, for browsers on this machine: the files that it is made of, and no other."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from ..core.errors import UsageError, reason
from ..export.pack.web import HEADERS

ADDRESS = "127.0.0.1"
_INDEX = "index.html"
_TYPES = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}


def server(files: Mapping[str, Path], port: int) -> ThreadingHTTPServer:
    """A server of these files on the loopback address; port 0 takes a free one.

    Raises `UsageError` for a port that is not to be had.
    """
    try:
        return ThreadingHTTPServer((ADDRESS, port), partial(_Handler, files))
    except (OSError, OverflowError) as error:
        said = reason(error)
        raise UsageError(f"port {port} cannot be served: {said}; --port takes another") from error


class _Handler(BaseHTTPRequestHandler):
    """Answers with one of the listed files; a name that is not listed leads nowhere."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def __init__(self, files: Mapping[str, Path], *connection: object) -> None:
        self._files = files
        super().__init__(*connection)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Send the file."""
        if path := self._head():
            with path.open("rb") as file:
                shutil.copyfileobj(file, self.wfile)

    def do_HEAD(self) -> None:
        """Send what comes before the file."""
        self._head()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent."""

    def _head(self) -> Path | None:
        path = self._files.get(urlsplit(self.path).path.removeprefix("/") or _INDEX)
        if path is None or not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", _TYPES.get(path.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("Cache-Control", "no-cache")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        return path
