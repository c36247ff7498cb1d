"""Train a student into a folder that holds every part of a model, ready to be built."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch

from ..core.bundle.manifest import sha256_of
from ..core.bundle.weights import weights_file
from ..core.errors import UsageError
from ..core.memory import peak_bytes
from ..families.checkpoints import load_component, save_component
from ..families.hiresldm.components import NAMES
from ..families.hiresldm.model import Model, load
from ..families.hiresldm.networks.denoiser import Denoiser
from ..training import devices
from ..training.damage.chain import Chain
from ..training.discriminator import size_for
from ..training.loop import Schedule, State, Trainer
from ..training.polish import PolishStage
from ..training.run import chain_of, prepare_once
from ..training.stages import Stage
from .check import Check, check
from .consistency import ConsistencyStage
from .regressor import RegressorStage
from .shortcut import COMPONENT, ShortcutStage, TwoTimeDenoiser

FACTS = "distill.json"
BATCH, SECONDS = 16, 2.4
POLISH_BATCH, POLISHED = 8, ("denoiser", "decoder")
"""What a polish of a student trains; that of `hiresldm train polish` also trains recovery."""
CHECKED_STEPS = (1, 2)
TEACHER_STEPS = (1, 2, 16)


class Method(StrEnum):
    """How a student is made from a teacher."""

    CONSISTENCY = "consistency"
    SHORTCUT = "shortcut"
    REGRESSOR = "regressor"
    POLISH = "polish"


LEARNING_RATES = {
    Method.CONSISTENCY: 5e-4,
    Method.SHORTCUT: 5e-4,
    Method.REGRESSOR: 5e-4,
    Method.POLISH: 2e-4,
}


@dataclass(frozen=True)
class Job:
    """What `hiresldm distill` was asked to do."""

    method: Method
    teacher: Path
    data: Path | None
    """Folder of speech; None where the cache holds it prepared."""
    out: Path
    minutes: float
    learning_rate: float | None = None
    """None: the method's own, see `LEARNING_RATES`."""
    cache: Path | None = None
    """Folder of prepared speech; None: the teacher's, or one of the student's own."""
    seed: int = 0
    device: str = "cpu"
    discriminator: bool = False
    """Whether a polish learns against a discriminator."""

    @property
    def rate(self) -> float:
        """The learning rate asked for, or the method's own."""
        return LEARNING_RATES[self.method] if self.learning_rate is None else self.learning_rate


@dataclass(frozen=True)
class Outcome:
    """What came of a run; kept as `distill.json` in its folder."""

    method: str
    teacher: str
    teacher_sha256: str
    steps: int
    skipped: int
    minutes: float
    learning_rate: float
    discriminator: bool
    seed: int
    device: str
    peak_bytes: int | None
    """Peak memory of the process (of the device, where it is not the CPU); None on Windows."""
    student: list[Check]
    reference: list[Check]
    """The teacher on the same clips."""


def distill(job: Job, *, resume: bool, quiet: bool) -> Outcome:
    """Train a student; raises `UsageError` for a device, folder or discriminator out of place."""
    device = devices.chosen(job.device)
    if job.discriminator and job.method is not Method.POLISH:
        raise UsageError(f"--discriminator is for polish; {job.method} has none")
    _prepare(job, resume=resume)
    prepare_once(job.data, _cache(job))
    train, valid = (_chain(job, split, device) for split in ("train", "valid"))
    stage = _stage(job, load(job.teacher).to(device))
    schedule = Schedule(job.minutes, learning_rate=job.rate)
    trainer = Trainer(stage, train, job.out, schedule, valid=valid)
    if isinstance(stage, ConsistencyStage):
        stage.progress = lambda: trainer.state.trained_s / (60 * job.minutes)
    if resume:
        trainer.resume()
    return _finish(job, trainer.run(quiet=quiet), valid)


