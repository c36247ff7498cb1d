"""The exportable parts: adding a part is adding an entry."""

from __future__ import annotations

from ...core.spec import Component, Dim, Precision, Tensor
from .config import ModelConfig

FRAMES = Dim("frames", low=1, high=8192, example=50)
"""Latent frames, 50 a second in `edge`; a spectrum has `stride` for each."""
FLOOR_DB = {Precision.FP32: 90.0, Precision.FP16: 45.0}


def components(config: ModelConfig) -> tuple[Component, ...]:
    """The parts of a model of these sizes, in the order in which audio passes them."""
    front = config.front
    latent_shape = (1, FRAMES, front.latent_channels)
    frames = (front.stride, FRAMES)
    spectrum_shape = (1, frames, 2 * front.bins)
    return (
        Component(
            "recovery",
            lambda model: model.recovery,
            (Tensor("spectrum", spectrum_shape),),
            (Tensor("recovered", spectrum_shape),),
            FLOOR_DB,
        ),
        Component(
            "encoder",
            lambda model: model.encoder,
            (Tensor("log_mel", (1, frames, front.mel_bands)),),
            (Tensor("latent", latent_shape),),
            FLOOR_DB,
        ),
        Component(
            "denoiser",
            lambda model: model.denoiser,
            (
                Tensor("noisy", latent_shape),
                Tensor("condition", latent_shape),
                Tensor("time", (1,)),
            ),
            (Tensor("clean", latent_shape),),
            FLOOR_DB,
        ),
        Component(
            "decoder",
            lambda model: model.decoder,
            (Tensor("latent", latent_shape), Tensor("recovered", spectrum_shape)),
            (Tensor("restored", spectrum_shape),),
            FLOOR_DB,
        ),
    )
