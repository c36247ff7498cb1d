"""Run by torchrun, see test_training: each process trains on its half, then the first on both."""

import sys
from pathlib import Path

import torch
from tiny import TINY
from torch.utils.tensorboard import SummaryWriter

from hiresldm.families.hiresldm.model import Model
from hiresldm.training import devices
from hiresldm.training.damage.bank import Sounds
from hiresldm.training.damage.chain import Chain
from hiresldm.training.data.prepared import open_prepared
from hiresldm.training.loop import Schedule, Trainer
from hiresldm.training.stages import Inputs, RecoveryStage

STEPS, BATCH = 3, 2


class Both(RecoveryStage):
    """Trains alone on what two processes draw."""

    chains: tuple[Chain, ...] = ()

    def inputs(self, chain: Chain, step: int) -> Inputs:
        """The components of both, one after the other."""
        halves = [super(Both, self).inputs(one, step) for one in self.chains]
        return tuple(torch.cat(pair) for pair in zip(*halves, strict=True))


def trained(stage: RecoveryStage, chain: Chain, out: Path) -> dict[str, torch.Tensor]:
    """Weights after a few steps from the same start."""
    made = Trainer(stage, chain, out, Schedule(minutes=60.0))
    made.own.mkdir(parents=True, exist_ok=True)
    made.state.precision = "fp32"
    with SummaryWriter(str(made.own)) as log:
        for _ in range(STEPS):
            made.step(log)
            made.state.trained_s = 0.0  # else the rate depends on how long a step took
    return dict(made.module.state_dict())


def main(cache: Path, out: Path) -> None:
    """Train together, then alone."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    start = Model(TINY).state_dict()
    device = torch.device("cpu")

    def model() -> Model:
        made = Model(TINY)
        made.load_state_dict(start)
        return made

    with devices.processes(device):
        sounds, rank = Sounds(open_prepared(cache / "train")), devices.rank()
        stage = RecoveryStage(model(), batch=BATCH, seconds=0.5)
        torch.save(trained(stage, Chain(sounds, rank=rank), out / str(rank)), out / f"{rank}.pt")
    if rank == 0:
        alone = Both(model(), batch=BATCH, seconds=0.5)
        alone.chains = (Chain(sounds, rank=0), Chain(sounds, rank=1))
        torch.save(trained(alone, alone.chains[0], out / "alone"), out / "alone.pt")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
