"""A run that is stopped in the middle of a file, and the next one, which goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from hiresldm.audio.files import Wanted, restore_file
from hiresldm.audio.writing.draft import kept
from hiresldm.core.errors import UsageError
from hiresldm.core.signal.rates import RATE_HZ
from hiresldm.core.spec import Array

MakeRestorer = Callable[..., Any]
MODEL = "a model"


class _StopError(Exception):
    """As a signal raises it."""


@pytest.fixture
def source(speech: Array, tmp_path: Path) -> Path:
    path = tmp_path / "in.flac"
    soundfile.write(path, np.stack([speech, speech[::-1]], axis=1), RATE_HZ)
    return path


def _restored(restorer: Any, source: Path, target: Path, stop_s: float = 1e9) -> float:
    """Seconds that were done when it began; raises `_StopError` after some."""
    moved: list[float] = []

    def progress(seconds: float) -> None:
        moved.append(seconds)
        if sum(moved) >= stop_s:
            raise _StopError

    restore_file(restorer, source, target, Wanted(seed=1), progress=progress, model=MODEL)
    return moved[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stopped_file_goes_on_and_is_the_same(
    toy_restorer: MakeRestorer, source: Path, tmp_path: Path, workers: int
) -> None:
    restorer = toy_restorer(chunk_s=0.5, context_s=0.3, workers=workers)
    whole, target = tmp_path / "whole.wav", tmp_path / "out.wav"
    restore_file(restorer, source, whole, Wanted(seed=1))
    with pytest.raises(_StopError):
        _restored(restorer, source, target, stop_s=2.0)
    assert not target.exists()
    assert _restored(restorer, source, target) == pytest.approx(2.0)
    assert target.read_bytes() == whole.read_bytes()
    assert not kept(target).exists()


def test_what_is_not_whole_or_of_something_else_is_made_anew(
    toy_restorer: MakeRestorer, source: Path, tmp_path: Path
) -> None:
    restorer, target = toy_restorer(chunk_s=0.5, context_s=0.3), tmp_path / "out.wav"

    def stopped() -> tuple[Path, Path]:
        with pytest.raises(_StopError):
            _restored(restorer, source, target, stop_s=2.0)
        return kept(target) / "draft.f32", kept(target) / "journal.jsonl"

    draft, journal = stopped()
    data = bytearray(draft.read_bytes())
    data[len(data) // 4 * 3] ^= 1  # in the last of four chunks
    draft.write_bytes(data)
    assert _restored(restorer, source, target) == pytest.approx(1.5)
    for begins_s, harm in (
        (1.0, lambda: draft.write_bytes(draft.read_bytes()[: 8 * RATE_HZ + 100])),
        (1.5, lambda: journal.write_bytes(journal.read_bytes()[:-5])),
        (0.0, lambda: journal.write_text("not a journal\n")),
        (0.0, lambda: journal.write_text(json.dumps({"key": "x", "loudness_lufs": [0]}) + "\n")),
        (0.0, draft.unlink),
    ):
        target.unlink()
        stopped()
        harm()
        assert _restored(restorer, source, target) == pytest.approx(begins_s)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_loses_nothing(noisy: Array, tmp_path: Path) -> None:
    source, target, whole = (tmp_path / name for name in ("in.wav", "out.wav", "whole.wav"))
    soundfile.write(source, np.tile(noisy, 8), RATE_HZ)
    words = [sys.executable, "-m", "hiresldm", "restore", str(source), "--threads", "1", "--quiet"]
    with subprocess.Popen([*words, str(target), "--resume"]) as process:
        journal = kept(target) / "journal.jsonl"
        until = time.monotonic() + 60
        while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert not target.exists()
    subprocess.run([*words, str(target), "--resume"], check=True)
    subprocess.run([*words, str(whole)], check=True)
    assert target.read_bytes() == whole.read_bytes()
    assert not kept(target).exists()


def test_a_file_that_another_process_restores_is_left_to_it(
    toy_restorer: MakeRestorer, source: Path, tmp_path: Path
) -> None:
    restorer, target = toy_restorer(chunk_s=0.5, context_s=0.3), tmp_path / "out.wav"

    def second(_: float) -> None:
        with pytest.raises(UsageError, match="is being restored by another process"):
            _restored(restorer, source, target)
        assert kept(target).is_dir()

    restore_file(restorer, source, target, Wanted(seed=1), progress=second, model=MODEL)
    assert target.is_file() and not kept(target).exists()
