"""The gate on real bundles: what passes, what fails, what is told, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from command_line import Run

from hiresldm.core.bundle import manifest as bundles
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.bundle.weights import stored_tensors, weights_file
from hiresldm.core.errors import UsageError
from hiresldm.core.spec import File
from hiresldm.parity import golden, report, thresholds
from hiresldm.parity.candidates import Candidate, candidates
from hiresldm.parity.components import ODD
from hiresldm.parity.debugging.repro import located
from hiresldm.parity.distance import distance
from hiresldm.parity.gate import Gate
from hiresldm.parity.rows import Row, Status, failed
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

FULL = bool(os.environ.get("HIRESLDM_PARITY_FULL"))
ALTERED = "blocks.3.expand"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded bundle's first precision as ONNX, with golden vectors."""
    root = tmp_path_factory.mktemp("parity") / "bundle"
    shutil.copytree(EMBEDDED_BUNDLE, root)
    manifest = bundles.load(root)
    kept = tuple(a for a in manifest.artifacts if (a.format, a.precision) == ("onnx", "fp32"))
    bundles.save(golden.write(replace(manifest, artifacts=kept), root), root)
    return root


@pytest.fixture(scope="module")
def altered(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, the top exponent bit of the denoiser's largest weight flipped, hashes renewed."""
    root = tmp_path_factory.mktemp("altered") / "bundle"
    shutil.copytree(bundle, root)
    path = weights_file(root, "denoiser")
    stored = stored_tensors(path)[f"{ALTERED}.weight"]
    content = bytearray(path.read_bytes())
    weights = np.frombuffer(content, "<f2", stored.length // 2, stored.offset)
    largest = int(np.argmax(np.abs(weights)))
    del weights  # a view would keep the bytes from being replaced
    content[stored.offset + 2 * largest + 1] ^= 0x40
    path.write_bytes(content)
    manifest = bundles.load(root)
    renewed = tuple(
        replace(a, data=tuple(File(f.path, bundles.sha256_of(root / f.path)) for f in a.data))
        for a in manifest.artifacts
    )
    bundles.save(replace(manifest, artifacts=renewed), root)
    return root


@pytest.mark.parity
def test_the_embedded_bundle_agrees_with_the_reference() -> None:
    """Complete with HIRESLDM_PARITY_FULL=1."""
    gate = Gate.open(EMBEDDED_BUNDLE, weights=EMBEDDED_BUNDLE, full=FULL)
    rows = list(gate.rows())
    assert [report.line(row) for row in failed(rows)] == []
    assert {row.component for row in rows} >= {*gate.components, "pipeline"}
    absent = {row.runtime for row in rows if row.status is Status.NOT_RUN}
    assert absent <= ({"coreml"} if sys.platform == "linux" else set())


def test_golden_vectors_pass_without_torch_and_are_small(bundle: Path) -> None:
    """On the user's device: no torch, no safetensors, no examples."""
    probe = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'onnx', 'safetensors')));"
        "from hiresldm.cli.main import main; main(['selftest', sys.argv[1]])"
    )
    command = [sys.executable, "-c", probe, str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "5 rows: 5 PASS, 0 FAIL\n"), done.stderr
    listed = bundles.load(bundle).golden
    assert listed and (bundle / listed.path).stat().st_size < 100_000


def test_an_altered_weight_fails_though_its_hash_is_renewed(altered: Path) -> None:
    """Graph and reference read the same file, so only the golden vectors can tell."""
    rows = list(golden.check(altered))
    assert {row.component for row in failed(rows)} >= {"denoiser"}
    gate = Gate.open(altered)
    assert failed(golden.rows(gate.manifest, altered, _torch(gate)))


def test_the_altered_operation_is_found_and_its_inputs_are_saved(
    altered: Path, tmp_path: Path
) -> None:
    gate = Gate.open(altered, weights=EMBEDDED_BUNDLE)
    (candidate,) = candidates(gate.manifest, altered)
    cases = gate.single.cases("denoiser", ODD, 1)[:1]
    row = gate.single.evaluated(candidate, "denoiser", "component", "component_db", cases)
    assert row.status is Status.FAIL
    first, saved = located(gate, tmp_path)
    assert "MatMul" in first and f"'{ALTERED}'" in first
    arrays = np.load(tmp_path / "denoiser-onnx-fp32-ort.npz")
    assert {"input.noisy", "expected", "got"} <= set(arrays) and ".npz" in saved


def test_a_checkpoint_that_fails_has_no_operations_to_look_into(tmp_path: Path) -> None:
    gate = Gate.open(EMBEDDED_BUNDLE)
    run = gate.reference["denoiser"]
    halved = {"denoiser": lambda x: {"clean": run(x)["clean"] * np.float32(0.5)}}
    cases = gate.single.cases("denoiser", ODD, 1)[:1]
    gate.single.evaluated(
        Candidate("torch", "fp32", "torch", (), halved),
        "denoiser",
        "component",
        "component_db",
        cases,
    )
    first, _ = located(gate, tmp_path)
    assert "a torch file has no operations" in first


def test_a_spectrum_that_fails_is_saved_as_waves_and_picture(bundle: Path, tmp_path: Path) -> None:
    gate = Gate.open(bundle)
    run = gate.reference["decoder"]
    halved = {"decoder": lambda x: {"restored": run(x)["restored"] * np.float32(0.5)}}
    candidate = Candidate("onnx", "fp32", "torch", (), halved)
    gate.single.evaluated(
        candidate, "decoder", "component", "component_db", gate.single.cases("decoder", ODD, 1)[:1]
    )
    assert len(list(located(gate, tmp_path))) == 2
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz", ".wav", ".png"}


