"""Fixtures: real clips, the command line, a model of tiny NumPy components."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest
import soundfile
from command_line import Clip, Outcome, Run

from hiresldm.cli.main import main
from hiresldm.core.quiet import refuse_telemetry
from hiresldm.core.restorer import Restorer
from hiresldm.core.spec import Array, Arrays
from hiresldm.families.hiresldm.host import Host

refuse_telemetry()  # for tests that import engines themselves
# Two processes run tests side by side: a thread each is what two cores have.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from hiresldm.families.hiresldm.model import Model

# How long an example takes says nothing here: the machine may be busy.
hypothesis.settings.register_profile("anywhere", deadline=None)
hypothesis.settings.load_profile("anywhere")

EXAMPLES = Path(__file__).parents[1] / "examples"
RATE_HZ = 48_000
MakeRestorer = Callable[..., Restorer]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `nightly` wait for HIRESLDM_NIGHTLY=1."""
    if os.environ.get("HIRESLDM_NIGHTLY") == "1":
        return
    for item in items:
        if mark := item.get_closest_marker("nightly"):
            reason = f"{mark.kwargs['reason']}; HIRESLDM_NIGHTLY=1 runs it"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def noisy_path() -> Path:
    """About 5 s of noisy speech, 48 kHz, mono."""
    return EXAMPLES / "noisy.wav"


@pytest.fixture(scope="session")
def speech() -> Array:
    """About 5 s of clean speech (N,) at 48 kHz."""
    wave, _ = soundfile.read(EXAMPLES / "clean.flac", dtype="float32")
    return np.asarray(wave, np.float32)


@pytest.fixture(scope="session")
def noisy(noisy_path: Path) -> Array:
    """The samples (N,) of `noisy_path`."""
    wave, _ = soundfile.read(noisy_path, dtype="float32")
    return np.asarray(wave, np.float32)


@pytest.fixture
def hiresldm(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `hiresldm` in this process, which imports an engine once for many commands."""

    def command(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as stop:
            main(list(map(str, arguments)))
        printed = capsys.readouterr()
        return Outcome(int(stop.value.code or 0), printed.out, printed.err)

    return command


@pytest.fixture
def run(hiresldm: Run) -> Run:
    """Runs `hiresldm restore` in this process."""
    return partial(hiresldm, "restore")


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """Writes a short tone in noise."""

    def write(
        name: str = "in.wav", *, frames: int = 24_000, rate_hz: int = RATE_HZ, channels: int = 1
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(0).standard_normal((frames, channels))
        tone = np.sin(2 * np.pi * 220 * np.arange(frames) / rate_hz)[:, None]
        soundfile.write(path, 0.1 * tone + 0.01 * noise, rate_hz)
        return path

    return write


@pytest.fixture(scope="session")
def embedded() -> Model:
    """The embedded model: one for all tests, so that a component is traced once."""
    from hiresldm.families.checkpoints import load
    from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

    return load(EMBEDDED_BUNDLE)


@pytest.fixture(scope="session")
def toy_restorer() -> MakeRestorer:
    """Makes a restorer whose components look one frame around and use the latent and the noise."""

    def make(*, leaving: str = "", **sizes: Any) -> Restorer:
        runners = {
            "recovery": lambda x: {"recovered": _smooth(x["spectrum"])},
            "encoder": _encoder,
            "denoiser": lambda x: {"clean": 0.5 * _smooth(x["noisy"]) + 0.5 * x["condition"]},
            "decoder": _decoder,
        }
        kept = {name: runner for name, runner in runners.items() if name != leaving}
        return Restorer(kept, Host().offering([1, 2], 2), **sizes)

    return make


def _smooth(x: Array) -> Array:
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    return (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / np.float32(4)


def _encoder(inputs: Arrays) -> dict[str, Array]:
    mel = inputs["log_mel"][..., :64]
    return {"latent": (mel[:, ::2] + mel[:, 1::2]) / np.float32(10)}


def _decoder(inputs: Arrays) -> dict[str, Array]:
    level = np.tanh(inputs["latent"].mean(-1, keepdims=True)).repeat(2, axis=1)
    return {"restored": inputs["recovered"] * (1 + np.float32(0.2) * level)}
