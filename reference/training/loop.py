"""One loop for every stage: AdamW, EMA, bf16 where it pays, resumable to the step."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.tensorboard import SummaryWriter

from ..config import ModelConfig
from ..model import save_part
from .cache import PairCache
from .plot import plot_losses
from .stages import ADVERSARIAL, Losses, Stage

SAVE_EVERY_S = 120.0
LOG_EVERY = 20
VALIDATED = 8
"""Batches of validation speech whose loss is taken at every save."""
Precision = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: warm-up, flat, and a linear fall over the last `cooldown` share."""

    minutes: float
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    cooldown: float = 0.3
    ema: float = 0.999

    def rate(self, step: int, trained_s: float) -> float:
        """Learning rate at a step, `trained_s` seconds into the run."""
        left = 1.0 - trained_s / (60 * self.minutes)
        fall = min(1.0, max(0.02, left / self.cooldown))
        return self.learning_rate * min(1.0, (step + 1) / self.warmup_steps) * fall


@dataclass
class State:
    """Where a run stands; everything a resumed run needs beyond weights and optimizer."""

    step: int = 0
    trained_s: float = 0.0
    skipped: int = 0
    """Steps not taken because their loss or gradient was not finite."""
    history: list[tuple[int, float]] = field(default_factory=list)
    """Steps and their losses, but for the adversarial ones."""
    valid: list[tuple[int, float]] = field(default_factory=list)
    """The same on validation speech, with the averaged weights."""


class Trainer:
    """Trains a stage into a run folder; `run` may be called again after a stop."""

    def __init__(
        self,
        stage: Stage,
        cache: PairCache,
        out: Path,
        schedule: Schedule,
        *,
        valid: PairCache | None = None,
        seed: int = 0,
    ) -> None:
        """Weights go to `out`, the run's own state, logs and plot to a folder below it."""
        self.stage, self.cache, self.out, self.schedule = stage, cache, out, schedule
        self.valid = valid
        self.own = out / "-".join(stage.parts)
        self.seed = seed
        self.module = nn.ModuleDict({**stage.parts, **stage.helpers})
        self.average = AveragedModel(self.module, avg_fn=ramped_ema(schedule.ema))
        self.optimizers = optimizers(self.module, schedule.learning_rate)
        self.state = State()

    def run(self, *, quiet: bool = False) -> State:
        """Train until the minutes are used up, then write the averaged weights and a loss plot."""
        self.own.mkdir(parents=True, exist_ok=True)
        precision = faster_precision(lambda: self._total(np.random.default_rng(0)))
        columns = (TextColumn("step {task.fields[step]} loss {task.fields[loss]:.4f}"), BarColumn())
        log = SummaryWriter(str(self.own / "log"))
        with Progress(*columns, TimeRemainingColumn(), disable=quiet) as progress:
            bar = progress.add_task("", total=60 * self.schedule.minutes, step=0, loss=float("nan"))
            saved_s = self.state.trained_s
            while self.state.trained_s < 60 * self.schedule.minutes:
                loss = self.step(precision, log)
                progress.update(
                    bar, completed=self.state.trained_s, step=self.state.step, loss=loss
                )
                if self.state.trained_s - saved_s > SAVE_EVERY_S:
                    self.save()
                    saved_s = self.state.trained_s
        log.close()
        self.save()
        return self.state

    def step(self, precision: Precision, log: SummaryWriter) -> float:
        """One update from a batch that the seed and the step number decide; gives the loss."""
        began = time.monotonic()
        state = self.state
        for group in (group for one in self.optimizers for group in one.param_groups):
            group["lr"] = self.schedule.rate(state.step, state.trained_s)
        with precision():
            losses = self.stage.losses(self.cache, np.random.default_rng([self.seed, state.step]))
        total = torch.stack(list(losses.values())).sum()
        self.module.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        if torch.isfinite(norm) and torch.isfinite(total):
            for one in self.optimizers:
                one.step()
            self.average.update_parameters(self.module)
        else:
            state.skipped += 1
        state.step += 1
        state.trained_s += time.monotonic() - began
        if state.step % LOG_EVERY == 0:
            self._log(losses, log)
        return float(total.detach())

    def _total(self, rng: np.random.Generator) -> Tensor:
        return torch.stack(list(self.stage.losses(self.cache, rng).values())).sum()

    def _validated(self, valid: PairCache) -> float:
        """The loss of the averaged weights on the same batches every time."""
        own = {name: value.clone() for name, value in self.module.state_dict().items()}
        self.module.load_state_dict(self.average.module.state_dict())
        with torch.no_grad():
            rngs = [np.random.default_rng([self.seed, i]) for i in range(VALIDATED)]
            total = sum(_sum(self.stage.losses(valid, rng)) for rng in rngs)
        self.module.load_state_dict(own)
        return total / VALIDATED

    def _log(self, losses: Losses, log: SummaryWriter) -> None:
        for name, value in losses.items():
            log.add_scalar(name, float(value.detach()), self.state.step)
        self.state.history.append((self.state.step, _sum(losses)))

    def save(self) -> None:
        """Write weights (averaged), resumable state and the loss plot."""
        if self.valid is not None:
            self.state.valid.append((self.state.step, self._validated(self.valid)))
        config: ModelConfig = self.stage.config
        averaged = self.average.module.get_submodule("")
        for name in self.stage.parts:
            save_part(
                averaged.get_submodule(name),
                config,
                self.out / f"{name}.safetensors",
                torch.float32,
                step=str(self.state.step),
                minutes=f"{self.state.trained_s / 60:.1f}",
            )
        partial = self.own / "state.partial"
        torch.save(
            {
                "state": vars(self.state),
                "module": self.module.state_dict(),
                "average": self.average.state_dict(),
                "optimizers": [one.state_dict() for one in self.optimizers],
            },
            partial,
        )
        partial.rename(self.own / "state.pt")
        plot_losses(self.state.history, self.state.valid, self.own / "loss.png")

    def resume(self) -> None:
        """Continue from `state.pt` of the run folder."""
        saved = torch.load(self.own / "state.pt", weights_only=True)
        self.state = State(**saved["state"])
        self.module.load_state_dict(saved["module"])
        self.average.load_state_dict(saved["average"])
        for one, state in zip(self.optimizers, saved["optimizers"], strict=True):
            one.load_state_dict(state)


