"""The package of docs/own-model.md, made as the page says, and the page's commands."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "own-model.md"
FILES = ("masker/__init__.py", "masker/networks.py", "pyproject.toml")
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="a wheel carries no documentation")
TAKEN = """
import torch
from safetensors.torch import save_file
from masker.networks import untrained
save_file(untrained().masker.state_dict(), "masker.safetensors")
"""


def test_the_page_leads_from_a_module_to_files_for_phones(tmp_path: Path, speech: np.ndarray):
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:python|toml)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    for name, content in zip(FILES, blocks, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    _install(tmp_path)
    soundfile.write(tmp_path / "b.wav", speech[:48_000], 48_000)
    _run(tmp_path, "-c", TAKEN)
    for line in re.findall(r"^ {4}hiresldm (.*)$", text, flags=re.MULTILINE):
        words = shlex.split(line)
        _run(tmp_path, "-m", "hiresldm.cli.main", *words)
    masked, _ = soundfile.read(tmp_path / "masked.wav")
    assert len(masked) == 48_000 and 0 < np.abs(masked).max() < 1
    made = {path.suffix for path in (tmp_path / "masked").iterdir()}
    assert {".onnx", ".mlpackage", ".xml", ".safetensors"} <= made


def _install(folder: Path) -> None:
    """As pip does for `pip install -e .`: the entry points, where Python looks for them."""
    about = folder / "masker-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: masker\nVersion: 0.1\n")
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    group, names = re.search(r'\[project.entry-points."(.+)"\]\n(.*)', text, re.DOTALL).groups()
    (about / "entry_points.txt").write_text(f"[{group}]\n{names}".replace('"', ""))


def _run(folder: Path, *words: str) -> None:
    paths = os.pathsep.join([str(folder), str(ROOT)])
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
