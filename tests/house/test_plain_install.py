"""The plain install, without any extra: what runs there, and what says how to get the rest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import grimp
import pytest

from hiresldm.cli.main import EXTRAS
from hiresldm.core.bundle import manifest as bundles
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

ROOT = Path(__file__).parents[2]
ABSENT = (
    *("torch", "onnx", "onnxscript", "onnxsim", "openvino", "coremltools", "executorch", "nncf"),
    "ai_edge_litert",
    *(
        "scipy",
        "safetensors",
        "matplotlib",
        "pyarrow",
        "starlette",
        "tensorboard",
        "pystoi",
        "pesq",
        "speechmos",
    ),
)
COMMAND = (
    f"import sys; sys.modules.update(dict.fromkeys({ABSENT}));"
    "from hiresldm.cli.main import main; main()"
)
SPEECH = str(ROOT / "examples")
REQUESTS = {
    "corpus": [SPEECH, "out", "--layout", "parquet"],
    "prepare": [SPEECH, "out"],
    "train": ["recovery", "--data", SPEECH, "--out", "out"],
    "distill": ["shortcut", "--teacher", "run", "--data", SPEECH, "--out", "out"],
    "calibrate": ["--data", SPEECH, "--out", "out"],
    "search": ["--data", SPEECH, "--calibration", "file", "--out", "out"],
    "build": ["out"],
    "parity": ["bundle"],
    "evaluate": ["--degraded", SPEECH],
    "steps": ["--teacher", "run", "--data", SPEECH],
    "serve": ["--api"],
    "plot": [f"{SPEECH}/noisy.wav", "--out", "out.png"],
}


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line outside the clone, without what the extras bring."""
    command = [sys.executable, "-c", COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize("verb", REQUESTS)
def test_a_verb_that_needs_an_extra_names_it_in_one_sentence(verb: str, tmp_path: Path) -> None:
    done = _run(tmp_path, verb, *REQUESTS[verb])
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert f"pip install 'hiresldm[{EXTRAS.get(verb, 'quality')}]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_extra_brings_what_its_verbs_import() -> None:
    """Otherwise the next try would end in the same sentence."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    graph = grimp.build_graph("hiresldm", include_external_packages=True)
    assert EXTRAS.keys() <= REQUESTS.keys()
    for verb, names in EXTRAS.items():
        brought = {line.split("=")[0] for name in names.split(",") for line in extras[name]}
        (module,) = (
            m for m in graph.modules if m.startswith("hiresldm.cli.") and m.endswith(f".{verb}")
        )
        needed = graph.find_upstream_modules(module)
        assert needed & {"torch", "scipy", "safetensors"} <= brought, verb


def test_a_bundle_is_inspected_as_far_as_the_engines_go(tmp_path: Path) -> None:
    done = _run(tmp_path, "inspect", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    decoders = {
        a["format"]: a for a in json.loads(done.stdout)["artifacts"] if a["component"] == "decoder"
    }
    assert decoders["onnx"]["outputs"] == {"restored": [1, None, 2050]}
    assert decoders["torch"]["outputs"] == {"restored": None}
    assert "pip install 'hiresldm[train]'" in decoders["torch"]["reason"]


def test_the_doctor_says_how_to_get_each_engine(tmp_path: Path) -> None:
    done = _run(tmp_path, "doctor", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    reasons = {one["name"]: one["reason"] for one in json.loads(done.stdout)["engines"]}
    assert reasons.pop("ort") is None and "macOS" in reasons.pop("coreml")
    extras = {
        "executorch": "executorch",
        "litert": "litert",
        "mil": "coreml",
        "openvino": "openvino",
        "torch": "train",
    }
    assert reasons.keys() == extras.keys()
    for name, extra in extras.items():
        assert f"pip install 'hiresldm[{extra}]'" in reasons[name].replace("train,", ""), name


def test_speed_is_measured_anywhere(tmp_path: Path) -> None:
    options = ["--threads", "1", "--runs", "1", "--seconds", "1", "--long-seconds", "1"]
    done = _run(tmp_path, "bench", *options, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["rows"][0]["rtf"]["median"] > 0


def test_a_selftest_is_silent_about_engines_that_nobody_asked_for(tmp_path: Path) -> None:
    done = _run(tmp_path, "selftest")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "10 rows: 10 PASS, 0 FAIL\n"


def test_a_selftest_that_can_check_nothing_is_no_success(tmp_path: Path) -> None:
    root = shutil.copytree(EMBEDDED_BUNDLE, tmp_path / "bundle")
    manifest = bundles.load(root)
    kept = tuple(artifact for artifact in manifest.artifacts if artifact.format == "torch")
    bundles.save(replace(manifest, artifacts=kept), root)
    done = _run(tmp_path, "selftest", str(root))
    assert done.returncode == 5 and "pip install 'hiresldm[train]'" in done.stderr
