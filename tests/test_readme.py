"""Every `hiresldm` command of the README runs, made small where it would take long."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[1]
SMALLER = {
    "evaluate": ["--per-class", "1", "--quiet"],
    "bench": ["--runs", "1", "--seconds", "1", "--long-seconds", "2"],
}


def commands() -> list[str]:
    """Indented lines and `&&` halves that start with the command; synopses in brackets are not."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^ {4}(?:.*&& )?(hiresldm [^\n\[]*)$", text, flags=re.MULTILINE)
    return [re.sub(r"--minutes \d+", "--minutes 0.01", line) for line in lines]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, speech: np.ndarray) -> Path:
    """A folder with what the commands name: examples, weights, and speech as DATA."""
    place = tmp_path_factory.mktemp("readme")
    (place / "examples").symlink_to(ROOT / "examples")
    (place / "weights").symlink_to(Path(sys.modules["hiresldm"].__file__).parent / "weights")
    (place / "DATA").mkdir()
    for number in range(20):  # a bare folder's 19th file is for validation, its 20th for testing
        soundfile.write(place / "DATA" / f"{number:02}.wav", speech[: 2 * 48_000], 48_000)
    return place


def test_the_readme_shows_every_verb():
    verbs = {line.split()[1] for line in commands()}
    assert verbs == {"restore", "build", "bench", "evaluate", "train", "plot"}


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_readme_runs(place: Path, line: str):
    words = shlex.split(line)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "hiresldm.cli.main", *words, *SMALLER.get(words[0], [])],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
