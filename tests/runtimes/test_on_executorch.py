"""ExecuTorch programs: what they hold, what they compute, and what they refuse."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from export_jobs import job_of
from tiny import TINY

from hiresldm.calibration.quantize import quantized
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.errors import ExportError, IntegrityError, ParityError, UsageError
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Artifact, ExportJob
from hiresldm.export.writers import to_executorch
from hiresldm.families.hiresldm.model import Model
from hiresldm.runtimes import on_executorch, on_torch

Written = tuple[ExportJob, Artifact]


@pytest.fixture(scope="module")
def tiny() -> Model:
    return Model(TINY).eval()


def _written(model: Model, name: str, precision: Precision, out: Path) -> Written:
    integers = quantized(name, model.get_submodule(name), precision, {})
    job = job_of(model, name, precision, out, integers)
    return job, to_executorch.export(job)


@pytest.fixture(scope="module")
def decoder(tiny: Model, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return _written(tiny, "decoder", Precision.INT8, tmp_path_factory.mktemp("decoder"))


@pytest.mark.parametrize("frames", [1, 64, 130])
def test_integers_are_near_pytorch_at_any_length(decoder: Written, tiny: Model, frames: int):
    job, artifact = decoder
    sample = job.component.sample(frames, seed=frames)
    (wanted,) = on_torch.runner(job.component, tiny.decoder)(sample).values()
    (got,) = on_executorch.load(artifact, job.out, threads=1)(sample).values()
    assert snr_db(wanted, got) > 30


def test_floats_are_pytorchs(tiny: Model, tmp_path: Path):
    job, artifact = _written(tiny, "encoder", Precision.FP32, tmp_path)
    sample = job.component.sample(40, seed=0)
    (wanted,) = on_torch.runner(job.component, tiny.encoder)(sample).values()
    (got,) = on_executorch.load(artifact, tmp_path, threads=2)(sample).values()
    assert snr_db(wanted, got) > 100


def test_a_file_tells_names_and_shapes_and_is_a_quarter_as_large(decoder: Written):
    job, artifact = decoder
    bins = 2 * TINY.front.bins
    shapes = on_executorch.shapes(artifact, job.out)
    assert shapes["restored"] == (1, None, bins) and shapes["latent"] == (1, None, 64)
    weights = sum(4 * value.numel() for value in job.module.parameters())
    assert (job.out / artifact.path).stat().st_size < 0.35 * weights


def test_a_weight_that_is_not_in_the_file_is_noticed(decoder: Written):
    job, artifact = decoder
    key, weight = next(iter(job.quantized.items()))
    flipped = weight.integers.copy()
    flipped.flat[7] ^= 1
    meant = dict(job.quantized) | {key: replace(weight, integers=flipped)}
    with pytest.raises(ParityError, match=key):
        to_executorch.check_integers(job.out / artifact.path, meant)


def test_what_it_cannot_hold_is_named(tiny: Model, decoder: Written, tmp_path: Path):
    job, _ = decoder
    with pytest.raises(UsageError, match="no precision 'int4'; there is fp32, int8"):
        to_executorch.export(replace(job, precision=Precision.INT4))
    with pytest.raises(ExportError, match="decoder: executorch has no gru"):
        to_executorch.export(replace(job, component=replace(job.component, operations=("gru",))))
    convolution = "blocks.blocks.0.depthwise.weight"
    weight = replace(next(iter(job.quantized.values())), integers=np.zeros((2, 1, 7), np.int8))
    with pytest.raises(ExportError, match=convolution):
        to_executorch.export(replace(job, quantized={convolution: weight}))


def test_inputs_that_do_not_fit_are_refused(decoder: Written, capfd: pytest.CaptureFixture[str]):
    job, artifact = decoder
    run = on_executorch.load(artifact, job.out, threads=1)
    with pytest.raises(UsageError, match=r"up to a shape of \(1, 1024, 64\), not \(1, 1025, 64\)"):
        run(job.component.sample(1025, seed=0))
    with pytest.raises(UsageError, match="latent"):
        run({"latent": np.zeros((1, 4, 3), np.float32)})
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_file_cut_short_is_refused(decoder: Written, tmp_path: Path, kept: float):
    job, artifact = decoder
    whole = (job.out / artifact.path).read_bytes()
    (tmp_path / artifact.path).write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(IntegrityError, match="cannot be opened by executorch"):
        on_executorch.load(artifact, tmp_path, threads=1)
