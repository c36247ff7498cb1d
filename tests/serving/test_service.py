"""`hiresldm serve --api` as a process: what it gives, what it refuses, who can do no harm."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from hiresldm.cli.main import main
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Array
from hiresldm.runtimes.restorer import Restorer

RATE_HZ = 48_000


@dataclass(frozen=True)
class Service:
    """A server that runs."""

    url: str
    kept: Path
    """Where it keeps what arrives."""

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self.url.removeprefix("http://").rstrip("/").split(":")
        return host, int(port)

    def files(self) -> list[Path]:
        """What is kept now."""
        return list(self.kept.glob("hiresldm-*"))

    def busy(self) -> int:
        """Recordings that wait or are restored."""
        return int(httpx.get(f"{self.url}health").json()["recordings"])


@contextmanager
def served(kept: Path, *options: str) -> Iterator[Service]:
    command = [sys.executable, "-m", "hiresldm", "serve", "--api", "--port", "0", *options]
    environment = {**os.environ, "TMPDIR": str(kept)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:
        assert running.stdout
        yield Service(running.stdout.readline().split()[0], kept)
        running.terminate()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One worker, one place to wait, one stream, 2 MB, 90 s."""
    bounds = ("--workers", "1", "--waiting", "1", "--streams", "1")
    sizes = ("--megabytes", "2", "--minutes", "1.5")
    with served(tmp_path_factory.mktemp("kept"), *bounds, *sizes) as one:
        yield one


def encoded(wave: Array, kind: str = "WAV", rate_hz: int = RATE_HZ) -> bytes:
    held = io.BytesIO()
    soundfile.write(held, wave, rate_hz, format=kind)
    return held.getvalue()


def until(holds: Callable[[], bool], limit_s: float = 10.0) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_recording_becomes_what_restore_makes_of_it(service: Service, noisy: Array) -> None:
    given, _ = soundfile.read(io.BytesIO(encoded(noisy[:RATE_HZ])), dtype="float32")
    answer = httpx.post(f"{service.url}restore?seed=5&format=wav", content=encoded(given))
    made, rate_hz = soundfile.read(io.BytesIO(answer.content), dtype="float32")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/x-wav")
    assert rate_hz == RATE_HZ
    assert snr_db(Restorer.load(threads=1)(given, RATE_HZ, seed=5), made) > 60
    assert not service.files()


def test_what_is_refused_is_told_in_one_sentence(service: Service, noisy: Array) -> None:
    good, silence = encoded(noisy[:9600]), encoded(np.zeros(100 * RATE_HZ, np.float32), "FLAC")
    refused: dict[tuple[str, bytes], tuple[int, str]] = {
        ("", b"no audio"): (422, "the recording cannot be read: it is no audio"),
        ("", b""): (422, "the recording cannot be read"),
        ("", b"0" * 2_000_001): (413, "accepted are 2000000 bytes"),
        ("", silence): (422, "the recording is too long; accepted are 90 s"),
        ("?format=mp4", good): (400, "format is 'mp4'; accepted: wav, flac"),
        ("?format=../x.wav", good): (400, "format is '../x.wav'; accepted"),
        ("?path=/etc/passwd", good): (400, "there is no 'path'; accepted: format"),
        ("?steps=99", good): (400, "99 steps are not offered"),
        ("?strength=nan", good): (400, "the strength is nan"),
        ("?bitrate=64", good): (400, "cannot write the result at 64 kbit/s"),
    }
    for (query, body), (status, sentence) in refused.items():
        answer = httpx.post(f"{service.url}restore{query}", content=body)
        said = answer.json()["error"]
        assert (answer.status_code, sentence in said) == (status, True), said
        assert str(service.kept) not in said
    get = httpx.get(f"{service.url}restore")
    assert (get.status_code, httpx.get(f"{service.url}../etc/passwd").status_code) == (405, 404)
    assert not service.files()


def test_pages_of_other_sites_are_not_served(service: Service) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        assert httpx.get(f"{service.url}metrics", headers=headers).status_code == 403


def test_a_full_queue_is_refused_with_a_time_to_come_back(service: Service, noisy: Array) -> None:
    body = encoded(np.tile(noisy, 3)[: 12 * RATE_HZ], "FLAC")

    async def at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60) as client:
            asking = (client.post(f"{service.url}restore", content=body) for _ in range(6))
            return await asyncio.gather(*asking)

    answers = asyncio.run(at_once())
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503, 503, 503]
    waits = [one.headers["retry-after"] for one in answers if one.status_code == 503]
    assert all(1 <= int(wait) <= 60 for wait in waits)
    assert 'hiresldm_requests_total{status="503"} 4.0' in httpx.get(f"{service.url}metrics").text


