"""Train one stage of a model into a run folder, with what earlier stages left there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache as remembered
from functools import partial
from pathlib import Path

import torch

from ..core.bundle.weights import weights_file
from ..core.errors import IntegrityError, UsageError
from ..families.checkpoints import load_component
from ..families.hiresldm.components import NAMES
from ..families.hiresldm.config import ModelConfig
from ..families.hiresldm.model import Model
from . import devices, log
from .damage.bank import Sounds
from .damage.chain import FILLED, Chain, ShardedChain
from .data import prepared
from .discriminator import size_for
from .loop import Schedule, State, Trainer
from .polish import POLISHED, PolishStage
from .stages import AutoencoderStage, DenoiserStage, RecoveryStage, Stage, samples_of

STAGES = ("recovery", "autoencoder", "denoiser", "polish")
NEEDED = {
    "recovery": (),
    "autoencoder": ("recovery",),
    "denoiser": ("recovery", "encoder"),
    "polish": NAMES,
}
"""Components that a stage needs trained already."""
BATCHES = {"recovery": 24, "autoencoder": 24, "denoiser": 48, "polish": 24}


@dataclass(frozen=True)
class Job:
    """What `hiresldm train` was asked to do."""

    stage: str
    data: Path | None
    """Folder of speech; None where `cache` holds it prepared."""
    out: Path
    config: ModelConfig
    minutes: float
    seed: int = 0
    learning_rate: float = 1e-3
    init: Path | None = None
    """Folder of trained components to start from instead of from random weights."""
    cache: Path | None = None
    """Folder of prepared speech; None: one in `out`."""
    device: str = devices.AUTO
    batch: int | None = None
    """Crops of a step in each process; None: the stage's own."""
    discriminator: bool = True
    """Whether a polish learns against a discriminator."""
    components: tuple[str, ...] = POLISHED
    """What a polish trains."""
    command: str = ""

    @property
    def size(self) -> int:
        """Crops of a step in each process."""
        return self.batch or BATCHES[self.stage]


def train(job: Job, *, resume: bool, quiet: bool) -> State:
    """Run a stage; raises `UsageError` where data, device or an earlier stage is missing."""
    device = devices.chosen(job.device)
    with devices.processes(device):
        torch.manual_seed(job.seed)
        model = _model(job).to(device)
        prepare_once(job.data, _cache(job))
        stage = stage_of(job, model, device)
        chain = _chain(job, "train", device)
        _check_crops(stage, chain)
        schedule = Schedule(job.minutes, learning_rate=job.learning_rate)
        trainer = Trainer(stage, chain, job.out, schedule, valid=_valid(job, device))
        _check_begun(trainer.own, resume=resume)
        record = log.begun(job, stage, device, resumed=resume)
        trainer.on_save = lambda state: log.write(record, state, job.out)
        if resume:
            trainer.resume()
        return trainer.run(quiet=quiet)


def stage_of(job: Job, model: Model, device: torch.device) -> Stage:
    """The stage that a job is about, on a model's components."""
    discriminator = size_for(device) if job.discriminator else None
    makers: dict[str, Callable[[], Stage]] = {
        "recovery": lambda: RecoveryStage(model, batch=job.size),
        "autoencoder": lambda: AutoencoderStage(model, batch=job.size),
        "denoiser": lambda: DenoiserStage(model, batch=job.size),
        "polish": lambda: PolishStage(
            model, batch=job.size, components=job.components, discriminator=discriminator
        ),
    }
    return makers[job.stage]()


def prepare_once(data: Path | None, cache: Path) -> None:
    """Prepare the speech of a cache that holds none; the first process does, the others wait.

    Raises `UsageError` where `data` holds no speech to train on.
    """
    if devices.rank() == 0 and data and not prepared.folders(cache, "train"):
        prepared.fill(data, cache)
    devices.wait()


def chain_of(
    data: Path | None, split: str, cache: Path, device: torch.device, *, seed: int
) -> Chain:
    """Batches of this process from the prepared speech of a split.

    Raises `UsageError` where there is none, where it is of other data than `data`, and where
    there are fewer shards than processes.
    """
    folders = prepared.folders(cache, split)
    if not folders:
        raise UsageError(
            f"{data or cache}: no {split} speech; give --data, a folder of audio or of manifests"
        )
    prepared.check_origin(folders, data, split)
    # Files are held against their hashes once, however often a shard has its turn.
    opened = remembered(prepared.open_prepared)

    def sounds(folder: Path) -> Sounds:
        return Sounds(opened(folder), device)

    shards = [partial(sounds, folder) for folder in _dealt(folders)]
    return ShardedChain(shards, seed=seed, rank=devices.rank())


def _dealt(folders: Sequence[Path]) -> Sequence[Path]:
    """Those shards that fall to this process.

    Where all of them lie here, all processes deal them among themselves; where a machine has but
    some, as its own processes do. What is not divided is everyone's.
    """
    there_are = prepared.shards_of(folders[0])
    if there_are == 1:
        return folders
    everywhere = len(folders) == there_are
    if not everywhere and devices.count() == devices.local_count():
        raise UsageError(
            f"{folders[0].parent}: holds {len(folders)} of {there_are} shards; prepare the others"
        )
    place = devices.rank() if everywhere else devices.local_rank()
    count = devices.count() if everywhere else devices.local_count()
    if len(folders) < count:
        raise UsageError(
            f"{folders[0].parent}: {len(folders)} shards are too few for {count} processes; "
            "prepare the data with more --shards"
        )
    return folders[place::count]


def _chain(job: Job, split: str, device: torch.device) -> Chain:
    return chain_of(job.data, split, _cache(job), device, seed=job.seed)


def _cache(job: Job) -> Path:
    return job.cache or job.out / "cache"


def _valid(job: Job, device: torch.device) -> Chain | None:
    """Validation speech for the process that saves, where the data has any."""
    if devices.rank() or not prepared.folders(_cache(job), "valid"):
        return None
    return _chain(job, "valid", device)


def _model(job: Job) -> Model:
    """A model with the weights of earlier stages, of `init`, or random ones where these may be."""
    try:
        job.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{job.out}: cannot be written to: {error}") from error
    model = Model(job.config)
    for component in NAMES:
        if (path := _found(job, component)) is not None:
            load_component(model.get_submodule(component), path)
            own = job.out / f"{component}.safetensors"
            if devices.rank() == 0 and not own.exists():
                shutil.copyfile(path, own)
        elif component in NEEDED[job.stage]:
            raise UsageError(
                f"{job.out / component}.safetensors is missing: train its stage into this --out "
                "first, or name a folder of trained components as --init"
            )
    return model


def _found(job: Job, component: str) -> Path | None:
    own = job.out / f"{component}.safetensors"
    if own.exists():
        return own
    if job.init is None:
        return None
    with suppress(IntegrityError):
        return weights_file(job.init, component)
    return None


def _check_crops(stage: Stage, chain: Chain) -> None:
    seconds = samples_of(stage.seconds, stage.config) / stage.config.front.sample_rate_hz
    longest_s = float(chain.sounds.recorded.lengths.max()) / stage.config.front.sample_rate_hz
    if longest_s < FILLED * seconds:
        raise UsageError(
            f"the longest clip has {longest_s:.1f} s; crops of this stage have {seconds:.1f} s"
        )


def _check_begun(own: Path, *, resume: bool) -> None:
    if (own / "state.pt").exists() == resume:
        return
    raise UsageError(
        f"{own}: nothing to resume"
        if resume
        else f"{own}: holds a run already; give --resume or another --out"
    )
