"""Where a training runs: device, precision, processes, and steps that a CUDA graph holds."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from ..core.errors import UsageError

AUTO = "auto"
TRIALS = 3
"""Of each precision; the first ones only make room and kernels."""
Precision = Callable[[], AbstractContextManager[object]]
Computed = dict[str, Tensor]


def chosen(name: str) -> torch.device:
    """The device of a name, `auto` for the best one; raises `UsageError` where it is not there."""
    if name == AUTO:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        reason = str(error).splitlines()[0]
        raise UsageError(f"device '{name}' cannot be used here ({reason}); try cpu") from error
    return torch.device(name, local_rank()) if name == "cuda" else torch.device(name)


def described(device: torch.device, precision: str) -> str:
    """The device in words, for a log."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {precision}"
    return f"{processor()}, {torch.get_num_threads()} threads, {precision}"


def processor() -> str:
    """What the CPU calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def local_rank() -> int:
    """Number of this process on its machine, as torchrun tells it."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def local_count() -> int:
    """How many processes of this training run on this machine, as torchrun tells it."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


@contextmanager
def processes(device: torch.device) -> Iterator[None]:
    """The group of processes that torchrun started, if it did."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process among those that train together."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait() -> None:
    """Until every process has come so far."""
    if count() > 1:
        dist.barrier()


def share(gradients: Sequence[Tensor]) -> None:
    """Replace gradients by their means over all processes."""
    if count() == 1:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    parts = torch.split(flat / count(), [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def agreed(value: float, device: torch.device) -> float:
    """The first process's value, in all of them."""
    if count() == 1:
        return value
    told = torch.tensor([value], dtype=torch.float64, device=device)
    dist.broadcast(told, 0)
    return float(told)


def precision_of(device: torch.device, name: str) -> Precision:
    """A context for `bf16` autocast or `fp32`."""
    if name == "fp32":
        return nullcontext
    # A cache of cast weights would be filled while a graph is captured, and never again.
    return lambda: torch.autocast(device.type, torch.bfloat16, cache_enabled=device.type == "cpu")


def faster_precision(device: torch.device, compute: Callable[[Precision], object]) -> str:
    """`bf16` or `fp32`, whichever does a step sooner (on CPUs it differs); `bf16` on a GPU."""
    if device.type == "cuda":
        return "bf16"
    # In turn: other work on the machine comes and goes.
    names = ("bf16", "fp32") * TRIALS
    return min((_seconds(compute, precision_of(device, name)), name) for name in names)[1]


def _seconds(compute: Callable[[Precision], object], precision: Precision) -> float:
    # Of the processor, which other work on the machine lengthens less than those of the clock.
    began = time.process_time()
    compute(precision)
    return time.process_time() - began


class Captured:
    """A computation on fixed buffers, replayed as one CUDA graph: thousands of launches in one."""

    WARM_UPS = 3

    def __init__(self, compute: Callable[..., Computed], inputs: Sequence[Tensor]) -> None:
        self.buffers = [tensor.clone() for tensor in inputs]
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(self.WARM_UPS):
                compute(*self.buffers)
        torch.cuda.current_stream().wait_stream(aside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.computed = compute(*self.buffers)

    def __call__(self, *inputs: Tensor) -> Computed:
        """What the computation gives for other inputs, in the same tensors every time."""
        for buffer, tensor in zip(self.buffers, inputs, strict=True):
            buffer.copy_(tensor)
        self.graph.replay()
        return self.computed


class Feed:
    """The inputs of steps, those of the next one made beside the step that runs, on a GPU."""

    def __init__(self, draw: Callable[[int], tuple[Tensor, ...]], device: torch.device) -> None:
        self.draw = draw
        self.aside: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self.aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.ahead: dict[int, tuple[Tensor, ...]] = {}

    def take(self, step: int) -> tuple[Tensor, ...]:
        """The inputs of a step."""
        if self.aside is None:
            return self.draw(step)
        self.prepare(step)
        torch.cuda.current_stream().wait_stream(self.aside)
        inputs = self.ahead.pop(step)
        for tensor in inputs:
            tensor.record_stream(torch.cuda.current_stream())
        return inputs

    def prepare(self, step: int) -> None:
        """Begin with the inputs of a step that comes later."""
        if self.aside is not None and step not in self.ahead:
            with torch.cuda.stream(self.aside):
                self.ahead = {step: self.draw(step)}
