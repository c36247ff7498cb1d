"""The package as a whole: what importing it costs, what it shows, what it carries."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hiresldm
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE, Restorer, backends

HEAVY = ("torch", "onnx", "onnxruntime", "scipy", "matplotlib", "typer")


def test_importing_the_package_loads_no_engine():
    probe = f"import sys, hiresldm; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_restoring_needs_no_torch():
    """What the plain install runs must not reach for anything that it does not bring."""
    probe = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'onnx', 'scipy', 'safetensors')));"
        "import numpy, hiresldm;"
        "wave = hiresldm.Restorer.load()(numpy.ones(4800, 'f4') * 0.01, 16_000);"
        "print(wave.shape)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(14400,)"


def test_the_public_names_are_these():
    assert sorted(hiresldm.__all__) == ["Restorer", "ToolkitError"]
    assert hiresldm.Restorer is Restorer
    assert list(backends()) == ["coreml", "executorch", "litert", "openvino", "ort", "torch", "mil"]
    assert (Path(hiresldm.__file__).parent / "py.typed").is_file()


def test_every_package_is_packed_from_where_it_lies():
    """A clone or a ZIP may have no symbolic links in the door: nothing may be found by them."""
    root, door = Path(__file__).parents[2], Path(hiresldm.__file__).parent
    config = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    rooms = [room for room in door.iterdir() if room.is_dir() and room.name != "__pycache__"]
    files = [path for room in rooms for path in (*room.rglob("*.py"), *room.glob("*.wav"))]
    held = {".".join(("hiresldm", *path.parent.relative_to(door).parts)) for path in files}
    codeless = {"hiresldm", "hiresldm.web", "hiresldm.weights", "hiresldm.weights.edge"}
    experiments = {"hiresldm.benchmarks.experiments"}  # for whoever has the clone
    assert held | codeless == set(config["packages"]) | experiments
    if not (root / "core").is_dir():
        pytest.skip("the rooms lie in the clone alone")
    for name in config["packages"]:
        _, room, *inner = (*name.split("."), "")[:4]
        folder = root / config["package-dir"][f"hiresldm.{room}" if room else "hiresldm"]
        assert folder.joinpath(*inner).resolve() == folder.joinpath(*inner), name


def test_rooms_and_files_can_be_overlooked():
    door = Path(hiresldm.__file__).parent
    for init in (one for room in door.iterdir() for one in room.rglob("__init__.py")):
        modules = [path for path in init.parent.glob("*.py") if path != init]
        assert len(modules) <= 12, init.parent
        assert init.read_text(encoding="utf-8").startswith('"""'), f"{init} tells nothing"
        for path in modules:
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path


def test_the_embedded_bundle_is_small():
    size = sum(path.stat().st_size for path in EMBEDDED_BUNDLE.iterdir())
    assert size <= 40_000_000