def test_slow_and_broken_clients_take_no_place(service: Service, noisy: Array) -> None:
    head = b"POST /restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    clients = []
    for sent in (b"", b"POST /rest", head, head + b"0" * 500, b"\x16\x03\x01junk\r\n\r\n"):
        client = socket.create_connection(service.address)
        client.sendall(sent)
        clients.append(client)
    began = time.monotonic()
    answer = httpx.post(f"{service.url}restore", content=encoded(noisy[:RATE_HZ]), timeout=20)
    assert answer.status_code == 200 and time.monotonic() - began < 10
    for client in clients:
        client.close()
    until(lambda: not service.files())


def test_work_ends_when_its_client_goes(service: Service, noisy: Array) -> None:
    body = encoded(np.tile(noisy[::6], 14)[: 80 * 8000], rate_hz=8000)
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{service.url}restore", content=body, timeout=httpx.Timeout(10, read=1.0))
    until(lambda: service.busy() == 0)
    gone_s = time.monotonic() - began
    assert not service.files()
    whole = time.monotonic()
    assert httpx.post(f"{service.url}restore", content=body, timeout=60).status_code == 200
    assert time.monotonic() - whole > gone_s


def test_a_stream_gives_as_much_as_it_is_given(service: Service, noisy: Array) -> None:
    given = (noisy[: 4 * RATE_HZ] * 2**15).astype("<i2")

    async def through() -> Array:
        async with connect(f"{service.url.replace('http', 'ws')}stream?rate=48000") as live:
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"{service.url.replace('http', 'ws')}stream?rate=48000")
            assert refused.value.response.status_code == 503
            for begin in range(0, len(given), 4321):
                await live.send(given[begin : begin + 4321].tobytes())
            await live.send("end")
            return np.frombuffer(b"".join([bytes(block) async for block in live]), "<i2")

    made = asyncio.run(through()).astype(np.float32) / 2**15
    blocks = given.astype(np.float32) / 2**15
    direct = Restorer.load(threads=1).stream()
    whole = np.concatenate([direct.push(blocks), direct.flush()])
    assert len(made) == len(given) and snr_db(whole, made) > 40


def test_a_broken_stream_ends_and_gives_its_place_back(service: Service) -> None:
    url = f"{service.url.replace('http', 'ws')}stream?rate=16000"

    def is_free() -> bool:
        return "hiresldm_streams 0.0" in httpx.get(f"{service.url}metrics").text

    async def broken() -> list[str]:
        said = []
        for message in (b"odd", "words"):
            until(is_free)
            live = await connect(url)
            await live.send(message)
            with pytest.raises(ConnectionClosedError) as closed:
                await live.recv()
            said.append(closed.value.rcvd.reason if closed.value.rcvd else "")
        until(is_free)
        live = await connect(url)
        await live.send(b"\0" * 3200)
        live.transport.abort()  # and is gone, without a word
        return said

    assert asyncio.run(broken()) == ["a message holds no whole frames of s16, nor 'end'"] * 2
    until(is_free)


def test_other_machines_need_a_token(
    tmp_path: Path, noisy: Array, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["serve", "--api", "--host", "0.0.0.0", "--port", "0"])  # noqa: S104
    assert stop.value.code == 2 and "a token is needed" in capsys.readouterr().err
    with served(tmp_path, "--host", "0.0.0.0", "--token", "secret", "--workers", "1") as one:  # noqa: S104
        url = one.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        body = encoded(noisy[:9600])
        assert httpx.get(f"{url}health").status_code == 200
        for token in ("", "Bearer wrong", "secret"):
            answer = httpx.post(f"{url}restore", content=body, headers={"Authorization": token})
            assert answer.status_code == 401
        headers = {"Authorization": "Bearer secret"}
        assert httpx.post(f"{url}restore", content=body, headers=headers).status_code == 200


def test_health_and_figures_are_for_machines(service: Service) -> None:
    told = json.loads(httpx.get(f"{service.url}health").text)
    assert told == {"status": "ok", "recordings": 0}
    figures = httpx.get(f"{service.url}metrics").text
    for name in ("requests_total", "request_seconds_count", "audio_seconds_total", "recordings"):
        assert f"\nhiresldm_{name}" in figures
