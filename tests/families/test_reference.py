"""The PyTorch model: its shapes at both sizes, its front end, its weights on disk."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny import TINY

from hiresldm.cli.main import main
from hiresldm.core.bundle.weights import weights_file
from hiresldm.core.errors import IntegrityError, UsageError
from hiresldm.families.checkpoints import load
from hiresldm.families.hiresldm import frontend
from hiresldm.families.hiresldm.components import NAMES as COMPONENTS
from hiresldm.families.hiresldm.components import components
from hiresldm.families.hiresldm.config import BASE, EDGE, REVISION, ModelConfig, Zone, named
from hiresldm.families.hiresldm.model import Model
from hiresldm.families.hiresldm.networks import torch_frontend
from hiresldm.families.hiresldm.networks.layers import dead_zone, gain, softplus
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE


def test_a_configuration_survives_json():
    assert ModelConfig.from_json(BASE.to_json()) == BASE == named("base")


def test_own_sizes_are_a_file_of_differences(tmp_path: Path):
    path = tmp_path / "own.json"
    path.write_text(
        '{"front": {"latent_channels": 32, "latent_hop": 1920}, "encoder": {"dim": 64},'
        ' "recovery_low": {"count": 28}, "recovery_high": {"count": 9}}'
    )
    own = named(str(path))
    assert (own.front.latent_channels, own.front.stride, own.encoder.dim) == (32, 4, 64)
    assert own.decoder == EDGE.decoder
    declared, model = components(own.host), Model(own).eval()
    for component in declared:
        inputs = [torch.from_numpy(x) for x in component.sample(frames=3, seed=0).values()]
        with torch.inference_mode():
            assert model.get_submodule(component.name)(*inputs).shape == component.shape_of(
                component.outputs[0], 3
            )
    for wrong, told in (
        ('{"latent_channels": 32}', "latent_channels"),
        ('{"recovery_high": {"count": 9}}', "make 961 bins, not 1025"),
        ('{"decoder_zone": {"least": 0}}', "least is 1e-6 to 1"),
    ):
        path.write_text(wrong)
        with pytest.raises(UsageError, match=told):
            named(str(path))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_gains_near_one_are_drawn_to_one_and_others_are_left(dtype: torch.dtype):
    gains = torch.tensor([0.0, 0.5, 0.99, 1.0, 1.01, 2.0, 1000.0], dtype=dtype)
    drawn = dead_zone(gains, 0.1)
    assert torch.all(torch.abs(drawn - 1) <= torch.abs(gains - 1)) and torch.all(drawn.diff() >= 0)
    assert torch.abs(drawn[2:5] - 1).max() < 2e-3
    assert torch.abs(drawn - gains)[[0, 5, 6]].max() < 0.01


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float16, 4e-3)])
def test_a_softplus_is_exact_where_it_is_small(dtype: torch.dtype, tolerance: float):
    """In fp16, where phones compute, 1 + a small number is 1, whose logarithm is nothing."""
    raw = torch.linspace(-9, 9, 1001).to(dtype)
    wanted = torch.nn.functional.softplus(raw.double())
    assert ((softplus(raw).double() - wanted).abs() / wanted).max() < tolerance


def test_weights_that_do_not_tell_their_zones_have_those_of_before():
    told = json.loads(EDGE.to_json())
    del told["recovery_zone"], told["decoder_zone"]
    read = ModelConfig.from_json(json.dumps(told))
    assert (read.recovery_zone, read.decoder_zone) == (Zone(0.01, 0.4), Zone(0.2, 0.0))


def test_weights_of_another_revision_are_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Revision 4 had other sizes too, which must not be what is complained of."""
    old = json.loads(TINY.to_json()) | {"revision": 4, "recovery_band_bins": 16}
    for component in COMPONENTS:
        path = tmp_path / f"{component}.safetensors"
        save_file({"mask.bias": torch.zeros(1)}, path, {"config": json.dumps(old)})
    with pytest.raises(SystemExit) as stopped:
        main(["build", str(tmp_path / "out"), "--weights", str(tmp_path)])
    assert stopped.value.code == IntegrityError.exit_code == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert f"revision 4 of the networks, and this version computes revision {REVISION}" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("config", "low", "high"), [(EDGE, 8e6, 20e6), (BASE, 60e6, 100e6)], ids=["edge", "base"]
)
def test_every_component_maps_its_declared_shapes(config: ModelConfig, low: float, high: float):
    model = Model(config).eval()
    assert low < sum(p.numel() for p in model.parameters()) < high
    for component in components(config.host):
        inputs = [torch.from_numpy(x) for x in component.sample(frames=3, seed=0).values()]
        with torch.inference_mode():
            output = model.get_submodule(component.name)(*inputs)
        assert output.shape == component.shape_of(component.outputs[0], 3)
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
    """Both networks start from "change nothing": a gain of .95, no turn."""
    torch.manual_seed(0)
    model = Model(EDGE).eval()
    spectrum = torch.randn(1, 8, 2 * EDGE.front.bins)
    with torch.inference_mode():
        recovered = model.recovery(spectrum)
        restored = model.decoder(torch.randn(1, 4, EDGE.front.latent_channels), recovered)
    assert (recovered - spectrum).norm() < 0.1 * spectrum.norm()
    assert (restored - spectrum).norm() < 0.3 * spectrum.norm()


def test_recovery_keeps_phases_and_makes_nothing_louder():
    torch.manual_seed(0)
    model = Model(TINY).eval()
    spectrum = torch.randn(1, 8, 2 * TINY.front.bins)
    with torch.inference_mode():
        recovered = model.recovery(spectrum)
        restored = model.decoder(torch.randn(1, 4, TINY.front.latent_channels), recovered)
    given, made, ended = (torch.complex(*x.chunk(2, -1)) for x in (spectrum, recovered, restored))
    assert (made.abs() < given.abs() * 1.001).all()
    assert max(float((x / given).angle().abs().max()) for x in (made, ended)) < 1e-3


def test_a_gain_reaches_one_and_stays_there():
    raw = torch.tensor([-20.0, 0.0, 3.0, 4.0, 20.0])
    assert torch.allclose(gain(raw), torch.tensor([0.0, 0.525, 1.0, 1.0, 1.0]), atol=1e-3)


def test_the_latent_has_unit_variance_by_construction():
    encoder = load(EMBEDDED_BUNDLE).encoder
    with torch.inference_mode():
        latent = encoder(torch.randn(2, 20, EDGE.front.mel_bands) * 5)
    assert float(latent.var(dim=-1, unbiased=False).mean()) == pytest.approx(1.0, abs=1e-2)


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path: Path):
    for component in COMPONENTS:
        data = weights_file(EMBEDDED_BUNDLE, component).read_bytes()
        (tmp_path / f"{component}.safetensors").write_bytes(
            data[:-10] if component == "encoder" else data
        )
    with pytest.raises(IntegrityError, match="encoder"):
        load(tmp_path)
