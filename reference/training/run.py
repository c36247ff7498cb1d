"""Train one stage of a model into a run folder, with what earlier stages left there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import UsageError
from ...core.weights import weights_file
from ..config import ModelConfig
from ..model import load_part
from .cache import PairCache, open_or_render
from .loop import Schedule, State, Trainer
from .stages import AutoencoderStage, DecoderStage, DenoiserStage, RecoveryStage, Stage

STAGES = ("recovery", "autoencoder", "denoiser", "decoder")


@dataclass(frozen=True)
class Job:
    """What `hiresldm train` was asked to do."""

    stage: str
    data: Path
    out: Path
    config: ModelConfig
    minutes: float
    variants: int = 6
    seed: int = 0
    learning_rate: float = 1e-3
    init: Path | None = None
    """Folder of trained parts to start from instead of from random weights."""
    adversary: float = 1.0
    """Weight of the critic of the decoder stage."""


def train(job: Job, *, resume: bool, quiet: bool) -> State:
    """Run a stage; raises `UsageError` where an earlier stage or a state to resume is missing."""
    stage = _stage(job)
    if job.init is not None and not resume:
        for name, part in stage.parts.items():
            load_part(part, weights_file(job.init, name))
    cache = open_or_render(
        job.data, "train", job.out / "cache" / "train", variants=job.variants, seed=job.seed
    )
    schedule = Schedule(job.minutes, learning_rate=job.learning_rate)
    trainer = Trainer(stage, cache, job.out, schedule, valid=_valid(job), seed=job.seed)
    begun = (trainer.own / "state.pt").exists()
    if begun != resume:
        raise UsageError(
            f"{trainer.own}: holds a run already; give --resume or another --out"
            if begun
            else f"{trainer.own}: nothing to resume"
        )
    if resume:
        trainer.resume()
    return trainer.run(quiet=quiet)


def _valid(job: Job) -> PairCache | None:
    """Validation speech, where the data has any."""
    folder = job.out / "cache" / "valid"
    try:
        return open_or_render(job.data, "valid", folder, variants=1, seed=job.seed)
    except UsageError:
        return None


def _stage(job: Job) -> Stage:
    makers: dict[str, Callable[[], Stage]] = {
        "recovery": lambda: RecoveryStage(job.config),
        "autoencoder": lambda: AutoencoderStage(job.config, _earlier(job, "recovery")),
        "denoiser": lambda: DenoiserStage(
            job.config, _earlier(job, "recovery"), _earlier(job, "encoder")
        ),
        "decoder": lambda: DecoderStage(
            job.config, _earlier(job, "denoiser").parent, adversary=job.adversary
        ),
    }
    return makers[job.stage]()


def _earlier(job: Job, part: str) -> Path:
    path = job.out / f"{part}.safetensors"
    if not path.exists():
        raise UsageError(f"{path} is missing: train its stage into the same --out first")
    return path
