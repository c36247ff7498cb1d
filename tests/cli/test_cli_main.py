"""What holds for every verb: help, version, completion, `python -m`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest

import hiresldm
from hiresldm.cli import signals
from hiresldm.cli.main import app, main
from hiresldm.core.errors import UsageError
from hiresldm.core.outputs import publish, write_text

VERBS = [str(command.name) for command in app.registered_commands]
VERSION = f"hiresldm {version('hiresldm')}\n"


def _said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert not stop.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_knows_help_and_version(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = _said(capsys, verb, "-h")
    assert shown == _said(capsys, verb, "--help") and f"hiresldm {verb}" in shown
    assert _said(capsys, verb, "--version") == VERSION


def test_the_version_is_told_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert hiresldm.__version__ == version("hiresldm")
    assert _said(capsys, "--version") == VERSION
    assert "doctor" in _said(capsys, "-h")
    assert not hasattr(hiresldm, "__revision__")
    with pytest.raises(SystemExit) as stop:
        main(["inspect", "--", "--version"])  # the name of a folder
    assert stop.value.code == 6


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_verbs_are_completed(shell: str, tmp_path: Path) -> None:
    asked = {
        "_HIRESLDM_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "hiresldm sel",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "hiresldm sel",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [sys.executable, "-m", "hiresldm"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=os.environ | asked,
    )  # fmt: skip
    assert "selftest" in done.stdout and "restore" not in done.stdout


def test_a_report_goes_into_a_device_or_through_a_link_and_replaces_neither(tmp_path: Path) -> None:
    pipe, link, real = tmp_path / "pipe", tmp_path / "link.json", tmp_path / "real.json"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_text)
        write_text("{}", pipe)
        assert read.result(10) == "{}" and pipe.is_fifo()
    link.symlink_to(real)
    write_text("[]", link)
    assert link.is_symlink() and real.read_text() == "[]"
    real.with_name("partial").write_text("")
    with pytest.raises(UsageError, match="a device or a pipe"):
        publish(real.with_name("partial"), pipe)
    assert pipe.is_fifo() and not real.with_name("partial").exists()


@pytest.mark.parametrize(("name", "code"), [("SIGINT", -2), ("SIGTERM", 143)])
def test_a_signal_that_python_cannot_raise_is_not_lost(name: str, code: int) -> None:
    """It comes while a generator that nobody needs is closed."""
    program = f"""
import os, signal, time
from hiresldm.cli import signals
signal.signal(signal.SIGINT, signal.default_int_handler)
def closing():
    try:
        yield
    finally:
        os.kill(os.getpid(), signal.{name})
        time.sleep(0.01)
with signals.heard():
    generator = closing()
    next(generator)
    del generator
    time.sleep(20)
"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert ended.returncode == code


def test_an_exit_that_no_signal_asked_for_is_lost_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no number of a signal that could be sent again."""
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(lost.exc_value.code))

    def closing() -> Iterator[None]:
        try:
            yield
        finally:
            sys.exit("an exit")

    with signals.heard():
        generator = closing()
        next(generator)
        del generator
    assert told == ["an exit"]
