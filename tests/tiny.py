"""The smallest model that has every part, for what would take long on a real one."""

from dataclasses import replace

from hiresldm.reference.config import EDGE, Stack

# 32 wide, because 4-bit weights come in blocks of 32 inputs.
TINY = replace(
    EDGE,
    name="tiny",
    recovery=Stack(32, 64, (1,)),
    encoder_fine=Stack(32, 64, (1,)),
    encoder=Stack(32, 64, (1,)),
    denoiser=Stack(32, 64, (1,)),
    decoder=Stack(32, 64, (1,)),
)
