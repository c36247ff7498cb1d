"""The package of docs/own-model.md, made as the page says, and the page's commands."""

import re
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import Run
from safetensors.torch import save_file

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "own-model.md"
FILES = ("masker/__init__.py", "masker/networks.py", "pyproject.toml")
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="a wheel carries no documentation")


@pytest.fixture
def masker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, from which the page's package is imported."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:python|toml)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    for name, content in zip(FILES, blocks, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    _install(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "masker"]:
        del sys.modules[name]


def test_the_page_leads_from_a_module_to_files_for_phones(
    masker: Path, speech: np.ndarray, hiresldm: Run
):
    soundfile.write("b.wav", speech[:48_000], 48_000)
    network = import_module("masker.networks").untrained().masker
    save_file(network.state_dict(), "masker.safetensors")
    text = PAGE.read_text(encoding="utf-8")
    for line in re.findall(r"^ {4}hiresldm (.*)$", text, flags=re.MULTILINE):
        done = hiresldm(*shlex.split(line))
        assert done.code == 0, f"{line}: {done.err}"
    masked, _ = soundfile.read("masked.wav")
    assert len(masked) == 48_000 and 0 < np.abs(masked).max() < 1
    made = {path.suffix for path in (masker / "masked").iterdir()}
    assert {".onnx", ".mlpackage", ".xml", ".safetensors"} <= made


def _install(folder: Path) -> None:
    """As pip does for `pip install -e .`: the entry points, where Python looks for them."""
    about = folder / "masker-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: masker\nVersion: 0.1\n")
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    group, names = re.search(r'\[project.entry-points."(.+)"\]\n(.*)', text, re.DOTALL).groups()
    (about / "entry_points.txt").write_text(f"[{group}]\n{names}".replace('"', ""))