def optimizers(module: nn.Module, learning_rate: float) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices inside blocks, AdamW for the rest (Jordan 2024; Liu 2025 for the rate).

    Steps whose matrices have even singular values get further with every batch.
    """
    named = dict(module.named_parameters())
    inner = [name for name, value in named.items() if ".blocks." in name and value.ndim == 2]
    rest = [value for name, value in named.items() if name not in inner]
    adam = torch.optim.AdamW(rest, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    if not inner:
        return (adam,)
    matrices = [named[name] for name in inner]
    muon = torch.optim.Muon(
        matrices, lr=learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
    )
    return muon, adam


def _sum(losses: Losses) -> float:
    """How far the model is from what it learns, whatever its critic makes of it."""
    return sum(float(value.detach()) for name, value in losses.items() if name not in ADVERSARIAL)


def ramped_ema(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential moving average whose memory grows with the run, so that a start fades early."""

    def update(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        ramp = (1 + int(count)) / (10 + int(count))
        return average.lerp(current, 1 - min(decay, ramp))

    return update


def faster_precision(loss: Callable[[], Tensor]) -> Precision:
    """bf16 autocast or fp32, whichever does a step sooner on this machine (it differs by CPU)."""

    def bf16() -> AbstractContextManager[object]:
        return torch.autocast("cpu", torch.bfloat16)

    def seconds(precision: Precision) -> float:
        best = float("inf")
        for _ in range(3):
            began = time.monotonic()
            with precision():
                value = loss()
            value.backward()  # type: ignore[no-untyped-call]
            best = min(best, time.monotonic() - began)
        return best

    return bf16 if seconds(bf16) < seconds(nullcontext) else nullcontext
