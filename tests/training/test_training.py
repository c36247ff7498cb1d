"""Training on a bare folder of audio: it learns, resumes to the bit, and survives bad batches."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from tiny import TINY
from torch.utils.tensorboard import SummaryWriter

from hiresldm.cli.main import main
from hiresldm.core.errors import IntegrityError, UsageError
from hiresldm.families.hiresldm.model import Model
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE as EMBEDDED
from hiresldm.training import run
from hiresldm.training.damage.bank import Sounds
from hiresldm.training.damage.chain import Chain
from hiresldm.training.data.material import assemble
from hiresldm.training.data.prepared import prepare
from hiresldm.training.discriminator import DiscriminatorSize
from hiresldm.training.loop import Schedule, Trainer
from hiresldm.training.polish import PolishStage, full_band_first
from hiresldm.training.stages import Outcome, RecoveryStage

RATE_HZ = 48_000
DISCRIMINATOR = DiscriminatorSize((4, 4), ((512, 128),), 12_000)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, speech: np.ndarray) -> Path:
    """A folder of two files without any manifest."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("a", "b"):
        (folder / name).mkdir()
        soundfile.write(folder / name / "x.wav", speech[:144_000], RATE_HZ)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    prepare(data, "train", folder / "train", speeds=(1.0,), variants=1)
    return folder


@pytest.fixture(scope="module")
def sounds(data: Path) -> Sounds:
    return Sounds(assemble(data, "train"))


def trainer(sounds: Sounds, out: Path) -> Trainer:
    torch.manual_seed(0)
    stage = RecoveryStage(Model(TINY), batch=2, seconds=0.5)
    made = Trainer(stage, Chain(sounds), out, Schedule(minutes=60.0))
    made.own.mkdir(parents=True, exist_ok=True)
    made.state.precision = "fp32"
    return made


def steps(made: Trainer, count: int) -> None:
    with SummaryWriter(str(made.own / "log")) as log:
        for _ in range(count):
            made.step(log)


def test_a_resumed_run_takes_the_very_same_steps(sounds: Sounds, tmp_path: Path):
    straight = trainer(sounds, tmp_path / "straight")
    steps(straight, 6)
    first = trainer(sounds, tmp_path / "broken")
    steps(first, 3)
    first.save()
    second = trainer(sounds, tmp_path / "broken")
    second.state.precision = ""
    second.resume()
    steps(second, 3)
    assert (second.state.step, second.state.precision) == (6, "fp32")
    expected, got = straight.average.state_dict(), second.average.state_dict()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_all_stages_train_and_leave_weights_a_plot_and_a_log(data: Path, cache: Path, tmp_path):
    for stage in run.STAGES:
        job = run.Job(
            stage, data, tmp_path, TINY, 0.01, cache=cache, batch=2, command=f"{stage} it"
        )
        state = run.train(job, resume=False, quiet=True)
        assert state.step > 0
        assert state.skipped == 0
    components = {path.stem for path in tmp_path.glob("*.safetensors")}
    assert components == {"recovery", "encoder", "decoder", "denoiser"}
    runs = json.loads((tmp_path / "log.json").read_text())["runs"]
    assert [one["stage"] for one in runs] == list(run.STAGES)
    assert [one["command"] for one in runs] == [f"{stage} it" for stage in run.STAGES]
    assert runs[-1]["steps"] == state.step and runs[0]["data"]["speakers"] == 2
    with pytest.raises(UsageError, match="--resume"):
        run.train(job, resume=False, quiet=True)
    later = replace(job, minutes=0.03)
    assert run.train(later, resume=True, quiet=True).step > state.step
    runs = json.loads((tmp_path / "log.json").read_text())["runs"]
    assert [one["stage"] for one in runs] == list(run.STAGES)  # it told of itself only once


def test_validation_speech_is_heard_with_the_averaged_weights(sounds: Sounds, tmp_path: Path):
    made = trainer(sounds, tmp_path)
    made.valid = Chain(sounds, seed=1)
    steps(made, 2)
    weights = {name: value.clone() for name, value in made.module.state_dict().items()}
    for _ in range(2):
        made.save()
    first, second = made.state.valid
    assert first == second  # the same batches every time
    assert first[0] == 2 and np.isfinite(first[1])
    after = made.module.state_dict()
    assert all(torch.equal(weights[name], after[name]) for name in weights)
    made.average.module.load_state_dict({name: -value for name, value in weights.items()})
    made.save()
    assert made.state.valid[-1][1] != first[1]


def test_a_run_can_start_from_trained_components(data: Path, cache: Path, tmp_path: Path):
    first = run.Job("recovery", data, tmp_path / "first", TINY, 0.03, cache=cache, batch=2)
    run.train(first, resume=False, quiet=True)
    again = replace(first, out=tmp_path / "again", minutes=1e-6, init=first.out)
    run.train(again, resume=False, quiet=True)
    started, trained = (load_file(j.out / "recovery.safetensors") for j in (again, first))
    # One step of the warm-up has been taken from there.
    assert all(torch.allclose(started[name], trained[name], atol=1e-4) for name in trained)
    with pytest.raises(IntegrityError, match="do not fit"):
        run.train(replace(again, out=tmp_path / "other", init=EMBEDDED), resume=False, quiet=True)


def test_a_gradient_that_is_not_finite_moves_nothing_and_is_counted(sounds: Sounds, tmp_path: Path):
    made = trainer(sounds, tmp_path)
    before = {name: value.clone() for name, value in made.module.state_dict().items()}
    outcome = made.stage.outcome

    def bad(*inputs: torch.Tensor) -> Outcome:
        return Outcome.of({"bad": outcome(*inputs).objective * float("nan")})

    made.stage.outcome = bad  # type: ignore[method-assign]
    steps(made, 1)
    made.save()
    made.save()
    assert made.state.skipped == 1
    after = made.module.state_dict()
    assert all(torch.allclose(before[name], after[name], rtol=1e-6) for name in before)


