"""The package as a whole: what importing it costs, what it shows, what it carries."""

import subprocess
import sys
from pathlib import Path

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
    assert list(backends()) == ["coreml", "mil", "openvino", "ort", "torch"]
    assert (Path(hiresldm.__file__).parent / "py.typed").is_file()


def test_the_embedded_bundle_is_small():
    size = sum(path.stat().st_size for path in EMBEDDED_BUNDLE.iterdir())
    assert size <= 40_000_000
