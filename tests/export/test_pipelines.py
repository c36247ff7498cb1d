"""A build may evaluate the audio of what it made: every pipeline against fp32 of its format."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny import untrained

from hiresldm import families
from hiresldm.cli.main import main
from hiresldm.core.bundle import manifest as bundles
from hiresldm.core.errors import UsageError
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Array
from hiresldm.families.hiresldm import components as declared
from hiresldm.runtimes.restorer import Restorer

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The components of a small untrained model."""
    return untrained(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def data(speech: Array, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nineteen recordings, the last of which is the valid split."""
    folder = tmp_path_factory.mktemp("speech")
    for number in range(19):
        clip = speech[number * 2000 :][: round(1.2 * RATE_HZ)]
        soundfile.write(folder / f"{number:02}.wav", clip, RATE_HZ)
    return folder


def build(out: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["build", str(out), *words])
    return int(ended.value.code or 0)


def test_every_pipeline_is_compared_with_fp32_by_the_budget(
    weights: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    told = tmp_path / "told.json"
    words = ["--weights", str(weights), "--precisions", "fp32,int8", "--report", str(told)]
    assert build(tmp_path / "out", *words, "--audio", str(data)) == 0
    result = json.loads(told.read_text(encoding="utf-8"))
    (row,) = result["audio"]
    assert (row["format"], row["precision"], row["engine"]) == ("onnx", "int8", "ort")
    sizes = [row["bytes"] for row in result["rows"] if row["precision"] == "int8"]
    assert row["bytes"] == sum(sizes)
    deltas = {metric: value["mean"] for metric, value in row["deltas"].items()}
    assert deltas.keys() == {"lsd", "estoi", "dnsmos_ovrl"}
    assert 0.0 < abs(deltas["lsd"]) < 0.5  # other than fp32, and near it
    within = deltas["lsd"] <= 0.05 and deltas["estoi"] >= -0.005 and deltas["dnsmos_ovrl"] >= -0.03
    assert row["holds"] == within
    table = capsys.readouterr().out
    assert f"| onnx on ort | int8 | {sum(sizes) / 1e6:.2f} |" in table
    assert f"| {'yes' if within else 'no'} |" in table


def test_a_bundle_offers_the_steps_asked_for_and_hands_them_on(weights: Path, tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    words = ["--steps", "2,1", "--default-steps", "1"]
    assert build(first, "--weights", str(weights), *words) == 0
    assert build(second, "--weights", str(first), "--components", "encoder") == 0
    everything = ["recovery", "encoder", "denoiser", "decoder"]
    for folder, components in ((first, everything), (second, ["encoder"])):
        made = bundles.load(folder)
        _, host = families.of(made)
        assert (list(host.schedules), host.default_steps) == ([1, 2], 1)
        checkpoints = [a for a in made.artifacts if a.format == "torch"]
        assert [a.component for a in checkpoints] == components
    wave = np.full(4800, 0.01, np.float32)
    on_ort, on_torch = (Restorer.load(first, backend=b)(wave, RATE_HZ) for b in ("ort", "torch"))
    assert snr_db(on_torch, on_ort) > 80
    with pytest.raises(UsageError, match="4 steps are not offered by this model; accepted: 1, 2"):
        Restorer.load(first)(wave, RATE_HZ, steps=4)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--precisions", "int8"], "--audio compares with fp32"),
        (["--components", "encoder,decoder"], "--audio needs every component; recovery, denoiser"),
    ],
)
def test_what_cannot_be_heard_is_refused_before_anything_is_written(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    sentence: str,
):
    assert build(tmp_path / "out", *words, "--audio", str(data)) == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_keeps_a_component_off_the_neural_engine_is_reported(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(declared, "FIXED_LENGTHS", (128, 9000))
    words = ["--weights", str(weights), "--components", "encoder", "--formats", "coreml"]
    assert build(tmp_path / "out", *words) == 0
    assert "neural engine: log_mel has an axis of 18000" in capsys.readouterr().out
