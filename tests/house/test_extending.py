"""The changes of docs/extending.md, applied to copies, and what comes of them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hiresldm

ROOT = Path(__file__).parents[2]
PAGE, MODEL = ROOT / "docs" / "extending.md", ROOT / "docs" / "own-model.md"
NAMES = ("metric", "engine", "format", "component")
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="a wheel carries no documentation")

IN_THE_TREE = """
import tempfile
from pathlib import Path
from export_jobs import job_of
from hiresldm.benchmarks.quality.metrics import scores
from hiresldm.core.bundle import manifest
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.signal.metrics import snr_db
from hiresldm.export.writers import to_pt2
from hiresldm.families.checkpoints import load
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE, runtime_of

(chosen,) = scores.choose(["clipped"], referenced=False)
assert chosen.headings == {"clipped": "clipped samples % ↓"}
artifacts = manifest.load(EMBEDDED_BUNDLE).artifacts
kind = ("encoder", "onnx", "fp32")
artifact = next(a for a in artifacts if (a.component, a.format, a.precision) == kind)
model, out = load(EMBEDDED_BUNDLE), Path(tempfile.mkdtemp())
sample = model.components[1].sample(20, seed=0)
wanted = runtime_of("ort").load(artifact, EMBEDDED_BUNDLE, threads=1)(sample)["latent"]
program = to_pt2.export(job_of(model, "encoder", Precision.FP32, out))
for name, made, root in (("onnx_reference", artifact, EMBEDDED_BUNDLE), ("pt2", program, out)):
    engine = runtime_of(name)
    got = engine.load(made, root, threads=1)(sample)["latent"]
    assert snr_db(wanted, got) > 100, name
    assert engine.shapes(made, root)["log_mel"] == (1, None, 128), name
"""
BESIDE_IT = """
import numpy
from masker import FAMILY
from masker.networks import untrained
from hiresldm.core.restorer import Restorer
from hiresldm.runtimes import on_torch

model, host = untrained(), FAMILY.host()
components = FAMILY.components(host)
runners = {c.name: on_torch.runner(c, model.get_submodule(c.name)) for c in components}
restorer = Restorer(runners, host)
wave = numpy.random.default_rng(0).standard_normal(48_000).astype("f4") / 10
assert restorer(wave, 48_000).shape == wave.shape
assert FAMILY.names(host) == ("masker", "voicing")
"""


@pytest.fixture(scope="module")
def changes() -> dict[str, str]:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```diff\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return dict(zip(NAMES, blocks, strict=True))


def test_a_metric_an_engine_and_a_format_are_a_file_each(changes: dict[str, str], tmp_path: Path):
    door = Path(hiresldm.__file__).parent
    left = shutil.ignore_patterns("__pycache__", "weights", "web", "results")
    copy = shutil.copytree(door, tmp_path / "hiresldm", ignore=left)
    (copy / "weights").symlink_to((door / "weights").resolve())
    for name in NAMES[:3]:
        _apply(changes[name], copy)
    _run(IN_THE_TREE, tmp_path)


def test_a_component_is_declared_and_called(changes: dict[str, str], tmp_path: Path):
    blocks = re.findall(r"^```python\n(.*?)^```$", MODEL.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "masker").mkdir()
    for name, block in zip(("__init__.py", "networks.py"), blocks, strict=True):
        (tmp_path / "masker" / name).write_text(block, encoding="utf-8")
    _apply(changes["component"], tmp_path)
    _run(BESIDE_IT, tmp_path, ROOT)


def _apply(change: str, folder: Path) -> None:
    # Not as a part of whatever repository lies around the folder.
    env = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
    subprocess.run(["git", "apply", "-"], input=change, text=True, cwd=folder, env=env, check=True)


def _run(program: str, *paths: Path) -> None:
    found = os.pathsep.join(str(path) for path in (*paths, ROOT / "tests"))
    env = os.environ | {"PYTHONPATH": found}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env=env, cwd=paths[0], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
