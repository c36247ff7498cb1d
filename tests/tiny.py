"""The smallest model that has every component, for what would take long on a real one."""

from dataclasses import replace
from pathlib import Path

import torch

from hiresldm.families.checkpoints import save_component
from hiresldm.families.hiresldm.config import EDGE, Stack
from hiresldm.families.hiresldm.model import Model

# 32 wide and 256 inside: 4-bit weights have blocks of 32 inputs, and 8192 values at least.
TINY = replace(
    EDGE,
    name="tiny",
    recovery=Stack(32, 256, (1,)),
    recovery_bands=Stack(16, 32, (1,)),
    encoder_fine=Stack(32, 256, (1,)),
    encoder=Stack(32, 256, (1,)),
    denoiser=Stack(32, 256, (1,)),
    decoder=Stack(32, 256, (1,)),
)


def untrained(folder: Path, dtype: torch.dtype = torch.float16) -> Path:
    """The folder, with the same random weights of every component in it each time."""
    torch.manual_seed(0)
    for name, component in Model(TINY).named_children():
        save_component(component, TINY, folder / f"{name}.safetensors", dtype)
    return folder
