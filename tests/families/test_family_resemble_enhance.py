"""Resemble Enhance: the networks against the package's own, the host against its own inference."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import soundfile
import torch

from hiresldm.cli.main import main
from hiresldm.core.errors import IntegrityError, UsageError
from hiresldm.core.family import Options
from hiresldm.core.restorer import Restorer
from hiresldm.core.signal import noise
from hiresldm.core.signal.metrics import snr_db
from hiresldm.export.build.captured import voice
from hiresldm.families import find
from hiresldm.families.resemble_enhance import model as models
from hiresldm.families.resemble_enhance.config import TINY, named
from hiresldm.families.resemble_enhance.host import HOP, RATE_HZ, Host, schedule, waves
from hiresldm.runtimes import on_torch

needs_package = pytest.mark.skipif(
    not all(map(find_spec, ("resemble_enhance", "omegaconf"))),
    reason="needs: pip install 'hiresldm[families]'; pip install --no-deps resemble-enhance",
)
nightly = pytest.mark.nightly(reason="355 M weights take minutes")
FAMILY = "resemble-enhance"
STEPS, FRAMES = 4, 40
ROOT = 0.08737802538415282
"""What the package finds with `scipy.optimize.fsolve`."""


@pytest.fixture(scope="module", params=["tiny", pytest.param("full", marks=nightly)])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A model, and the package's modules with the same weights, weight norms and all."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        package = models.Package(named(request.param)).eval()
    return find(FAMILY).untrained(request.param), package


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What the package draws as noise, in turn: it takes no seed."""
    given: list[torch.Tensor] = []
    for name in ("randn", "randn_like"):
        monkeypatch.setattr(torch, name, lambda *_, **__: given.pop(0))
    return given


@needs_package
@torch.inference_mode()
def test_networks_compute_what_the_packages_own_modules_do(
    pair: tuple[Any, Any], draws: list[torch.Tensor]
) -> None:
    model, package = pair
    t, behind = 0.625, 10
    given = {component.name: component.sample(FRAMES, seed=1) for component in model.components}
    given["clean"] |= {"time": np.array([1 - t], np.float32), "waves": waves(t)}
    given["vocoder"]["features"][..., -behind:] = 0.0
    runners = on_torch.runners(model)
    ours = {name: next(iter(run(given[name]).values())) for name, run in runners.items()}
    x = {n: {k: torch.from_numpy(v) for k, v in arrays.items()} for n, arrays in given.items()}
    flow, autoencoder = package.lcfm["cfm"], package.lcfm["ae"]
    mask = package.denoiser["net"](x["denoiser"]["spectrum"])
    noisy, mel = x["clean"]["noisy"], x["clean"]["mel"]
    draws.append(x["vocoder"]["noise"])
    theirs = {
        "denoiser": torch.cat([mask[:, :1].sigmoid(), mask[:, 1:].tanh()], dim=1),
        "encoder": autoencoder.encoder(x["encoder"]["mel"]),
        "clean": noisy + (1 - t) * flow._to_v(ψt=noisy, x=mel, t=t),
        "decoder": autoencoder.decode(x["decoder"]["latent"]),
        "vocoder": package.vocoder(x["vocoder"]["features"][..., :-behind], npad=behind),
    }
    ours["vocoder"] = ours["vocoder"][:, : -behind * HOP]
    nearness = {name: snr_db(value.numpy(), ours[name]) for name, value in theirs.items()}
    assert min(nearness.values()) > 100, nearness


