"""Sound while it is being made: bare samples through pipes, and the two sides of a device."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from hiresldm.audio import raw
from hiresldm.audio.live import LONGEST_GAP_S, MOST_WAITING, Exchange
from hiresldm.audio.pipes import RAW_IN
from hiresldm.cli.main import main
from hiresldm.core.signal.rates import RATE_HZ
from hiresldm.core.spec import Array

BLOCK = 960


@pytest.mark.parametrize("encoding", RAW_IN)
def test_bare_samples_are_what_libsndfile_takes_them_for(encoding: str, speech: Array) -> None:
    kept = io.BytesIO()
    form = {"samplerate": RATE_HZ, "subtype": RAW_IN[encoding], "format": "RAW", "endian": "LITTLE"}
    soundfile.write(kept, speech[20_000:60_000].reshape(-1, 2), **form)
    kept.seek(0)
    want, _ = soundfile.read(kept, dtype="float32", channels=2, **form)
    data = kept.getvalue()

    class Trickle(io.BytesIO):
        def read1(self, size: int | None = -1) -> bytes:
            return super().read1(7)  # never a whole frame

    blocks = list(raw.blocks(Trickle(data[:7000] + b"x"), 2, encoding))
    whole = 7000 // (len(data) // len(want))
    assert np.array_equal(np.concatenate(blocks), want[:whole])


def test_what_goes_into_a_pipe_comes_out_while_it_is_open(noisy: Array) -> None:
    words = ["restore", "-", "-", "--stdin", "48000,1,f32", "--stdout", "f32"]
    command = [sys.executable, "-m", "hiresldm", *words, "--latency", "live", "--threads", "1"]
    wave = noisy[: 3 * RATE_HZ // 10]  # what a pipe holds
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(wave.tobytes())
        process.stdin.flush()
        before = process.stdout.read(4 * RATE_HZ // 10)  # the pipe is open: a third is there
        process.stdin.close()
        rest = process.stdout.read()
    made = np.frombuffer(before + rest, "<f4")
    assert process.returncode == 0 and len(made) == len(wave)
    assert np.abs(made).max() > 0.001


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["in.wav", "-"], "for one stream"),
        (["-", "-", "--mono"], "for one stream"),
        (["-", "-"], "raw samples: --stdout s16 or f32"),
        (["-", "-", "--stdout", "s16"], "bare samples; tell their form"),
        (["-", "-", "--stdout", "s16", "--stdin", "x"], "does not describe raw samples"),
    ],
)
def test_what_cannot_be_streamed_is_told(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["restore", *words, "--latency", "live"])
    assert stop.value.code == 2
    assert named in capsys.readouterr().err


class _Echo:
    """A stream that gives every block back."""

    channels, sample_rate_hz, output_rate_hz = 1, RATE_HZ, RATE_HZ

    def push(self, block: Array) -> Array:
        return block


def _exchange(lead_s: float) -> Exchange:
    echo: Any = _Echo()
    return Exchange(echo, lead_s)


def test_what_is_late_is_silent_and_what_follows_is_in_time() -> None:
    exchange = _exchange(lead_s=2 * BLOCK / RATE_HZ)
    blocks = [np.full((BLOCK, 1), i, np.float32) for i in range(1, 7)]
    said = []
    for i, block in enumerate(blocks):
        exchange.hear(block)
        if i not in (2, 3, 4):  # the restoration pauses
            exchange.hand_over(exchange.step())
        if i == 5:
            for _ in range(3):
                exchange.hand_over(exchange.step())
        said.append(exchange.say(BLOCK)[0, 0])
    # Two blocks behind; of what was due while it paused, one is late.
    assert said == [0, 0, 1, 2, 0, 4]
    assert exchange.heard.late_s == pytest.approx(BLOCK / RATE_HZ)
    assert "0.02 s of sound was restored too late" in next(exchange.heard.warnings)


def test_what_there_is_no_room_for_is_silent_and_told() -> None:
    exchange = _exchange(0.0)
    for _ in range(MOST_WAITING + 5):
        exchange.hear(np.ones((BLOCK, 1), np.float32))
    first = [exchange.step() for _ in range(MOST_WAITING)]
    exchange.hear(np.full((BLOCK, 1), np.nan, np.float32))
    after = exchange.step()
    assert np.concatenate(first).min() == 1
    assert len(after) == 6 * BLOCK and not after.any()
    assert exchange.heard.dropped_s == pytest.approx(5 * BLOCK / RATE_HZ)
    assert len(list(exchange.heard.warnings)) == 2
    exchange._missing = 10**9
    exchange.hear(np.ones((BLOCK, 1), np.float32))
    assert len(exchange.step()) == LONGEST_GAP_S * RATE_HZ + BLOCK


class _Device:
    """A sound device that hears a wave at its own pace, and keeps what it is told to say."""

    def __init__(self, heard: Array, said: list[Array], callback: Callable[..., None]) -> None:
        self._heard, self._said, self._callback = heard, said, callback
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _blocks(self) -> Iterator[Array]:
        while True:
            yield from np.split(self._heard[: len(self._heard) // BLOCK * BLOCK, None], 100)

    def _run(self) -> None:
        for block in self._blocks():
            if self._stopped.wait(0.02):
                return
            said = np.empty_like(block)
            plays = [said] if self._said is not None else []
            self._callback(block, *plays, len(block), None, None)
            if plays:
                self._said.append(said)


def _sound_device(heard: Array, said: list[Array]) -> Any:
    return SimpleNamespace(
        PortAudioError=RuntimeError,
        Stream=lambda *, callback, **_: _Device(heard, said, callback),
        InputStream=lambda *, callback, **_: _Device(heard, None, callback),  # type: ignore[arg-type]
    )


def test_listening_makes_a_file_or_speaks(
    noisy: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Array] = []
    device = _sound_device(noisy[: 100 * BLOCK], said)
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    for words in ([str(tmp_path / "out.wav")], []):
        with pytest.raises(SystemExit) as stop:
            main(["listen", *words, "--seconds", "1", "--threads", "1"])
        assert not stop.value.code
    made, rate_hz = soundfile.read(tmp_path / "out.wav")
    assert rate_hz == RATE_HZ and 1.0 <= len(made) / RATE_HZ < 3.0
    assert np.abs(made).max() > 0.01
    spoken = np.concatenate(said)
    assert not spoken[: round(0.2 * RATE_HZ)].any()
    assert np.isfinite(spoken).all()


def test_a_device_that_does_not_work_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: Any) -> Any:
        raise RuntimeError("Error querying device -1")

    modules = {2: SimpleNamespace(PortAudioError=RuntimeError, Stream=broken), 5: None}
    for code, module in modules.items():
        monkeypatch.setitem(sys.modules, "sounddevice", module)
        with pytest.raises(SystemExit) as stop:
            main(["listen", "--threads", "1"])
        said = capsys.readouterr().err
        assert stop.value.code == code
        assert said.count("\n") == 1 and ("device -1" in said or "pip install" in said)
