"""The mean of two runs' weights: `python -m hiresldm.benchmarks.experiments.mean A B OUT [SHARE]`.

Weights that were trained on from others lie in one basin with them, and points between may be
better than both ends (Wortsman 2022, WiSE-FT). OUT gets SHARE of B (0.5 unless given), and B's log.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch

from ...families.checkpoints import save_component
from ...families.hiresldm.components import NAMES
from ...families.hiresldm.model import load


def main(first: Path, second: Path, out: Path, share: float = 0.5) -> None:
    """Write four components and the log; raises `IntegrityError` where weights do not fit."""
    made, other = load(first), load(second)
    out.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        own, theirs = made.get_submodule(name), other.get_submodule(name)
        with torch.no_grad():
            for one, two in zip(own.parameters(), theirs.parameters(), strict=True):
                one.lerp_(two, share)
        save_component(own, other.config, out / f"{name}.safetensors", torch.float32)
    shutil.copyfile(second / "log.json", out / "log.json")


if __name__ == "__main__":
    a, b, made, *shares = sys.argv[1:]
    main(Path(a), Path(b), Path(made), *map(float, shares))
