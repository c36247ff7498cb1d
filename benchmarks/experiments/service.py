"""The service under load: `python -m hiresldm.benchmarks.experiments.service OUT [MINUTES]`.

More and more clients post speech of 6 s, each waiting for its answer, as long as it is told where
it is refused; then two clients in turn alone and beside slow and broken ones; then two clients for
MINUTES, with the memory of the server. All on this machine, with the embedded model; needs the
extra `serve`, httpx and psutil.
"""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import soundfile

from ...audio.reading.reader import read_mono
from ...runtimes.restorer import EMBEDDED_BUNDLE
from .. import provenance, report
from ..speed.timing import EXAMPLE

CLIENTS = (1, 2, 4, 8, 16, 32)
LEVEL_S = 15.0
ROUNDS, ROUND_S = 5, 8.0
MINUTES = 60.0
WORKERS, WAITING = 2, 8
SLOW, BROKEN_A_SECOND = 20, 5
_RATE_HZ = 16_000


@dataclass
class Seen:
    """What clients saw."""

    answers_s: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0
    without_a_time: int = 0
    """Refusals that did not say when to come back."""


@contextmanager
def server() -> Iterator[tuple[str, psutil.Process]]:
    """The address of a service of two workers, and its process."""
    command = [sys.executable, "-m", "hiresldm", "serve", "--api", "--port", "0"]
    bounds = ["--workers", str(WORKERS), "--waiting", str(WAITING)]
    with subprocess.Popen([*command, *bounds], stdout=subprocess.PIPE, text=True) as running:  # noqa: S603
        assert running.stdout  # noqa: S101
        try:
            yield running.stdout.readline().split()[0], psutil.Process(running.pid)
        finally:
            running.terminate()


async def client(url: str, body: bytes, seen: Seen, end: float) -> None:
    """Post a recording again and again until `end`."""
    async with httpx.AsyncClient(timeout=120) as http:
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                answer = await http.post(f"{url}restore", content=body)
            except httpx.HTTPError:
                seen.failed += 1
                continue
            if answer.status_code == httpx.codes.OK:
                seen.answers_s.append(time.monotonic() - began)
            elif answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                seen.refused += 1
                wait = answer.headers.get("retry-after")
                seen.without_a_time += wait is None
                await asyncio.sleep(min(float(wait or 1), max(0.0, end - time.monotonic())))
            else:
                seen.failed += 1


async def level(url: str, body: bytes, count: int, seconds: float) -> dict[str, Any]:
    """So many clients for so many seconds."""
    seen, began = Seen(), time.monotonic()
    await asyncio.gather(*(client(url, body, seen, began + seconds) for _ in range(count)))
    taken_s, audio_s = time.monotonic() - began, len(seen.answers_s) * length_s(body)
    quantiles = np.quantile(seen.answers_s, (0.5, 0.99)) if seen.answers_s else (0.0, 0.0)
    return {
        "clients": count,
        "answers": len(seen.answers_s),
        "refused": seen.refused,
        "refused_without_retry_after": seen.without_a_time,
        "failed": seen.failed,
        "audio_s_per_s": round(audio_s / taken_s, 2),
        "p50_s": round(float(quantiles[0]), 3),
        "p99_s": round(float(quantiles[1]), 3),
    }


@asynccontextmanager
async def nuisances(url: str) -> AsyncIterator[None]:
    """Clients that send a byte a second, and others that break off in the middle."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    tasks = [asyncio.create_task(_slow(host, int(port))) for _ in range(SLOW)]
    tasks.append(asyncio.create_task(_broken(host, int(port))))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _slow(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.write(_head())
    while True:
        writer.write(b"0")
        await asyncio.sleep(1.0)


async def _broken(host: str, port: int) -> None:
    kinds = (b"", b"POST /res", _head() + b"0" * 5000, b"\x16\x03\x01\x00")
    number = 0
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.write(kinds[number % len(kinds)])
            await asyncio.sleep(1 / BROKEN_A_SECOND)
            writer.transport.abort()
        number += 1


def _head() -> bytes:
    return b"POST /restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"


async def soak(url: str, body: bytes, server_: psutil.Process, minutes: float) -> dict[str, Any]:
    """Two clients for so many minutes, and the server's memory every 10 s."""
    seen, end = Seen(), time.monotonic() + 60 * minutes
    clients = [asyncio.create_task(client(url, body, seen, end)) for _ in range(WORKERS)]
    resident_mb: list[float] = []
    while time.monotonic() < end:
        await asyncio.sleep(min(10.0, max(0.1, end - time.monotonic())))
        resident_mb.append(round(server_.memory_info().rss / 1e6, 1))
    await asyncio.gather(*clients)
    quarter = max(1, len(resident_mb) // 4)
    return {
        "minutes": minutes,
        "answers": len(seen.answers_s),
        "failed": seen.failed,
        "resident_mb": resident_mb,
        "second_quarter_mb": float(np.median(resident_mb[quarter : 2 * quarter])),
        "last_quarter_mb": float(np.median(resident_mb[-quarter:])),
    }


async def measured(url: str, running: psutil.Process, minutes: float) -> dict[str, Any]:
    """All figures of one server."""
    body = speech()
    await level(url, body, 1, 2.0)  # to warm up
    rows = [await level(url, body, count, LEVEL_S) for count in CLIENTS]
    alone, beside = [], []
    for _ in range(ROUNDS):  # in turn, so that a busy spell of the machine falls on both
        alone.append(await level(url, body, WORKERS, ROUND_S))
        async with nuisances(url):
            beside.append(await level(url, body, WORKERS, ROUND_S))
    return {
        "audio_s": length_s(body),
        "rows": rows,
        "alone": alone,
        "beside_slow_and_broken": beside,
        "soak": await soak(url, body, running, minutes),
    }


def speech() -> bytes:
    """About 6 s of noisy speech as FLAC at 16 kHz."""
    held = io.BytesIO()
    soundfile.write(held, read_mono(EXAMPLE, _RATE_HZ), _RATE_HZ, format="FLAC")
    return held.getvalue()


def length_s(body: bytes) -> float:
    """Seconds of audio in a file."""
    return float(soundfile.info(io.BytesIO(body)).duration)


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the result."""
    out, minutes = Path(arguments[0]), float(arguments[1]) if len(arguments) > 1 else MINUTES
    about = {
        "command": f"python -m hiresldm.benchmarks.experiments.service {' '.join(arguments)}",
        "machine": provenance.machine(),
        "versions": provenance.versions(["starlette", "uvicorn", "websockets"]),
        "model": provenance.model(EMBEDDED_BUNDLE),
        "limits": {"workers": WORKERS, "waiting": WAITING},
    }
    with server() as (url, running):
        report.write(about | asyncio.run(measured(url, running, minutes)), out)


if __name__ == "__main__":
    main(sys.argv[1:])
