"""GET /stream: samples in and restored samples out over a WebSocket, while they come."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..core.errors import AudioError, ToolkitError
from ..core.restorer import Restorer
from ..core.spec import Array
from .asked import ENCODINGS, Live, live_asked
from .figures import Figures
from .guard import deny, told
from .limits import Limits

T = TypeVar("T")
END = "end"
"""The text by which a client says that no more will come."""
_POLICY, _GONE_WRONG = 1008, 1011
_AHEAD = 8
"""Messages that wait in either direction."""


def restored(restorer: Restorer, blocks: Iterable[Array], asked: Live) -> Iterator[Array]:
    """Blocks (n, channels) as they come to restored blocks at the model's rate, as they are done.

    Raises as `Restorer.stream` does, on the first block.
    """
    stream = restorer.stream(
        asked.channels,
        sample_rate_hz=asked.rate_hz,
        latency=asked.latency,
        steps=asked.steps,
        seed=asked.seed,
    )
    for block in blocks:
        yield stream.push(block)
    yield stream.flush()


class Streams:
    """Live streams, each on a thread of its own; a bounded number at a time."""

    def __init__(self, restorer: Restorer, limits: Limits, figures: Figures) -> None:
        self._restorer = restorer
        self._limits = limits
        self._figures = figures
        self._open = 0
        self._threads = ThreadPoolExecutor(limits.streams, "streaming")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one stream."""
        socket = WebSocket(scope, receive, send)
        try:
            asked = live_asked(socket.query_params)
            self._restorer.accepted_steps(asked.steps)
        except ToolkitError as error:
            await deny(told(400, str(error)), scope, receive, send)
            return
        if self._open >= self._limits.streams:
            busy = told(503, "all streams are taken; try again later", {"Retry-After": "10"})
            await deny(busy, scope, receive, send)
            return
        self._open += 1
        self._figures.streams.set(self._open)
        try:
            await socket.accept()
            await self._served(socket, asked)
        finally:
            self._open -= 1
            self._figures.streams.set(self._open)

    async def _served(self, socket: WebSocket, asked: Live) -> None:
        given: asyncio.Queue[Array | None] = asyncio.Queue(_AHEAD)
        made: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, self._work, loop, given, made, asked)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(socket, given, asked))
                group.create_task(self._send(socket, made, work))
            await socket.close()
        except* WebSocketDisconnect:
            pass
        except* ToolkitError as errors:
            await _close(socket, _POLICY, str(errors.exceptions[0]))
        except* Exception:
            await _close(socket, _GONE_WRONG, "the stream failed")
            raise
        finally:
            await _drained(given, made, work)

    async def _receive(
        self, socket: WebSocket, given: asyncio.Queue[Array | None], asked: Live
    ) -> None:
        while (message := await self._patient(socket.receive()))["type"] != "websocket.disconnect":
            if message.get("text") == END:
                await given.put(None)
                return
            await given.put(_samples(message.get("bytes"), asked))
        raise WebSocketDisconnect

    async def _send(
        self,
        socket: WebSocket,
        made: asyncio.Queue[bytes | None],
        work: asyncio.Future[None],
    ) -> None:
        while (block := await made.get()) is not None:
            await self._patient(socket.send_bytes(block))
        await work  # its fault ends the stream

    async def _patient(self, coming: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._limits.silence_s):
                return await coming
        except TimeoutError as error:
            raise AudioError(f"nothing moved for {self._limits.silence_s:g} s") from error

    def _work(
        self,
        loop: asyncio.AbstractEventLoop,
        given: asyncio.Queue[Array | None],
        made: asyncio.Queue[bytes | None],
        asked: Live,
    ) -> None:
        def wait(coming: Coroutine[Any, Any, T]) -> T:
            return asyncio.run_coroutine_threadsafe(coming, loop).result()

        rate_hz = self._restorer.host.sample_rate_hz

        def blocks() -> Iterator[Array]:
            while (block := wait(given.get())) is not None:
                yield block

        try:
            for block in restored(self._restorer, blocks(), asked):
                self._figures.audio_s.labels("stream").inc(len(block) / rate_hz)
                if len(block):
                    wait(made.put(_encoded(block, asked.encoding)))
        finally:
            wait(made.put(None))


async def _drained(
    given: asyncio.Queue[Array | None],
    made: asyncio.Queue[bytes | None],
    work: asyncio.Future[None],
) -> None:
    """Let the thread come to its end: it may wait for a block, or for room."""
    while not work.done():
        while not made.empty():
            made.get_nowait()
        if given.empty():
            given.put_nowait(None)
        await asyncio.wait({work}, timeout=0.05)
    work.exception()


def _samples(content: bytes | None, asked: Live) -> Array:
    """A message as a block (n, channels); raises `AudioError` for what is none."""
    kind = np.dtype(ENCODINGS[asked.encoding])
    if content is None or len(content) % (kind.itemsize * asked.channels):
        raise AudioError(f"a message holds no whole frames of {asked.encoding}, nor {END!r}")
    block = np.frombuffer(content, kind).reshape(-1, asked.channels).astype(np.float32)
    if kind.kind == "i":
        return block / np.float32(2**15)
    if not np.isfinite(block).all():
        raise AudioError("a message holds a sample that is not a finite number")
    return block


def _encoded(block: Array, encoding: str) -> bytes:
    if encoding == "f32":
        return block.astype(ENCODINGS[encoding]).tobytes()
    return (np.clip(block, -1, 1 - 2**-15) * 2**15).round().astype(ENCODINGS[encoding]).tobytes()


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    try:
        await socket.close(code, reason[:100])
    except RuntimeError:  # closed already
        return
