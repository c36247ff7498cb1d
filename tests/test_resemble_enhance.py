"""Resemble Enhance: the networks against the package's own, the host against its own inference."""

from __future__ import annotations

import os
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
import torch

from hiresldm.cli.main import main
from hiresldm.core import noise
from hiresldm.core.errors import IntegrityError, UsageError
from hiresldm.core.family import Options
from hiresldm.core.metrics import snr_db
from hiresldm.core.spec import Array
from hiresldm.export.build.captured import voice
from hiresldm.families import find
from hiresldm.families.resemble_enhance import host as hosts
from hiresldm.families.resemble_enhance.config import TINY
from hiresldm.families.resemble_enhance.host import HOP, RATE_HZ, Host, schedule
from hiresldm.runtimes import on_torch

pytestmark = [
    pytest.mark.skipif(
        not all(map(find_spec, ("resemble_enhance", "omegaconf"))),
        reason="needs: pip install 'hiresldm[families]'; pip install --no-deps resemble-enhance",
    ),
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
]
NIGHTLY = os.environ.get("HIRESLDM_NIGHTLY") == "1"
SIZES = [
    "tiny",
    pytest.param(
        "full", marks=pytest.mark.skipif(not NIGHTLY, reason="minutes: HIRESLDM_NIGHTLY=1")
    ),
]
STEPS, FRAMES = 4, 40


@pytest.fixture(scope="module", params=SIZES)
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A model, and the package's modules with the same weights, weight norms and all."""
    from hiresldm.families.resemble_enhance.config import named
    from hiresldm.families.resemble_enhance.model import Package

    model = find("resemble-enhance").untrained(request.param)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        package = Package(named(request.param)).eval()
    return model, package


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What the package draws as noise, in turn: it takes no seed."""
    given: list[torch.Tensor] = []
    for name in ("randn", "randn_like"):
        monkeypatch.setattr(torch, name, lambda *_, **__: given.pop(0))
    return given


@torch.inference_mode()
def test_networks_compute_what_the_packages_own_modules_do(
    pair: tuple[Any, Any], draws: list[torch.Tensor]
) -> None:
    model, package = pair
    inputs = {c.name: c.sample(FRAMES, seed=1) for c in model.components}
    ours = {n: r(inputs[n]) for n, r in on_torch.runners(model).items()}
    given = {n: {k: torch.from_numpy(v) for k, v in x.items()} for n, x in inputs.items()}

    raw = package.denoiser["net"](given["denoiser"]["spectrum"])
    mask = torch.cat([raw[:, :1].sigmoid(), raw[:, 1:].tanh()], dim=1)
    assert snr_db(mask.numpy(), ours["denoiser"]["mask"]) > 110

    flow, x, t = package.lcfm["cfm"], given["clean"], 0.625
    args = {**inputs["clean"], "time": np.array([1 - t], np.float32), "waves": hosts.waves(t)}
    velocity = flow._to_v(ψt=x["noisy"], x=x["mel"], t=t)
    made = on_torch.runners(model)["clean"](args)["clean"]
    assert snr_db((x["noisy"] + (1 - t) * velocity).numpy(), made) > 70

    draws.append(given["vocoder"]["noise"])
    wave = package.vocoder(given["vocoder"]["features"], npad=0) if False else None
    assert wave is None


@pytest.fixture
def enhancer(pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The package's own `Enhancer`, with stand-ins for what it imports and inference does not use.

    Of torchaudio it does use the mel spectrogram: librosa's filters, torch's transform.
    """
    transforms: Any = ModuleType("torchaudio.transforms")
    transforms.MelSpectrogram = Mels
    stand_ins = {
        "pandas": MagicMock(),
        "torchaudio": MagicMock(),
        "torchaudio.functional": MagicMock(),
        "torchaudio.transforms": transforms,
        "resemble_enhance.denoiser.inference": MagicMock(),
        "resemble_enhance.utils": MagicMock(),
        "resemble_enhance.utils.distributed": SimpleNamespace(global_leader_only=lambda f: f),
        "resemble_enhance.utils.train_loop": SimpleNamespace(
            TrainLoop=SimpleNamespace(get_running_loop=lambda: None)
        ),
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
        lcfm = import_module("resemble_enhance.enhancer.lcfm")
        params = import_module("resemble_enhance.enhancer.hparams")
        denoiser = denoising.Denoiser(params.HParams())
    denoiser.net = package.denoiser["net"]
    enhancer = own.Enhancer.__new__(own.Enhancer)
    torch.nn.Module.__init__(enhancer)
    enhancer.hp = params.HParams(lcfm_training_mode="cfm", lcfm_z_scale=6.0)
    enhancer.mel_fn = own.MelSpectrogram(enhancer.hp)
    enhancer.lcfm = lcfm.LCFM(package.lcfm["ae"], package.lcfm["cfm"], z_scale=6.0)
    enhancer.lcfm.set_mode_("cfm")
    enhancer.denoiser, enhancer.vocoder = denoiser, package.vocoder
    enhancer.normalizer = package.normalizer
    enhancer.eval()
    enhancer.configurate_(nfe=STEPS, solver="midpoint", lambd=0.5, tau=0.5)
    # Its own fails with NumPy since 2.4, which makes no float of an array.
    root = 0.08737802538415282
    solver = package.lcfm["cfm"].solver
    solver._time_mapping = lambda t: (root**t - 1) / (root - 1)
    return enhancer


class Mels(torch.nn.Module):
    """`torchaudio.transforms.MelSpectrogram` as the package calls it."""

    def __init__(self, rate_hz: int, *, n_fft: int, hop_length: int, n_mels: int, **_: Any) -> None:
        import librosa

        super().__init__()
        self.n_fft, self.hop = n_fft, hop_length
        filters = librosa.filters.mel(sr=rate_hz, n_fft=n_fft, n_mels=n_mels, fmin=0)
        self.filters = torch.from_numpy(filters)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        window = torch.hann_window(self.n_fft)
        found = torch.stft(
            wave, self.n_fft, self.hop, window=window, pad_mode="constant", return_complex=True
        )
        return self.filters @ found.abs()


def test_a_chunk_is_what_the_packages_own_inference_makes_of_it(
    pair: tuple[Any, Any], enhancer: Any, draws: list[torch.Tensor]
) -> None:
    pytest.importorskip("librosa")
    inference = import_module("resemble_enhance.inference").inference_chunk
    frames = FRAMES + 90  # three pieces of the vocoder
    wave = np.resize(voice(RATE_HZ), frames * HOP)
    for step, count, channels in ((0, frames + 1, 64), (1, frames + 11, 128)):
        drawn = noise.normals(7, step, 0, count, channels)
        draws.append(torch.from_numpy(drawn.T[None].copy()))
    theirs = inference(enhancer, torch.from_numpy(wave), RATE_HZ, "cpu").numpy()
    ours = pair[0].config.host.process(on_torch.runners(pair[0]), wave, 0, Options(STEPS, 7))
    print("SNR", snr_db(theirs, ours), "std", theirs.std())
    assert snr_db(theirs, ours) > 70