@pytest.fixture
def enhancer(pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The package's own `Enhancer`, with stand-ins for what it imports and inference does not use.

    Of torchaudio it does use the mel spectrogram: librosa's filters, torch's transform.
    """
    pytest.importorskip("librosa")
    transforms: Any = ModuleType("torchaudio.transforms")
    transforms.MelSpectrogram = Mels
    loop = SimpleNamespace(get_running_loop=lambda: None)
    stand_ins: dict[str, Any] = {
        "pandas": MagicMock(),
        "torchaudio": MagicMock(),
        "torchaudio.functional": MagicMock(),
        "torchaudio.transforms": transforms,
        "resemble_enhance.denoiser.inference": MagicMock(),
        "resemble_enhance.utils": MagicMock(),
        "resemble_enhance.utils.distributed": MagicMock(global_leader_only=lambda f: f),
        "resemble_enhance.utils.train_loop": SimpleNamespace(TrainLoop=loop),
    }
    before = set(sys.modules)
    for name, module in stand_ins.items():
        monkeypatch.setitem(sys.modules, name, module)
    try:
        yield _enhancer(pair[1])
    finally:
        for name in set(sys.modules) - before:
            if name.startswith("resemble_enhance"):
                del sys.modules[name]


def _enhancer(package: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = import_module("resemble_enhance.enhancer.enhancer")
        denoising = import_module("resemble_enhance.denoiser.denoiser")
    hp = own.HParams(lcfm_training_mode="cfm", lcfm_z_scale=6.0)
    enhancer = own.Enhancer.__new__(own.Enhancer)
    torch.nn.Module.__init__(enhancer)
    enhancer.hp, enhancer.mel_fn = hp, own.MelSpectrogram(hp)
    enhancer.lcfm = own.LCFM(package.lcfm["ae"], package.lcfm["cfm"], z_scale=6.0)
    enhancer.lcfm.set_mode_("cfm")
    enhancer.denoiser = denoising.Denoiser(hp)
    enhancer.denoiser.net = package.denoiser["net"]
    enhancer.vocoder, enhancer.normalizer = package.vocoder, package.normalizer
    enhancer.eval()
    enhancer.configurate_(nfe=STEPS, solver="midpoint", lambd=0.5, tau=0.5)
    # Its own mapping makes a float of an array, which NumPy refuses since 2.4.
    package.lcfm["cfm"].solver._time_mapping = lambda t: (ROOT**t - 1) / (ROOT - 1)
    return enhancer


class Mels(torch.nn.Module):
    """`torchaudio.transforms.MelSpectrogram` as the package calls it."""

    def __init__(self, rate_hz: int, *, n_fft: int, hop_length: int, n_mels: int, **_: Any) -> None:
        import librosa

        super().__init__()
        self.n_fft, self.hop = n_fft, hop_length
        self.filters = torch.from_numpy(librosa.filters.mel(sr=rate_hz, n_fft=n_fft, n_mels=n_mels))

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """Magnitudes (B, bands, T)."""
        window = torch.hann_window(self.n_fft)
        found = torch.stft(
            wave, self.n_fft, self.hop, window=window, pad_mode="constant", return_complex=True
        )
        return self.filters @ found.abs()


@needs_package
def test_a_chunk_is_what_the_packages_own_inference_makes_of_it(
    pair: tuple[Any, Any], enhancer: Any, draws: list[torch.Tensor]
) -> None:
    """Three pieces of the vocoder, and a denoiser whose last block is not full."""
    inference = import_module("resemble_enhance.inference").inference_chunk
    frames, first = 130, 1000
    wave = 0.3 * np.resize(voice(RATE_HZ), frames * HOP)
    for step, count, channels in ((0, frames + 1, 64), (1, frames + 11, 128)):
        drawn = noise.normals(7, step, first, count, channels)
        draws.append(torch.from_numpy(drawn.T[None].copy()))
    theirs = inference(enhancer, torch.from_numpy(wave), RATE_HZ, "cpu").numpy()
    run = on_torch.runners(pair[0])
    ours = pair[0].config.host.process(run, wave, first, Options(STEPS, 7))
    assert snr_db(theirs, ours) > 80


def test_times_are_the_packages_and_odd_numbers_of_evaluations_are_refused() -> None:
    t = (ROOT ** np.linspace(0, 1, 17) - 1) / (ROOT - 1)
    middles = (t[:-1] + t[1:]) / 2
    assert np.allclose(schedule(32)[::2], 1 - t[:-1], atol=1e-12)
    assert np.allclose(schedule(32)[1::2], 1 - middles, atol=1e-12)
    assert schedule(1) == (1.0,)
    with pytest.raises(UsageError, match="3 steps are not possible; accepted: 1 and even numbers"):
        Host().offering([1, 3], 3)


@needs_package
def test_the_seed_decides_the_noise_and_silence_stays_finite() -> None:
    model = find(FAMILY).untrained("tiny")
    restorer = Restorer(on_torch.runners(model), model.config.host.offering([1, 2], 2))
    wave = voice(RATE_HZ)[: RATE_HZ // 5]
    first, again, other = (restorer(wave, RATE_HZ, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and snr_db(first, other) < 40
    assert np.abs(restorer(np.zeros_like(wave), RATE_HZ, steps=1)).max() < 1e-7


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, Any]]:
    """A file as the package saves it, of small networks, and the weights in it."""
    monkeypatch.setattr(models, "FULL", TINY)
    state = models.Package(TINY).state_dict()
    state["normalizer.running_mean_unsafe"] = torch.tensor(0.5)
    state["normalizer.running_var_unsafe"] = torch.tensor(0.0625)
    state |= {"dummy": torch.zeros(1), "mel_fn.stft_magnitude_min": torch.zeros(1)}
    path = tmp_path / "run" / "ds" / "G" / "default" / "mp_rank_00_model_states.pt"
    path.parent.mkdir(parents=True)
    torch.save({"module": state, "global_steps": 7}, path)
    return path, state


@needs_package
def test_a_published_checkpoint_is_read_with_what_lies_beside_it(
    checkpoint: tuple[Path, dict[str, Any]],
) -> None:
    path, state = checkpoint
    told = "lcfm_training_mode: cfm\nlcfm_z_scale: 4\nunivnet_nc: 8\n"
    (path.parents[3] / "hparams.yaml").write_text(told)
    model = find(FAMILY).published(path)  # type: ignore[misc]
    host = model.config.host
    assert (host.mel_mean, host.mel_std, host.z_scale) == (0.5, pytest.approx(0.25), 4.0)
    key = "encoder.0.weight"
    assert torch.equal(model.state_dict()["encoder.layers.0.weight"], state[f"lcfm.ae.{key}"])


@needs_package
def test_a_checkpoint_that_does_not_fit_is_refused_by_name(
    checkpoint: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, state = checkpoint
    build = ["build", str(tmp_path / "out"), "--family", FAMILY, "--weights", str(path)]
    kept = {key: value for key, value in state.items() if key != "vocoder.conv_pre.bias"}
    torch.save({"module": kept}, path)
    assert "lacks vocoder.conv_pre.bias; 1 of " in _refused(build, 6, capsys)
    torch.save({"module": state, "optimizer": np.float64}, path)
    assert "cannot be read as plain weights" in _refused(build, 6, capsys)
    (path.parents[3] / "hparams.yaml").write_text("lcfm_training_mode: ae\n")
    assert "only models of the mode cfm" in _refused(build, 6, capsys)
    assert not (tmp_path / "out").exists()
    with pytest.raises(IntegrityError):
        find(FAMILY).published(tmp_path)  # type: ignore[misc]


def test_without_the_package_one_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "resemble_enhance", None)
    for name in [n for n in sys.modules if n.startswith("resemble_enhance.")]:
        monkeypatch.delitem(sys.modules, name)
    build = ["build", str(tmp_path / "out"), "--family", FAMILY, "--untrained"]
    assert "pip install --no-deps resemble-enhance" in _refused(build, 5, capsys)


def _refused(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == code
    return capsys.readouterr().err


@needs_package
def test_what_nothing_could_prove_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = ["build", str(tmp_path / "out"), "--family", FAMILY, "--untrained", "--size", "tiny"]
    told = _refused([*build, "--formats", "coreml", "--components", "vocoder"], 2, capsys)
    assert "coreml cannot hold vocoder" in told and "lacks matmul" in told


@needs_package
@pytest.mark.nightly(reason="a build of five components")
def test_a_bundle_is_built_proven_and_restores_at_its_own_rate(tmp_path: Path) -> None:
    bundle, out = tmp_path / "bundle", tmp_path / "out.wav"
    source = Path(__file__).parents[2] / "examples" / "noisy.wav"
    short = tmp_path / "in.wav"
    wave, rate_hz = soundfile.read(source, frames=24_000)
    soundfile.write(short, wave, rate_hz)
    made = ["--family", FAMILY, "--untrained", "--size", "tiny", "--precisions", "fp32,int8"]
    verbs = [
        ["build", bundle, *made, "--steps", "2,4", "--default-steps", "2", "-q"],
        ["selftest", bundle, "-q"],
        ["restore", short, out, "--bundle", bundle, "--steps", "4", "-q"],
    ]
    for verb in verbs:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in verb])
        assert not stop.value.code, verb
    assert soundfile.info(out).samplerate == RATE_HZ
    assert soundfile.info(out).duration == pytest.approx(0.5, abs=1e-4)
