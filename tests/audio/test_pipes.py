"""Standard input and output: full, closed, left by their readers, and told by their names."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import made_files as made
import numpy as np
import pytest
from command_line import Clip, Run

ENVIRONMENT = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
needs_posix = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is needed")


def _shell(folder: Path, words: str, streams: str) -> subprocess.CompletedProcess[str]:
    command = f'"{sys.executable}" -m hiresldm {words} {streams}'
    return subprocess.run(
        ["sh", "-c", command],
        capture_output=True, text=True, check=False, cwd=folder, env=ENVIRONMENT,
    )  # fmt: skip


@needs_posix
@pytest.mark.parametrize(
    ("words", "streams", "code", "sentence"),
    [
        ("--version", ">/dev/full", 1, "standard input or output cannot be"),
        ("inspect", ">/dev/full", 1, "standard input or output cannot be"),
        ("restore -h", ">/dev/full", 1, "standard input or output cannot be"),
        ("restore in.wav -", ">/dev/full", 2, "standard output takes no more"),
        ("restore in.wav out.wav", ">/dev/full", 1, "standard input or output cannot be"),
        ("restore in.wav out.wav --json", ">/dev/full", 1, "standard input or output cannot be"),
        ("restore in.wav -", ">&-", 2, "standard output is closed"),
        ("restore - out.wav", "<&-", 2, "standard input is closed"),
    ],
)
def test_streams_that_take_or_give_nothing_end_in_one_sentence(
    clip: Clip, tmp_path: Path, words: str, streams: str, code: int, sentence: str
) -> None:
    clip(frames=480)
    done = _shell(tmp_path, words, streams)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert done.stderr.startswith(f"error: {sentence}")


@needs_posix
@pytest.mark.parametrize("words", ["--version", "inspect", "restore in.wav -"])
def test_a_reader_that_leaves_hears_no_complaint(clip: Clip, tmp_path: Path, words: str) -> None:
    clip(frames=96_000)
    done = _shell(tmp_path, words, "| true")
    assert done.stderr == ""


class _Pipe:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


@pytest.mark.parametrize(
    ("content", "described", "code", "sentence"),
    [
        (b"", None, 1, "standard input holds no bytes"),
        (b"no audio", None, 1, "standard input cannot be read: it is no audio"),
        (b"x", "48000,1,s16", 1, "standard input holds no samples"),
        (bytes(8000), "48000,2000,s16", 2, "2000 channels are not possible"),
        (bytes(8000), "loud", 2, "'loud' does not describe raw samples"),
        (b"cut", None, 0, "standard input holds 0.50 s of audio, its header tells 1.00 s"),
        (b"", " 48000, 1 ,s16", 1, "standard input holds no bytes"),
    ],
)
def test_what_came_through_a_pipe_is_told_as_standard_input(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    described: str | None,
    code: int,
    sentence: str,
) -> None:
    if content == b"cut":
        content = made.wav(np.full(48_000, 0.1, np.float32))[: 44 + 48_000]
    monkeypatch.setattr(sys, "stdin", _Pipe(content))
    raw = ("--stdin", described) if described else ()
    outcome = run("-", tmp_path / "out.wav", "--json", *raw)
    report = json.loads(outcome.out)
    assert outcome.code == code
    assert sentence in outcome.err and outcome.err.count("\n") == 1
    (one,) = report["files"] + report["failed"]
    assert one["input"] == "standard input"


def test_standard_output_takes_one_recording_and_standard_input_gives_one(
    run: Run, clip: Clip
) -> None:
    source = clip(frames=480)
    for words in ((source, source, "-"), (source.parent, "-")):
        outcome = run(*words)
        assert (outcome.code, outcome.out) == (2, "")
        assert "takes one recording" in outcome.err and outcome.err.count("\n") == 1
    assert "read once" in run("-", "-", source.parent / "out").err


def test_a_disk_without_room_for_standard_input_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(28, "No space left on device")

    pipe = _Pipe(b"")
    pipe.buffer = Full()
    monkeypatch.setattr(sys, "stdin", pipe)
    outcome = run("-", tmp_path / "out.wav")
    assert outcome.code == 2 and "TMPDIR" in outcome.err and outcome.err.count("\n") == 1
