"""One loop for every stage, on a CPU or a GPU, in one process or several; resumable to the step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from ..families.checkpoints import save_component
from . import devices
from .damage.chain import Chain
from .devices import Captured, Feed, Precision
from .optimizer import Average, Optimizer
from .plot import plot_losses
from .stages import Inputs, Losses, Stage

SAVE_EVERY_S = 300.0
LOG_EVERY = 25
VALIDATED = 4
"""Batches of validation speech whose loss is taken at every save."""
ADVERSARIAL = frozenset({"discriminator", "fooled", "features"})
"""Losses that move with a discriminator, so that they tell nothing of how far a training has
come."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: warm-up, flat, and a linear fall over the last `cooldown` share."""

    minutes: float
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    cooldown: float = 0.4
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
    """Steps whose gradient was not finite, and so counted as zero."""
    precision: str = ""
    """`bf16` or `fp32`, found when the run began."""
    curve: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    """Steps, and the mean of every loss since the one before."""
    valid: list[tuple[int, float]] = field(default_factory=list)
    """Steps, and the loss on validation speech with the averaged weights."""


class Trainer:
    """Trains a stage into a run folder; `run` may be called again after a stop."""

    def __init__(
        self,
        stage: Stage,
        chain: Chain,
        out: Path,
        schedule: Schedule,
        *,
        valid: Chain | None = None,
    ) -> None:
        """Weights go to `out`, the run's own state, logs and plot to a folder below it."""
        self.stage, self.schedule, self.out, self.valid = stage, schedule, out, valid
        self.own = out / "-".join(stage.components)
        self.device = chain.sounds.device
        self.module = nn.ModuleDict({**stage.components, **stage.helpers}).to(self.device)
        for parameter in self.module.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.average = Average(self.module, schedule.ema)
        self.optimizer = Optimizer(self.module, schedule.learning_rate)
        self.state = State()
        self.on_save: Callable[[State], None] = lambda state: None
        """What else is to be written at every save."""
        self._feed = Feed(lambda step: stage.inputs(chain, step), self.device)
        self._captured: Captured | None = None
        self._since: list[Losses] = []
        self._bad = torch.zeros((), device=self.device)
        """Steps since the last save whose gradient was not finite."""

    @property
    def precision(self) -> Precision:
        """The context in which the networks run."""
        return devices.precision_of(self.device, self.state.precision)

    def run(self, *, quiet: bool = False) -> State:
        """Train until the minutes are used up, then write the averaged weights and a loss plot."""
        self.own.mkdir(parents=True, exist_ok=True)
        self.state.precision = self.state.precision or self._faster_precision()
        total_s = 60 * self.schedule.minutes
        columns = (TextColumn("step {task.fields[step]} loss {task.fields[loss]:.4f}"), BarColumn())
        first = devices.rank() == 0
        with (
            SummaryWriter(str(self.own / "log")) if first else nullcontext() as log,
            Progress(*columns, TimeRemainingColumn(), disable=quiet or not first) as progress,
        ):
            bar = progress.add_task("", total=total_s, step=0, loss=math.nan)
            saved_s = self.state.trained_s
            while self.state.trained_s < total_s:
                self.step(log)
                loss = summed(self.state.curve[-1][1]) if self.state.curve else math.nan
                step, done_s = self.state.step, self.state.trained_s
                progress.update(bar, completed=done_s, step=step, loss=loss)
                if self.state.trained_s - saved_s > SAVE_EVERY_S:
                    self.save()
                    saved_s = self.state.trained_s
        self.save()
        return self.state

    def step(self, log: SummaryWriter | None) -> None:
        """One update from inputs that the seed and the step number decide; None logs no scalars."""
        began, state = time.monotonic(), self.state
        losses = self._computed(self._feed.take(state.step))
        self._feed.prepare(state.step + 1)
        devices.share([p.grad for p in self.module.parameters() if p.grad is not None])
        finite = self.optimizer.step(self.schedule.rate(state.step, state.trained_s))
        self.average.update_parameters(self.module)
        self._bad += ~finite
        state.step += 1
        taken_s = time.monotonic() - began
        state.trained_s = devices.agreed(state.trained_s + taken_s, self.device)
        self._log(losses, log)

    def _computed(self, inputs: Inputs) -> Losses:
        """Losses of the inputs; their gradients are where the optimizer finds them."""
        if self.device.type != "cuda":
            return self._compute(*inputs)
        if self._captured is None:
            self._captured = Captured(self._compute, inputs)
        return {name: value.clone() for name, value in self._captured(*inputs).items()}

    def _compute(self, *inputs: Tensor) -> Losses:
        self.module.zero_grad(set_to_none=False)
        with self.precision():
            outcome = self.stage.outcome(*inputs)
        outcome.objective.backward()  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in outcome.losses.items()}

    def _faster_precision(self) -> str:
        inputs = self._feed.take(0)

        def compute(precision: Precision) -> None:
            with precision():
                outcome = self.stage.outcome(*inputs)
            outcome.objective.backward()  # type: ignore[no-untyped-call]

        return devices.faster_precision(self.device, compute)

    def _validated(self, valid: Chain) -> float:
        """The loss of the averaged weights on the same batches every time."""
        own = {name: value.clone() for name, value in self.module.state_dict().items()}
        self.module.load_state_dict(self.average.module.state_dict())
        total = 0.0
        for step in range(0, 2 * VALIDATED, 2):  # every other batch is made of earlier ones
            inputs = self.stage.inputs(valid, step)
            # A discriminator's corrections come of gradients; nothing else needs any here.
            with self.precision(), torch.set_grad_enabled(bool(self.stage.helpers)):
                losses = self.stage.outcome(*inputs).losses
            total += summed({name: float(value.detach()) for name, value in losses.items()})
        self.module.load_state_dict(own)
        return total / VALIDATED

    def _log(self, losses: Losses, log: SummaryWriter | None) -> None:
        self._since.append(losses)
        if self.state.step % LOG_EVERY:
            return
        names = self._since[0]
        means = {n: float(torch.stack([one[n] for one in self._since]).mean()) for n in names}
        self._since.clear()
        if log:
            for name, value in means.items():
                log.add_scalar(name, value, self.state.step)
        self.state.curve.append((self.state.step, means))

    def save(self) -> None:
        """Write weights (averaged), resumable state and the loss plot; the first process does."""
        if devices.rank():
            return
        if self.valid is not None:
            self.state.valid.append((self.state.step, self._validated(self.valid)))
        self.state.skipped += int(self._bad)
        self._bad.zero_()
        facts = {"step": str(self.state.step), "minutes": f"{self.state.trained_s / 60:.1f}"}
        averaged = self.average.module.get_submodule("")
        for name in self.stage.components:
            component, path = averaged.get_submodule(name), self.out / f"{name}.safetensors"
            save_component(component, self.stage.config, path, torch.float32, **facts)
        partial = self.own / "state.partial"
        torch.save(self._saved(), partial)
        partial.rename(self.own / "state.pt")
        curve = [(step, summed(losses)) for step, losses in self.state.curve]
        plot_losses(curve, self.state.valid, self.own / "loss.png")
        self.on_save(self.state)

    def _saved(self) -> dict[str, Any]:
        return {
            "state": vars(self.state),
            "module": self.module.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [one.state_dict() for one in self.optimizer.all],
        }

    def resume(self) -> None:
        """Continue from `state.pt` of the run folder."""
        saved = torch.load(self.own / "state.pt", weights_only=True, map_location=self.device)
        self.state = State(**saved["state"])
        self.module.load_state_dict(saved["module"])
        self.average.load_state_dict(saved["average"])
        for one, state in zip(self.optimizer.all, saved["optimizers"], strict=True):
            one.load_state_dict(state)


def summed(losses: dict[str, float]) -> float:
    """How far a model is from what it learns, whatever its discriminator makes of it."""
    return sum(value for name, value in losses.items() if name not in ADVERSARIAL)