def test_a_polish_moves_what_it_is_asked_to_and_its_discriminator(sounds: Sounds, tmp_path: Path):
    torch.manual_seed(0)
    model = Model(TINY)
    stage = PolishStage(
        model, batch=4, seconds=0.4, components=("denoiser", "decoder"), discriminator=DISCRIMINATOR
    )
    made = Trainer(stage, Chain(sounds), tmp_path, Schedule(minutes=60.0))
    made.own.mkdir(parents=True)
    made.state.precision = "fp32"
    before = {name: value.clone() for name, value in model.state_dict().items()}
    verdict = stage.discriminator.discriminators[0].verdict.weight.clone()
    steps(made, 2)
    moved = {
        n.split(".")[0] for n, v in model.state_dict().items() if not torch.equal(v, before[n])
    }
    assert moved == {"denoiser", "decoder"}
    assert not torch.equal(verdict, stage.discriminator.discriminators[0].verdict.weight)


def test_recovery_learns_from_all_crops_and_the_decoder_from_those_with_a_top(sounds: Sounds):
    """Two of a polish's six crops are decoded: those two that do not end below 15 kHz."""
    stage = PolishStage(Model(TINY), batch=6, seconds=0.4)
    chain = Chain(sounds)
    clean, damaged, bandwidth_hz, _, noise = stage.inputs(chain, 0)
    bandwidth_hz[:] = torch.tensor([8e3, 24e3, 8e3, 8e3, 16e3, 8e3])
    which = full_band_first(bandwidth_hz, chain.draw(0))[:2]
    assert set(which.tolist()) == {1, 4}

    def gradient_of(decoded: bool) -> torch.Tensor:
        """Of the losses at the damaged crops, one value for each of them."""
        heard = damaged.clone().requires_grad_()
        losses = stage.outcome(clean, heard, bandwidth_hz, which, noise).losses
        kept = [v for n, v in losses.items() if n.startswith("recovery_") != decoded]
        return torch.autograd.grad(torch.stack(kept).sum(), heard)[0].abs().amax(1) > 0

    assert gradient_of(decoded=False).all()
    assert gradient_of(decoded=True).nonzero().flatten().tolist() == [1, 4]


def test_what_a_discriminator_corrects_is_as_large_as_it_may_be(sounds: Sounds):
    """Its gradient at the restored spectrum is a share of that of the other losses."""
    torch.manual_seed(0)
    stages = [
        PolishStage(Model(TINY), batch=2, seconds=0.4, discriminator=discriminator)
        for discriminator in (None, DISCRIMINATOR)
    ]
    stages[1].model.load_state_dict(stages[0].model.state_dict())
    inputs = stages[0].inputs(Chain(sounds), 0)
    bias = []
    for stage in stages:
        stage.outcome(*inputs).objective.backward()
        bias.append(stage.model.decoder.head.bias.grad)
    change = float((bias[1] - bias[0]).norm() / bias[0].norm())
    assert 0.02 < change < 3.0


def test_two_processes_learn_as_one_with_twice_the_batch(cache: Path, tmp_path: Path):
    """Each draws its own half; they end where one ends that draws both."""
    script = (sys.executable, "-P", "-m", "torch.distributed.run", "--nproc-per-node", "2")
    worker = Path(__file__).with_name("two_processes.py")
    command = [*script, str(worker), str(cache), str(tmp_path)]
    # The script imports what the tests share.
    paths = os.pathsep.join([str(worker.parents[1]), os.environ.get("PYTHONPATH", "")])
    env = os.environ | {"PYTHONPATH": paths}
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=env)
    weights = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    alone = torch.load(tmp_path / "alone.pt", weights_only=True)
    for name, value in weights[0].items():
        assert torch.allclose(value, alone[name], atol=2e-5), name


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        main(["train", *arguments, "--quiet"])
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


def test_what_cannot_be_trained_is_told_in_a_sentence(data, cache, tmp_path, speech, capsys):
    out = ["--out", str(tmp_path / "run"), "--cache", str(cache), "--minutes", "0.01"]
    given = ["recovery", "--data", str(data), *out]
    assert "cannot be used here" in refused([*given, "--device", "nowhere"], capsys)
    assert "nothing to resume" in refused([*given, "--resume"], capsys)
    missing = refused(["denoiser", "--data", str(data), *out], capsys)
    assert "recovery.safetensors is missing" in missing
    (tmp_path / "other").mkdir()
    soundfile.write(tmp_path / "other" / "x.wav", speech[: 2 * RATE_HZ], RATE_HZ)
    other = refused(["recovery", "--data", str(tmp_path / "other"), *out], capsys)
    assert "was prepared from other data" in other
    short = ["--out", str(tmp_path / "short"), "--minutes", "0.01"]
    # Played slower, it has 1.4 s.
    soundfile.write(tmp_path / "other" / "x.wav", speech[: int(1.2 * RATE_HZ)], RATE_HZ)
    told = refused(["recovery", "--data", str(tmp_path / "other"), *short], capsys)
    assert "the longest clip has 1.4 s" in told
    (tmp_path / "file").write_text("")
    blocked = ["--out", str(tmp_path / "file" / "run"), "--cache", str(cache)]
    assert "cannot be written to" in refused(["recovery", "--data", str(data), *blocked], capsys)