@pytest.mark.parametrize("verb", ["parity", "selftest"])
def test_a_wrong_hash_ends_it_before_anything_runs(
    verb: str, bundle: Path, tmp_path: Path, hiresldm: Run
) -> None:
    root = tmp_path / "bundle"
    shutil.copytree(bundle, root)
    with weights_file(root, "encoder").open("ab") as file:
        file.write(b"\0")
    out = tmp_path / "report.json"
    done = hiresldm(verb, root, "--report", out)
    assert done.code == 6 and "sha256" in done.err
    assert not out.exists()


def test_a_failure_is_reported_and_ends_with_3(
    altered: Path, tmp_path: Path, hiresldm: Run
) -> None:
    out = tmp_path / "report.json"
    done = hiresldm("selftest", altered, "--report", out, "--quiet")
    assert done.code == 3 and "denoiser onnx fp32 on ort, golden" in done.out
    written = json.loads(out.read_text())
    printed = json.loads(hiresldm("selftest", altered, "--json").out)
    assert printed["rows"] == written["rows"]
    assert {row["status"] for row in written["rows"]} == {"PASS", "FAIL"}
    assert set(written["rows"][0]) == {
        "component", "format", "precision", "runtime", "scope", "value", "floor", "status", "reason"
    }  # fmt: skip
    assert written["engines"]["openvino"]["inference_precision"] == "f32"


def test_an_absent_engine_is_not_run(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    rows = list(golden.check(bundle))
    assert {row.status for row in rows} == {Status.NOT_RUN}
    assert "pip install onnxruntime" in rows[0].reason


def test_a_file_that_does_not_open_fails(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "bundle")
    manifest = bundles.load(tmp_path / "bundle")
    (tmp_path / "bundle" / manifest.artifacts[0].path).write_bytes(b"no graph")
    (candidate,) = candidates(manifest, tmp_path / "bundle")
    (row,) = candidate.faults
    assert (row.component, row.status) == ("recovery", Status.FAIL)


def test_silence_is_judged_against_speech() -> None:
    silence = np.zeros((1, 4, 8), np.float32)
    spiked = silence.copy()
    spiked[0, 2, 3] = 1e-3
    assert distance(silence, silence, least_power=1e-4).snr_db == np.inf
    assert distance(silence, spiked, least_power=1e-4).snr_db < 90
    assert distance(silence, silence + np.float32(1e-9), least_power=1e-4).snr_db > 90
    assert distance(silence, spiked).snr_db == -np.inf
    assert distance(silence + np.float32(np.nan), silence).fault


def test_a_bad_channel_is_found_on_whichever_axis_it_lies() -> None:
    wanted = np.random.default_rng(0).standard_normal((1, 50, 8)).astype(np.float32)
    made = wanted.copy()
    made[..., 3] += np.float32(0.01)
    by_frame = distance(wanted, made, frames_axis=1)
    assert by_frame.channel_db == pytest.approx(40, abs=1)
    turned = distance(wanted.transpose(0, 2, 1), made.transpose(0, 2, 1), frames_axis=2)
    assert turned.channel_db == pytest.approx(by_frame.channel_db)


def test_loosening_needs_a_reason(tmp_path: Path) -> None:
    kept = thresholds.load()
    assert set(kept.floors) == set(Precision)
    where = 'format = "coreml"\nprecision = "fp16"\nlimit = "component_db"'
    entry = f"[[loosened]]\n{where}\nvalue = 40.0\n"
    path = tmp_path / "thresholds.toml"
    text = thresholds.FILE.read_text()
    path.write_text(f'{text}\n{entry}reason = "measured on an engine that rounds every sum"\n')
    about = {"component": "decoder", "precision": "fp16", "runtime": "mil"}
    assert thresholds.load(path).floor("component_db", format="coreml", **about) == 40
    assert thresholds.load(path).floor("component_db", format="onnx", **about) == 45
    for number, bad in enumerate((entry + 'reason = "ok"\n', entry, "strange = 1\n")):
        other = tmp_path / f"{number}.toml"
        other.write_text(f"{text}\n{bad}" if bad.startswith("[[") else f"{bad}{text}")
        with pytest.raises(UsageError, match=rf"{number}\.toml"):
            thresholds.load(other)


def test_reports_hold_every_row() -> None:
    about = ("onnx", "int8", "ort")
    rows = [
        Row("decoder", *about, "component, 37 frames", 41.2, 25.0, Status.PASS),
        Row("pipeline", *about, "end to end, lsd", -0.07, -0.05, Status.FAIL, "<too dull>"),
        Row("decoder", "coreml", "fp16", "coreml", "open", None, None, Status.NOT_RUN, "no Mac"),
    ]
    suite = ElementTree.fromstring(report.junit(rows))  # noqa: S314 - our own text
    assert [suite.get(k) for k in ("tests", "failures", "skipped")] == ["3", "1", "1"]
    assert "&lt;too dull&gt;" in report.html(rows)
    lines = report.markdown(rows).splitlines()
    assert lines[0] == "| format | precision | engine | decoder, dB | end to end |"
    assert lines[2] == "| onnx | int8 | ort | 41 | lsd -0.070 FAIL |"
    assert lines[3] == "| coreml | fp16 | coreml | not run | - |"


def _torch(gate: Gate) -> Candidate:
    return Candidate("torch", "fp32", "torch", (), gate.reference, needed=tuple(gate.components))
