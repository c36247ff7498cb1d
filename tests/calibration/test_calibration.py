"""Calibration: damaged clips, captured inputs, their file, ranges and sensitivities."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny import TINY

from hiresldm.benchmarks.experiments.activation_ranges import METHODS, compare_component
from hiresldm.calibration import store
from hiresldm.calibration.capture import capture
from hiresldm.calibration.cases import CLASSES, cases
from hiresldm.calibration.sensitivity import choices, measure
from hiresldm.calibration.simulation import simulated
from hiresldm.calibration.store import Calibration, Sample
from hiresldm.cli.main import main
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.errors import IntegrityError, UsageError
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Array, Component
from hiresldm.families.hiresldm.components import NAMES as COMPONENTS
from hiresldm.families.hiresldm.components import components
from hiresldm.families.hiresldm.config import EDGE
from hiresldm.families.hiresldm.model import Model
from hiresldm.runtimes import on_torch

COMPONENTS_OF_TINY = {component.name: component for component in components(TINY.host)}


@pytest.fixture(scope="module")
def data(speech: Array, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three recordings without any manifest, all of the train split."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(3):
        soundfile.write(folder / f"{number}.wav", speech[number * 48_000 :][:96_000], 48_000)
    return folder


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return Model(TINY).eval()


@pytest.fixture(scope="module")
def captured(model: Model, data: Path) -> list[Sample]:
    return capture(model, cases(data, clips=7, seconds=0.5, seed=0), seed=0)


@pytest.fixture(scope="module")
def path(captured: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("calibration") / "calibration.safetensors"
    facts = {"config": TINY.to_json()}
    store.save(made, captured, facts=facts)
    return made


@pytest.fixture(scope="module")
def calibration(path: Path) -> Calibration:
    return store.load(path)


def output(component: Component, model: Model, inputs: dict[str, Array]) -> Array:
    run = on_torch.runner(component, model.get_submodule(component.name))
    return run(inputs)[component.outputs[0].name]


def test_clips_are_of_every_kind_and_their_snr_rises_within_a_kind(data: Path) -> None:
    drawn = list(cases(data, clips=2 * len(CLASSES), seconds=0.5, seed=1))
    assert Counter(case.kind for case in drawn) == dict.fromkeys(CLASSES, 2)
    assert all(case.damaged.shape == (24_000,) for case in drawn)
    for kind in CLASSES:
        weak, strong = (case.snr_db for case in drawn if case.kind == kind)
        assert weak <= strong
    again = cases(data, clips=2 * len(CLASSES), seconds=0.5, seed=1)
    assert all((a.damaged == b.damaged).all() for a, b in zip(drawn, again, strict=True))


def test_a_folder_without_a_long_enough_recording_is_refused(data: Path) -> None:
    with pytest.raises(UsageError, match="no train recording of at least 5 s"):
        next(cases(data, clips=1, seconds=5.0, seed=0))


def test_every_step_of_every_sampler_table_is_captured(captured: list[Sample]) -> None:
    origins = [sample.origin for sample in captured]
    first = [o for o in origins if o.clip == origins[0].clip and o.kind == origins[0].kind]
    times = [(o.steps, o.time) for o in first if o.component == "denoiser"]
    assert times == [(1, 1.0), (2, 1.0), (2, 0.5), (4, 1.0), (4, 0.75), (4, 0.5), (4, 0.25)]
    counts = Counter(origin.component for origin in origins)
    assert counts == {"host": 7, "recovery": 7, "encoder": 7, "denoiser": 49, "decoder": 7}
    assert {o.steps for o in origins if o.component == "decoder"} == {1, 2, 4}


def test_what_is_captured_is_what_the_pipeline_passes_on(
    model: Model, captured: list[Sample]
) -> None:
    of = {
        component: [s for s in captured if s.origin.component == component]
        for component in COMPONENTS
    }
    for seen, decoded in zip(of["recovery"], of["decoder"], strict=True):
        recovered = output(COMPONENTS_OF_TINY["recovery"], model, dict(seen.inputs))
        assert np.array_equal(recovered, decoded.inputs["recovered"])


def test_the_file_holds_what_was_captured_to_half_precision(
    captured: list[Sample], calibration: Calibration
) -> None:
    for sample, stored in zip(captured, calibration.captured, strict=True):
        assert stored.origin == sample.origin
        for name, value in sample.inputs.items():
            assert stored.inputs[name].dtype == np.float32
            assert snr_db(value, stored.inputs[name]) > 60.0
    assert len(calibration.samples("denoiser")) == 49
    assert len(calibration.spaced("denoiser", 5)) == 5
    with pytest.raises(UsageError, match="no inputs of a component 'vocoder'"):
        calibration.samples("vocoder")


def test_a_file_that_is_none_is_refused_in_words(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such calibration file"):
        store.load(tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(IntegrityError, match="not a calibration file"):
        store.load(cut)
    with pytest.raises(UsageError, match="a model of other sizes"):
        store.load(path).require(EDGE.to_json())


def test_a_sensitivity_is_the_error_of_the_component_with_that_layer_alone_rounded(
    model: Model, calibration: Calibration
) -> None:
    before = model.decoder.head.weight.clone()
    found = {(s.layer, s.precision): s for s in measure(model, calibration)}
    assert list(found) == choices(model)
    assert torch.equal(before, model.decoder.head.weight)
    one = found["decoder.head", Precision.INT4]
    other = simulated(model, {"decoder.head": Precision.INT4})
    other.decoder.head.bias.data = model.decoder.head.bias.data
    decoder, inputs = COMPONENTS_OF_TINY["decoder"], calibration.samples("decoder")
    expected, got = (
        np.stack([output(decoder, m, dict(arrays)) for arrays in inputs]) for m in (model, other)
    )
    assert one.snr_db == pytest.approx(snr_db(expected, got), abs=0.5)
    for (layer, precision), own in found.items():
        if precision is Precision.INT4:
            assert own.noise > found[layer, Precision.INT8].noise


def test_entropy_has_an_effect_with_many_bins_alone(model: Model, calibration: Calibration) -> None:
    encoder = COMPONENTS_OF_TINY["encoder"]
    rows = list(compare_component(encoder, model.encoder, calibration.samples("encoder")))
    assert [row.method for row in rows] == [method.name for method in METHODS]
    minmax, stock, entropy, _, percentile = rows
    assert (stock.changed, stock.snr_db) == (0.0, minmax.snr_db)
    assert entropy.changed > 0 and percentile.changed > 0
    assert minmax.snr_db > 20.0


def test_the_verb_writes_a_file_for_the_embedded_model(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "calibration.safetensors"
    words = ["calibrate", "--data", str(data), "--out", str(out), "--clips", "1"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--seconds", "0.5", "--json"])
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sha256"] == store.load(out).sha256
    assert told["samples"] == {"recovery": 1, "encoder": 1, "denoiser": 7, "decoder": 1}
    assert list(tmp_path.iterdir()) == [out]