def _prepare(job: Job, *, resume: bool) -> None:
    """Give the student's folder the components that stay, and the teacher's damaged speech."""
    begun = any(job.out.glob("*/state.pt"))
    if begun != resume:
        raise UsageError(
            f"{job.out}: holds a run already; give --resume or another --out"
            if begun
            else f"{job.out}: nothing to resume"
        )
    origin = {"method": job.method, "teacher_sha256": _teacher_sha256(job)}
    if resume and not origin.items() <= json.loads((job.out / FACTS).read_text()).items():
        raise UsageError(f"{job.out}: holds a run of another method or teacher than {job.method}")
    if job.out.resolve() == job.teacher.resolve():
        raise UsageError(f"{job.out} is the teacher's own folder; name another --out")
    job.out.mkdir(parents=True, exist_ok=True)
    for component in NAMES:
        if component != "denoiser":
            shutil.copyfile(
                weights_file(job.teacher, component), job.out / f"{component}.safetensors"
            )
    _write_facts(origin, job.out)
    shared, own = job.teacher / "cache", job.out / "cache"
    if job.cache is None and shared.is_dir() and not own.exists():
        own.symlink_to(shared.resolve(), target_is_directory=True)


def _chain(job: Job, split: str, device: torch.device) -> Chain:
    return chain_of(job.data, split, _cache(job), device, seed=job.seed)


def _cache(job: Job) -> Path:
    return job.cache or job.out / "cache"


def _stage(job: Job, model: Model) -> Stage:
    if job.method is Method.POLISH:
        discriminator = size_for(devices.chosen(job.device)) if job.discriminator else None
        return PolishStage(
            model, batch=POLISH_BATCH, components=POLISHED, discriminator=discriminator
        )
    makers: dict[Method, Callable[..., Stage]] = {
        Method.CONSISTENCY: ConsistencyStage,
        Method.SHORTCUT: ShortcutStage,
        Method.REGRESSOR: RegressorStage,
    }
    return makers[job.method](model, batch=BATCH, seconds=SECONDS)


def _finish(job: Job, state: State, valid: Chain) -> Outcome:
    teacher = load(job.teacher)
    _write_student(job, teacher, state)
    outcome = Outcome(
        method=job.method,
        teacher=str(job.teacher),
        teacher_sha256=_teacher_sha256(job),
        steps=state.step,
        skipped=state.skipped,
        minutes=round(state.trained_s / 60, 2),
        learning_rate=job.rate,
        discriminator=job.discriminator,
        seed=job.seed,
        device=job.device,
        peak_bytes=_peak_bytes(job.device),
        student=check(load(job.out), valid, CHECKED_STEPS),
        reference=check(teacher, valid, TEACHER_STEPS),
    )
    _write_facts(asdict(outcome), job.out)
    return outcome


def _write_facts(facts: Mapping[str, Any], out: Path) -> None:
    partial = out / f"{FACTS}.partial"
    partial.write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(out / FACTS)


def _write_student(job: Job, model: Model, state: State) -> None:
    """The denoiser as it ships, in single precision, with its origin in the metadata."""
    path = job.out / "denoiser.safetensors"
    if job.method is Method.SHORTCUT:
        two_time = TwoTimeDenoiser(model.config)
        load_component(two_time, job.out / f"{COMPONENT}.safetensors")
        student = two_time.folded(model.config)
    else:
        student = Denoiser(model.config)
        load_component(student, path)
    facts: dict[str, Any] = {"method": job.method, "teacher_sha256": _teacher_sha256(job)}
    facts |= {"step": state.step, "minutes": f"{state.trained_s / 60:.1f}"}
    save_component(
        student, model.config, path, torch.float32, **{k: str(v) for k, v in facts.items()}
    )


def _teacher_sha256(job: Job) -> str:
    return sha256_of(weights_file(job.teacher, "denoiser"))


def _peak_bytes(device: str) -> int | None:
    if devices.chosen(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_bytes()
