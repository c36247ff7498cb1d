"""Students: losses on a distribution whose answer is known, and runs on a folder of audio."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors import safe_open
from tiny import TINY, untrained
from torch import Tensor, nn

from hiresldm.cli.main import main
from hiresldm.core.errors import UsageError
from hiresldm.distill import run
from hiresldm.distill.consistency import pairs_of_times
from hiresldm.distill.losses import consistency_loss, diffused, shortcut_loss
from hiresldm.distill.run import Job, Method, distill
from hiresldm.distill.shortcut import OnGrid, TwoTimeDenoiser, jumps
from hiresldm.families.checkpoints import load
from hiresldm.families.hiresldm.model import Model
from hiresldm.training import loop
from hiresldm.training.data.prepared import prepare

SPREAD = 0.05
"""Of each of the two modes, which lie at the condition +- 1."""


class Toy(nn.Module):
    """A small network of two times."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1)
        )

    def forward(self, z: Tensor, condition: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """Clean latent (B, 1), of tensors (B, 1) and times (B,)."""
        x = torch.cat([z, condition, t[:, None], r[:, None]], dim=1)
        return condition + self.layers(x)


def toy_batch(size: int = 512) -> tuple[Tensor, Tensor, Tensor]:
    """Clean, condition, noise; every draw comes with its mirror image, or one mode may win."""
    condition = torch.randn(size // 2, 1)
    offset = torch.randn(size // 2, 1).sign() + SPREAD * torch.randn(size // 2, 1)
    noise = torch.randn(size // 2, 1)
    clean = torch.cat([condition + offset, condition - offset])
    return clean, torch.cat([condition, condition]), torch.cat([noise, -noise])


def fit(network: Toy, loss: Callable[[float], Tensor], steps: int) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    for step in range(steps):
        optimizer.zero_grad()
        loss(step / steps).backward()
        optimizer.step()
        schedule.step()


@pytest.fixture(scope="module")
def teacher() -> Toy:
    """A diffusion model of the two modes: it predicts their mean at t = 1."""
    torch.manual_seed(0)
    network = Toy()

    def loss(_: float) -> Tensor:
        clean, condition, noise = toy_batch()
        t = torch.rand(len(clean))
        return ((network(diffused(clean, noise, t), condition, t, t) - clean) ** 2).mean()

    fit(network, loss, 1200)
    return network


def one_step(network: Toy, end: float) -> tuple[float, float, float]:
    """Of one-step samples: share of the upper mode, mean distance to the next mode, spread."""
    torch.manual_seed(1)
    _, condition, noise = toy_batch(4000)
    one = torch.ones(len(noise))
    with torch.no_grad():
        drawn = network(noise, condition, one, one * end) - condition
    return (
        float((drawn > 0).float().mean()),
        float((drawn.abs() - 1).abs().mean()),
        float(drawn.std()),
    )


def student_of(teacher: Toy) -> Toy:
    student = Toy()
    student.load_state_dict(teacher.state_dict())
    return student


def test_one_step_of_the_teacher_is_a_regressor_and_gives_the_mean_of_both_modes(teacher: Toy):
    _, distance, spread = one_step(teacher, 1.0)
    assert spread < 0.2 and distance > 0.8


def test_the_consistency_student_draws_both_modes_in_one_step(teacher: Toy):
    torch.manual_seed(0)
    student, rng = student_of(teacher), np.random.default_rng(0)

    def loss(progress: float) -> Tensor:
        clean, condition, noise = toy_batch()
        times = pairs_of_times(len(clean), progress, rng)
        t, r = (torch.from_numpy(x).float() for x in times)
        return consistency_loss(lambda z, at: student(z, condition, at, at), clean, noise, t, r)

    fit(student, loss, 3000)
    upper, distance, spread = one_step(student, 1.0)
    assert 0.35 < upper < 0.65
    assert distance < 0.35
    assert spread > 0.8


def test_the_shortcut_student_draws_both_modes_in_one_step(teacher: Toy):
    torch.manual_seed(0)
    student, rng = student_of(teacher), np.random.default_rng(0)

    def loss(_: float) -> Tensor:
        clean, condition, noise = toy_batch()
        t, s, r = (torch.from_numpy(x).float() for x in jumps(256, rng))
        composed = shortcut_loss(
            lambda z, at, end: student(z, condition[:256], at, end),
            diffused(clean[:256], noise[:256], t),
            *(t, s, r),
        )
        at = torch.rand(256)
        noisy = diffused(clean[256:], noise[256:], at)
        predicted = student(noisy, condition[256:], at, at)
        return composed + ((predicted - clean[256:]) ** 2).mean()

    fit(student, loss, 2000)
    upper, distance, spread = one_step(student, 0.0)
    assert 0.35 < upper < 0.65
    assert distance < 0.35
    assert spread > 0.8


def test_the_shortcut_target_is_where_two_jumps_lead():
    """An exact solution of the path's equation is a fixed point of the loss."""
    std = 0.7

    def solution(z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """What a jump over N(0, std^2) must take as clean, from its closed-form path."""

        def width(x: Tensor) -> Tensor:
            angle = x * math.pi / 2
            return torch.sqrt((std * torch.cos(angle)) ** 2 + torch.sin(angle) ** 2)

        a, b = t * math.pi / 2, r * math.pi / 2
        arrived = z * (width(r) / width(t))[:, None]
        kept = z * (torch.sin(b) / torch.sin(a))[:, None]
        return (arrived - kept) * (torch.sin(a) / torch.sin(a - b))[:, None]

    rng = np.random.default_rng(0)
    t, s, r = (torch.from_numpy(x) for x in jumps(64, rng))
    z = torch.from_numpy(rng.standard_normal((64, 3)))
    assert float(shortcut_loss(solution, z, t, s, r)) < 1e-10
    assert float(shortcut_loss(lambda z, t, r: 0.9 * solution(z, t, r), z, t, s, r)) > 1e-4


def test_an_untrained_two_time_network_is_its_teacher_and_folds_to_jumps_that_end_at_zero():
    torch.manual_seed(0)
    model = Model(TINY)
    student = TwoTimeDenoiser(TINY)
    student.load_state_dict(model.denoiser.state_dict(), strict=False)
    noisy, condition = torch.randn(2, 3, 9, 64).unbind()
    t, r = torch.tensor([1.0, 0.7, 0.5]), torch.tensor([0.5, 0.2, 0.0])
    with torch.no_grad():
        assert torch.equal(student(noisy, condition, t, r), model.denoiser(noisy, condition, t))
        student.until_embed.weight.normal_(std=0.1)
        wanted = student(noisy, condition, t, 0 * r)
        assert torch.allclose(student.folded(TINY)(noisy, condition, t), wanted, atol=1e-5)
        on_grid = OnGrid(student, (1.0, 0.5))(noisy[:1], condition[:1], t[:1])
        assert torch.equal(on_grid, student(noisy[:1], condition[:1], t[:1], r[:1]))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "VALIDATED", 1)
    monkeypatch.setattr(run, "BATCH", 4)
    monkeypatch.setattr(run, "POLISH_BATCH", 2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, speech: np.ndarray) -> Path:
    """Speech enough for a training and a validation split, without any manifest."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(20):
        (folder / f"{number}").mkdir()
        wave = speech[4800 * number :][:72_000]
        soundfile.write(folder / f"{number}" / "x.wav", wave, 48_000)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """The run folder of an untrained tiny model."""
    folder = untrained(tmp_path_factory.mktemp("teacher"), torch.float32)
    for split in ("train", "valid"):
        prepare(data, split, folder / "cache" / split, speeds=(1.0,), variants=0)
    return folder


@pytest.mark.parametrize("method", list(Method))
def test_every_method_leaves_a_complete_model(method: Method, data: Path, tiny: Path, tmp_path):
    polish = ["polish", "--discriminator"]
    words = polish if method is Method.POLISH else ["--method", method]
    options = ["--teacher", tiny, "--data", data, "--out", tmp_path, "--minutes", "0.01"]
    with pytest.raises(SystemExit) as ended:
        main(["distill", *words, *map(str, options), "--quiet"])
    assert ended.value.code == 0
    student, teacher = load(tmp_path), load(tiny)
    trained = {"denoiser", "decoder"} if method is Method.POLISH else {"denoiser"}
    for name, component in student.named_children():
        same = all(
            map(torch.equal, component.parameters(), teacher.get_submodule(name).parameters())
        )
        assert same == (name not in trained)
    facts = json.loads((tmp_path / "distill.json").read_text())
    assert facts["steps"] > 0 and facts["skipped"] == 0 and facts["peak_bytes"] > 1e8
    assert [row["steps"] for row in facts["student"]] == [1, 2]
    with safe_open(tmp_path / "denoiser.safetensors", "pt") as file:
        about = file.metadata()
    assert about["method"] == method and about["teacher_sha256"] == facts["teacher_sha256"]
    if method is Method.REGRESSOR:
        noise = torch.randn(2, 1, 5, 64)
        one = torch.ones(1)
        first, second = (student.denoiser(x[None], noise[:1, 0], one) for x in noise[:, 0])
        assert torch.equal(first, second)


@pytest.mark.nightly(reason="two trainings")
def test_a_student_resumes_and_can_be_a_teacher_whose_damaged_speech_is_shared(
    data: Path, tiny: Path, tmp_path: Path
):
    job = Job(Method.CONSISTENCY, tiny, data, tmp_path / "a", minutes=0.005)
    first = distill(job, resume=False, quiet=True)
    with pytest.raises(UsageError, match="--resume"):
        distill(job, resume=False, quiet=True)
    second = distill(replace(job, minutes=0.04), resume=True, quiet=True)
    assert second.steps > first.steps
    with pytest.raises(UsageError, match="another method or teacher"):
        distill(replace(job, method=Method.POLISH), resume=True, quiet=True)
    again = Job(Method.REGRESSOR, tmp_path / "a", data, tmp_path / "b", minutes=0.005)
    assert distill(again, resume=False, quiet=True).steps > 0
    assert (tmp_path / "b" / "cache").samefile(tiny / "cache")


def test_without_a_cache_of_the_teacher_one_is_rendered(data: Path, tiny: Path, tmp_path: Path):
    bare = tmp_path / "bare"
    shutil.copytree(tiny, bare, ignore=shutil.ignore_patterns("cache"))
    job = Job(Method.REGRESSOR, bare, data, tmp_path / "out", minutes=0.005)
    assert distill(job, resume=False, quiet=True).steps > 0
    assert (tmp_path / "out" / "cache" / "train" / "index.json").is_file()


def test_what_cannot_be_done_is_said(data: Path, tiny: Path, tmp_path: Path):
    job = Job(Method.POLISH, tiny, data, tmp_path, minutes=0.01)
    with pytest.raises(UsageError, match="device 'abacus'"):
        distill(replace(job, device="abacus"), resume=False, quiet=True)
    with pytest.raises(UsageError, match="nothing to resume"):
        distill(job, resume=True, quiet=True)
    with pytest.raises(UsageError, match="regressor has none"):
        distill(replace(job, method=Method.REGRESSOR, discriminator=True), resume=False, quiet=True)
    with pytest.raises(UsageError, match="teacher's own folder"):
        distill(replace(job, out=tiny), resume=False, quiet=True)


@pytest.mark.parametrize("words", [[], ["polish", "--method", "shortcut"]])
def test_exactly_one_method_is_named(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["distill", *words, "--teacher", "w", "--data", "d", "--out", "o"])
    assert ended.value.code == 2
    assert "consistency, shortcut, regressor, polish" in capsys.readouterr().err
