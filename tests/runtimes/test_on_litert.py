"""LiteRT files: what they compute and what they refuse; where its converter is installed."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from export_jobs import job_of
from tiny import TINY

from hiresldm.calibration.quantize import quantized
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.errors import ExportError, IntegrityError, UsageError
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Artifact, ExportJob
from hiresldm.export.writers import to_litert
from hiresldm.families.hiresldm.model import Model
from hiresldm.runtimes import on_litert, on_torch

MISSING = not all(map(find_spec, ("litert_torch", "ai_edge_litert")))
pytestmark = pytest.mark.skipif(MISSING, reason="needs: pip install 'hiresldm[litert-convert]'")
Written = tuple[ExportJob, Artifact]


@pytest.fixture(scope="module")
def tiny() -> Model:
    return Model(TINY).eval()


@pytest.fixture(scope="module", params=[Precision.FP32, Precision.INT8])
def denoiser(
    tiny: Model, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Written:
    """It has inputs of the same shape, which must not be taken for each other."""
    integers = quantized("denoiser", tiny.denoiser, request.param, {})
    job = job_of(tiny, "denoiser", request.param, tmp_path_factory.mktemp("litert"), integers)
    return job, to_litert.export(job)


@pytest.mark.parametrize("frames", to_litert.LENGTHS)
def test_every_length_is_near_pytorch(
    denoiser: Written, tiny: Model, frames: int, capfd: pytest.CaptureFixture[str]
):
    job, artifact = denoiser
    sample = job.component.sample(frames, seed=frames)
    (wanted,) = on_torch.runner(job.component, tiny.denoiser)(sample).values()
    (got,) = on_litert.load(artifact, job.out, threads=1)(sample).values()
    assert snr_db(wanted, got) > (100 if job.precision is Precision.FP32 else 25)
    assert capfd.readouterr().err == ""


def test_lengths_share_their_weights(denoiser: Written):
    job, artifact = denoiser
    weights = sum(4 * value.numel() for value in job.module.parameters())
    assert (job.out / artifact.path).stat().st_size < 2 * weights  # 4 without
    assert artifact.enumerated_frames == to_litert.LENGTHS
    assert on_litert.shapes(artifact, job.out)["noisy"] == (1, None, 64)


def test_what_does_not_fit_is_refused(denoiser: Written, tmp_path: Path):
    job, artifact = denoiser
    run = on_litert.load(artifact, job.out, threads=1)
    with pytest.raises(UsageError, match="denoiser takes 64, 128, 256, 384 frames"):
        run(job.component.sample(65, seed=0))
    with pytest.raises(UsageError, match="noisy"):
        run({"noisy": np.zeros((1, 64, 64), np.float32)})
    with pytest.raises(UsageError, match="no precision 'int4'; there is fp32, int8"):
        to_litert.export(replace(job, precision=Precision.INT4))
    with pytest.raises(ExportError, match="denoiser: litert has no gru"):
        to_litert.export(replace(job, component=replace(job.component, operations=("gru",))))
    whole = (job.out / artifact.path).read_bytes()
    (tmp_path / artifact.path).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(IntegrityError, match="cannot be opened by litert"):
        on_litert.load(artifact, tmp_path, threads=1)
