"""POST /restore: a recording in, the restored one out."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from ..audio.files import RestoredFile, Wanted, restore_file
from ..audio.reading.reader import AudioReader
from ..core.errors import AudioError, ToolkitError
from ..core.restorer import Restorer
from .asked import file_asked
from .figures import Figures
from .guard import told
from .limits import Limits
from .work import SaturatedError, StoppedError, Work


class Recordings:
    """Keeps what arrives in a folder of its own, which is gone with the answer."""

    def __init__(self, restorer: Restorer, limits: Limits, figures: Figures) -> None:
        self._restorer = restorer
        self._limits = limits
        self._figures = figures
        self.work = Work(limits.workers, limits.waiting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.perf_counter()
        with TemporaryDirectory(prefix="hiresldm-") as folder:
            try:
                response = await self._answered(Request(scope, receive), Path(folder))
            except (ClientDisconnect, StoppedError):
                return
            except SaturatedError as error:
                wait = {"Retry-After": str(error.retry_s)}
                response = told(HTTPStatus.SERVICE_UNAVAILABLE, str(error), wait)
            except ToolkitError as error:
                response = told(_status(error), _spoken(str(error), Path(folder)))
            self._figures.requests.labels(response.status_code).inc()
            await response(scope, receive, send)
        self._figures.seconds.observe(time.perf_counter() - began)

    async def _answered(self, request: Request, folder: Path) -> Response:
        wanted, ending = file_asked(request.query_params)
        self.work.check()  # who would be refused later need not send it all
        given, made = folder / "given", folder / f"made{ending}"
        if not await self._received(request, given):
            most = self._limits.body_bytes
            return told(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"accepted are {most} bytes at most")
        self._figures.inside.inc()
        try:
            job = partial(self._restored, given, made, wanted)
            restored = await self.work.run(job, partial(_gone, request))
        finally:
            self._figures.inside.dec()
        self._figures.audio_s.labels("file").inc(restored.duration_s)
        warnings = "; ".join(_spoken(one, folder) for one in restored.warnings)
        headers = {"Warning": f'199 hiresldm "{quote(warnings, safe=" ;,.")}"'} if warnings else {}
        return FileResponse(made, headers=headers)

    async def _received(self, request: Request, given: Path) -> bool:
        """Whether the body is within its bound; raises `LateError` where it comes too slowly."""
        count = 0
        try:
            async with asyncio.timeout(self._limits.body_s):
                with given.open("wb") as file:
                    async for block in request.stream():
                        count += len(block)
                        if count > self._limits.body_bytes:
                            return False
                        file.write(block)
        except TimeoutError as error:
            raise LateError(
                f"the recording did not arrive within {self._limits.body_s:g} s"
            ) from error
        return True

    def _restored(
        self, given: Path, made: Path, wanted: Wanted, check: Callable[[], None]
    ) -> RestoredFile:
        self._check_length(given, check)

        def progress(_: float) -> None:
            check()

        return restore_file(self._restorer, given, made, wanted, progress=progress)

    def _check_length(self, given: Path, check: Callable[[], None]) -> None:
        """Hear it first: a header may lie, and a small file of silence last for days."""
        reader, longest_s = AudioReader(given), self._limits.audio_s
        frames = 0
        for block in reader:
            check()
            frames += len(block)
            if frames > longest_s * self._restorer.host.sample_rate_hz:
                raise AudioError(f"{given} is too long; accepted are {longest_s:g} s at most")


class LateError(ToolkitError):
    """A client was too slow."""


async def _gone(request: Request) -> None:
    """Returns once the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _status(error: ToolkitError) -> HTTPStatus:
    if isinstance(error, LateError):
        return HTTPStatus.REQUEST_TIMEOUT
    if isinstance(error, AudioError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return HTTPStatus.BAD_REQUEST


def _spoken(text: str, folder: Path) -> str:
    """A text without the names of files here."""
    for name, words in (("given", "the recording"), ("made", "the result")):
        text = re.sub(re.escape(str(folder / name)) + r"(\.\w+)?", words, text)
    return text
