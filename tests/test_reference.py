"""The PyTorch model: its shapes at both sizes, its front end, its weights on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hiresldm.core import frontend
from hiresldm.core.errors import IntegrityError
from hiresldm.core.weights import weights_file
from hiresldm.reference import frontend as torch_frontend
from hiresldm.reference.components import components
from hiresldm.reference.config import BASE, EDGE, ModelConfig, named
from hiresldm.reference.model import PARTS, Model, load
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE


def test_a_configuration_survives_json():
    assert ModelConfig.from_json(BASE.to_json()) == BASE == named("base")


@pytest.mark.parametrize(
    ("config", "low", "high"), [(EDGE, 8e6, 20e6), (BASE, 60e6, 100e6)], ids=["edge", "base"]
)
def test_every_part_maps_its_declared_shapes(config: ModelConfig, low: float, high: float):
    model = Model(config).eval()
    assert low < sum(p.numel() for p in model.parameters()) < high
    for component in components(config):
        inputs = [torch.from_numpy(x) for x in component.sample(frames=3, seed=0).values()]
        with torch.inference_mode():
            output = component.build(model)(*inputs)
        assert output.shape == component.outputs[0].concrete({"frames": 3})
        assert output.isfinite().all()


def test_torch_front_end_is_the_numpy_one(speech: np.ndarray):
    front, wave = EDGE.front, speech[:96_000]
    spectrum = frontend.stft(wave, front)
    on_torch = torch_frontend.stft(torch.from_numpy(wave)[None], front)
    # The power law magnifies rounding where a bin is nearly silent, hence the mean.
    assert np.abs(on_torch[0].numpy() - spectrum).mean() < 1e-5
    mel = torch_frontend.log_mel(torch.from_numpy(spectrum)[None], front)[0].numpy()
    assert np.abs(mel - frontend.log_mel(spectrum, front)).max() < 1e-4
    back = torch_frontend.istft(torch.from_numpy(spectrum)[None], front)[0].numpy()
    assert np.abs(back - wave).max() < 1e-5
    assert np.abs(frontend.istft(spectrum, front) - wave).max() < 1e-5


def test_an_untrained_model_leaves_the_spectrum_nearly_alone():
    """Both networks start from "change nothing": the mask is one, the turn is zero."""
    torch.manual_seed(0)
    model = Model(EDGE).eval()
    spectrum = torch.randn(1, 8, 2 * EDGE.front.bins)
    with torch.inference_mode():
        recovered = model.recovery(spectrum)
        restored = model.decoder(torch.randn(1, 4, EDGE.front.latent_channels), recovered)
    assert (recovered - spectrum).norm() < 0.1 * spectrum.norm()
    assert (restored - spectrum).norm() < 0.3 * spectrum.norm()


def test_the_latent_has_unit_variance_by_construction():
    encoder = load(EMBEDDED_BUNDLE).encoder
    with torch.inference_mode():
        latent = encoder(torch.randn(2, 20, EDGE.front.mel_bands) * 5)
    assert float(latent.var(dim=-1, unbiased=False).mean()) == pytest.approx(1.0, abs=1e-2)


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path: Path):
    for part in PARTS:
        data = weights_file(EMBEDDED_BUNDLE, part).read_bytes()
        (tmp_path / f"{part}.safetensors").write_bytes(data[:-10] if part == "encoder" else data)
    with pytest.raises(IntegrityError, match="encoder"):
        load(tmp_path)
