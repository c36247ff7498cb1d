"""Mixed-precision configs: what a file may say, and that exports hold the simulated layers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from hiresldm.calibration import mixed_precision
from hiresldm.calibration.layers import quantizable
from hiresldm.calibration.mixed_precision import PrecisionConfig
from hiresldm.calibration.quantize import quantized
from hiresldm.calibration.simulation import model_bytes, simulated, uniform
from hiresldm.core.bundle.quantized import dequantize
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.errors import IntegrityError, UsageError
from hiresldm.families.hiresldm.config import EDGE
from hiresldm.families.hiresldm.model import Model

LAYERS = {"decoder.head": Precision.INT4, "encoder.embed": Precision.FP16}


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return Model(EDGE).eval()


def test_a_mixed_precision_config_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    mixed_precision.save(PrecisionConfig("edge", LAYERS), tmp_path / "precision-config.json")
    assert mixed_precision.load(tmp_path / "precision-config.json") == PrecisionConfig(
        "edge", LAYERS
    )
    assert [path.name for path in tmp_path.iterdir()] == ["precision-config.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version 2"),
        ({"note": ""}, "unknown keys .'note'"),
        ({"layers": {"decoder.head": "int5"}}, "int5"),
        ({"layers": {"decoder.head": "w8a8"}}, "accepts fp16, int8, int4"),
        ({"layers": ["decoder.head"]}, "'layers' an object"),
        ({"model": None}, "'model' must be a name"),
    ],
)
def test_a_mixed_precision_config_that_is_not_understood_is_refused(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    path = tmp_path / "precision-config.json"
    good = {"version": 1, "model": "edge", "layers": {"decoder.head": "int8"}}
    path.write_text(json.dumps(good | change))
    with pytest.raises(IntegrityError, match=words):
        mixed_precision.load(path)


def test_a_mixed_precision_config_that_is_missing_or_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the mixed-precision config"):
        mixed_precision.load(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("decoder.head: int8")
    with pytest.raises(IntegrityError, match="not a mixed-precision config"):
        mixed_precision.load(tmp_path / "text.json")


def test_a_mixed_precision_config_must_name_every_layer_and_no_other() -> None:
    made = PrecisionConfig("edge", LAYERS)
    made.require(list(LAYERS))
    with pytest.raises(UsageError, match=r"says nothing of decoder\.tail"):
        made.require([*LAYERS, "decoder.tail"])
    with pytest.raises(UsageError, match=r"no linear layer encoder\.embed"):
        made.require(["decoder.head"])


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.INT4])
def test_a_simulated_layer_has_the_values_that_an_export_stores(
    model: Model, precision: Precision
) -> None:
    layers = uniform(model, precision)
    made = simulated(model, layers).state_dict()
    for component, module in model.named_children():
        uniformly = quantized(component, module, precision, {})
        assert uniformly.keys() == quantized(component, module, Precision.MIXED, layers).keys()
        for key, stored in uniformly.items():
            assert np.array_equal(made[f"{component}.{key}"].numpy(), dequantize(stored))


def test_layers_that_are_not_quantized_are_rounded_to_fp16(model: Model) -> None:
    made = simulated(model, {"decoder.head": Precision.INT8}).state_dict()
    for name, value in model.state_dict().items():
        if name != "decoder.head.weight":
            assert torch.equal(made[name], value.half().float())


def test_bytes_count_integers_and_their_scales(model: Model) -> None:
    head = quantizable(model)["decoder.head"].weight
    inputs, outputs = head.shape
    everywhere = 2 * sum(parameter.numel() for parameter in model.parameters())
    assert model_bytes(model, {}) == everywhere
    saved8 = everywhere - model_bytes(model, {"decoder.head": Precision.INT8})
    assert saved8 == head.numel() - 2 * outputs
    saved4 = everywhere - model_bytes(model, {"decoder.head": Precision.INT4})
    assert saved4 == 1.5 * head.numel() - 2 * outputs * inputs / 32
