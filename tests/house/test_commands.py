"""Every `hiresldm` command of README and docs runs, made small where it would take long."""

import json
import re
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import Run
from made_files import encoded
from tiny import TINY

ROOT = Path(__file__).parents[2]
LIGHTER = {
    r"^(hiresldm train .*)": r"\1 --batch 2 --config tiny.json",
    r"--minutes \d+": "--minutes 0.01",
    r" --shards \d+": "",
    r"--peer all --metrics all --per-class \d+": "--metrics lsd --per-class 1",
    r"--steps 1,2,4 --peer all": "--steps 1",
    r"^(hiresldm bench .*)": r"\1 --runs 1 --seconds 1 --long-seconds 2",
    r"^(hiresldm calibrate .*)": r"\1 --clips 2",
    r"^(hiresldm build phone.*)": r"\1 --components encoder",
    r"^(hiresldm build bundle) .*": r"\1",
}
"""What stands in a command, and what makes it quick."""
PAGES = ("README.md", *(f"docs/{name}.md" for name in (
    "restore", "streaming", "build", "parity", "web", "phone", "quality", "speed", "train",
    "distill")))  # fmt: skip
"""In the order in which a reader meets them; those of docs/families.md run in tests/families."""
ELSEWHERE = {
    "listen",
    "--backends",
    "--durations",
    "--profile",
    "search",
    "steps",
    "mixed",
    "serve",
    "--ios",
    "--android",
    "--browser",
    "engines",
}
"""Words of commands that take minutes on a real model, or wait for a device; their own tests run
them, on a tiny model where that is enough."""

NIGHTLY = {"distill", "mine", "phone", "phone-coreml", "page.html", "quality.json"}
"""Words of commands whose like is run by the tests of their rooms on every commit."""


def commands() -> list[str]:
    """Indented lines and `&&` halves that start with the command, each once.

    Synopses in brackets are none.
    """
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    found = re.findall(r"^ {4}(?:.*&& )?(hiresldm [^\n\[]*)$", text, flags=re.MULTILINE)
    first: dict[str, str] = {}
    for line in found:
        first.setdefault(lighter(line.partition(" #")[0].strip()), line)
    return list(first.values())


def lighter(line: str) -> str:
    for pattern, short in LIGHTER.items():
        line = re.sub(pattern, short, line)
    return line


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, speech: np.ndarray) -> Path:
    """A folder with what the commands name: examples, weights, and speech as DATA."""
    place = tmp_path_factory.mktemp("documents")
    (place / "examples").symlink_to(ROOT / "examples")
    (place / "weights").symlink_to(Path(sys.modules["hiresldm"].__file__).parent / "weights")
    (place / "tiny.json").write_text(json.dumps(asdict(TINY)), encoding="utf-8")
    (place / "DATA").mkdir()
    for number in range(20):  # a bare folder's 19th file is for validation, its 20th for testing
        soundfile.write(place / "DATA" / f"{number:02}.wav", speech[: 2 * 48_000], 48_000)
    (place / "recordings").mkdir()
    for path in ("recordings/a.wav", "b.wav"):
        soundfile.write(place / path, speech[:24_000], 48_000)
    (place / "talk.m4a").write_bytes(encoded(speech[:24_000], "ipod", "aac"))
    return place


def words(line: str, place: Path) -> list[str]:
    """What a shell in `place` makes of a line."""
    given = shlex.split(line, comments=True)
    return [found for word in given for found in _matched(word, place)]


def _matched(word: str, place: Path) -> list[str]:
    if "*" not in word:
        return [word]
    return sorted(str(path.relative_to(place)) for path in place.glob(word))


def test_the_documents_show_every_verb(hiresldm: Run):
    shown = {line.split()[1] for line in commands()}
    assert shown == set(re.findall(r"^│ (\w+) ", hiresldm("--help").out, flags=re.MULTILINE))


def _asked(line: str) -> object:
    nightly = pytest.mark.nightly(reason="the tests of its room run the like")
    return pytest.param(line, marks=nightly if NIGHTLY & set(line.split()) else ())


@pytest.mark.parametrize("line", [_asked(c) for c in commands() if not ELSEWHERE & set(c.split())])
def test_a_command_of_the_documents_runs(
    place: Path, line: str, hiresldm: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(place)
    done = hiresldm(*words(lighter(line), place)[1:])
    assert done.code == 0, done.err
