"""Core ML packages written on this machine hold and compute what PyTorch does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from export_jobs import component_of, job_of
from tiny import TINY

from hiresldm.calibration.quantization import quantize
from hiresldm.calibration.quantize import quantized
from hiresldm.core.bundle.manifest import sha256_of
from hiresldm.core.bundle.quantized import Quantized, dequantize
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.errors import ParityError, UsageError
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Array, Artifact, Component
from hiresldm.export.writers import to_coreml
from hiresldm.export.writers.mlpackage import package as coreml_package
from hiresldm.export.writers.mlpackage import weights as coreml_weights
from hiresldm.export.writers.mlpackage.lint import lint
from hiresldm.families.checkpoints import load
from hiresldm.families.hiresldm.components import FIXED_LENGTHS
from hiresldm.families.hiresldm.model import Model
from hiresldm.runtimes import on_mil, on_torch
from hiresldm.runtimes.mil import program as mil
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

LENGTHS = (1, 33, 150)


@pytest.fixture(scope="module")
def model() -> Model:
    return load(EMBEDDED_BUNDLE)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coreml")


def sample(component: Component, frames: int) -> dict[str, Array]:
    inputs = component.sample(frames, seed=frames)
    return {**inputs, "time": np.array([0.37], np.float32)} if "time" in inputs else inputs


def integers(model: Model, name: str) -> dict[str, Quantized]:
    """4 bits where the inputs divide into blocks, 8 elsewhere; the first layer is left alone."""
    weights = {k: v.numpy() for k, v in model.get_submodule(name).state_dict().items()}
    linear = [k for k, v in weights.items() if v.ndim == 2 and k.endswith(".weight")][1:]
    return {k: quantize(weights[k], 8 if len(weights[k]) % 32 else 4) for k in linear}


def eight_bits(model: Model) -> dict[str, Quantized]:
    """The encoder's linear layers at 8 bits."""
    return quantized("encoder", model.encoder, Precision.W8A8, {})


def parity_db(model: Model, artifact: Artifact, out: Path, frames: int) -> float:
    """SNR of the package as executed against the component of `model`."""
    component = component_of(model, artifact.component)
    inputs = sample(component, frames)
    (wanted,) = on_torch.runner(component, model.get_submodule(component.name))(inputs).values()
    (got,) = on_mil.load(artifact, out, threads=1)(inputs).values()
    return snr_db(wanted, got)


@pytest.fixture(scope="module")
def encoder(model: Model, out: Path) -> Artifact:
    """With weights of 4 and 8 bits, one left alone."""
    return export_integers(model, "encoder", out)


def export_integers(model: Model, name: str, out: Path) -> Artifact:
    chosen = integers(model, name)
    return to_coreml.export(job_of(model, name, Precision.MIXED, out, quantized=chosen))


def with_integers(model: Model, name: str) -> Model:
    """The model with the numbers that the integers of one component stand for."""
    meant = Model(model.config).eval()
    chosen = {
        f"{name}.{key}": torch.from_numpy(dequantize(value))
        for key, value in integers(model, name).items()
    }
    meant.load_state_dict({**model.state_dict(), **chosen})
    return meant


# Tests of one component follow one another, so that it is traced once.
def test_integers_in_the_file_are_the_ones_given(model: Model, encoder: Artifact, out: Path):
    chosen = integers(model, "encoder")
    assert {value.bits for value in chosen.values()} == {4}
    read = to_coreml.read_integers(out / encoder.path)
    assert read.keys() == chosen.keys()
    assert all(np.array_equal(read[key], chosen[key].integers) for key in chosen)


def test_a_component_for_the_neural_engine_computes_what_its_integers_stand_for(
    model: Model, encoder: Artifact, out: Path
):
    assert encoder.enumerated_frames == FIXED_LENGTHS
    assert lint(out / encoder.path) == ()
    meant = with_integers(model, "encoder")
    for frames in encoder.enumerated_frames:
        assert parity_db(meant, encoder, out, frames) >= 45.0


def test_a_package_is_named_by_content_that_is_the_same_each_time(
    model: Model, encoder: Artifact, out: Path, tmp_path: Path
):
    again = export_integers(model, "encoder", tmp_path)
    assert again == encoder
    assert encoder.path == f"encoder.coreml.mixed.{encoder.sha256[:12]}.mlpackage"
    assert sha256_of(tmp_path / again.path) == encoder.sha256
    text = (out / encoder.path / "Data/com.apple.CoreML/model.mlmodel").read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in text  # no path of this machine


def test_a_weight_altered_on_its_way_to_the_disk_stops_the_export(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def save_altered(model: object, path: Path, facts: dict[str, str]) -> None:
        save(model, path, facts)
        file = path / "Data/com.apple.CoreML/weights/weight.bin"
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 0x40
        file.write_bytes(data)

    save = coreml_package.save
    monkeypatch.setattr(coreml_package, "save", save_altered)
    with pytest.raises(ParityError, match="the file holds other values than"):
        export_integers(model, "encoder", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_palettes_are_near_their_weights_and_decoded_alike_by_coremltools(model: Model, out: Path):
    artifact = to_coreml.export(job_of(model, "encoder", Precision.PAL4, out))
    assert parity_db(model, artifact, out, frames=64) >= 12.0
    constants = mil.load(out / artifact.path, "encoder").constants
    _, program = coreml_package.read(out / artifact.path)
    palettes = program.functions["main"].find_ops(op_type="constexpr_lut_to_dense")
    assert len(palettes) == len(coreml_weights.linears(program))
    for palette in palettes:
        np.testing.assert_array_equal(
            constants[palette.name], palette.materialized_val_inference().astype(np.float32)
        )


def test_w8a8_rounds_the_input_of_every_linear_layer_inside(model: Model, out: Path):
    calibration = [sample(component_of(model, "encoder"), frames) for frames in (20, 30)]
    artifact = to_coreml.export(
        job_of(model, "encoder", Precision.W8A8, out, eight_bits(model), calibration)
    )
    assert parity_db(model, artifact, out, frames=64) >= 30.0
    inputs = sample(component_of(model, "encoder"), 64)
    trace = on_mil.trace(artifact, out, inputs)
    kinds = [kind for _, kind, _ in trace]
    inside = kinds.count("linear") - 2  # the embedding and the head compute in float
    assert kinds.count("quantize") == kinds.count("dequantize") == inside > 0
    modules = dict(model.encoder.named_modules())
    assert all(name.replace("__", ".") in modules for name, kind, _ in trace if kind == "linear")


@pytest.mark.parametrize(
    ("precision", "more"),
    [
        (Precision.INT8, {}),
        (Precision.W8A8, {}),
        (Precision.FP16, {"quantized": {"head.weight": quantize(np.ones((2, 2), np.float32), 8)}}),
    ],
)
def test_a_job_that_does_not_fit_its_precision_is_refused(
    model: Model, tmp_path: Path, precision: Precision, more: dict[str, object]
):
    with pytest.raises(UsageError, match=f"coreml: {precision}"):
        to_coreml.export(job_of(model, "encoder", precision, tmp_path, **more))


def test_a_component_for_the_cpu_computes_what_its_integers_stand_for_at_any_length(
    model: Model, out: Path
):
    chosen = integers(model, "decoder")
    assert {value.bits for value in chosen.values()} == {4, 8}  # 1025 bins are no whole blocks
    artifact = export_integers(model, "decoder", out)
    assert artifact.enumerated_frames == ()
    meant = with_integers(model, "decoder")
    for frames in LENGTHS:
        assert parity_db(meant, artifact, out, frames) >= 45.0


def test_layers_without_a_bias_are_found_as_well(out: Path):
    untrained = Model(TINY).eval()  # its biases are zero, which coremltools drops
    artifact = export_integers(untrained, "recovery", out)
    held = to_coreml.read_integers(out / artifact.path)
    assert {"bands.head_low.weight", "bands.head_high.weight"} <= held.keys()
    assert parity_db(with_integers(untrained, "recovery"), artifact, out, frames=33) >= 45.0


@pytest.mark.parametrize("name", ["recovery", "denoiser"])
def test_fp32_is_pytorch_to_90_db_at_lengths_that_were_not_traced(
    model: Model, out: Path, name: str
):
    artifact = to_coreml.export(job_of(model, name, Precision.FP32, out))
    for frames in artifact.enumerated_frames or LENGTHS:
        assert parity_db(model, artifact, out, frames) >= 90.0


def test_fp16_is_45_db_half_the_size_and_takes_enumerated_lengths_alone(model: Model, out: Path):
    artifact = to_coreml.export(job_of(model, "denoiser", Precision.FP16, out))
    for frames in artifact.enumerated_frames:
        assert parity_db(model, artifact, out, frames) >= 45.0
    with pytest.raises(UsageError, match=r"noisy of shape \(1, 64, 64\) or"):
        parity_db(model, artifact, out, frames=65)
    size = sum(f.stat().st_size for f in (out / artifact.path).rglob("*") if f.is_file())
    assert size < 2.1 * sum(p.numel() for p in model.denoiser.parameters())
