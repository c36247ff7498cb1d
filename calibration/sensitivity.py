"""What each linear layer costs in precision when it alone is stored as int8 or int4."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from ..core.bundle.schemes import Precision
from ..core.signal.rates import RATE_HZ
from ..core.signal.spectrum import compress, stft
from ..core.spec import Array, Arrays, Component
from ..families.checkpoints import Model
from ..runtimes import on_torch
from .capture import restorer_of
from .layers import Layer, quantizable
from .simulation import nearest, rounded, simulated, uniform
from .store import HOST, Calibration

TAUGHT = 42
"""Captured calls of a component that are used at most, evenly spaced in the calibration."""
CHAINED = 6
"""Clips on which what a component's error costs is measured, evenly spaced as well."""

N_FFT, HOP = 2048, 480
"""Of the spectra in which errors at the end are measured."""


@dataclass(frozen=True)
class Sensitivity:
    """One layer alone at one precision: `snr_db` of its component's output on captured inputs.

    `noise` is the error it leaves in the restored spectrum, as a share of that spectrum's power:
    the error of the component's output times what such an error costs at the end of the pipeline.
    """

    layer: str
    precision: Precision
    snr_db: float
    noise: float


def choices(model: Model) -> list[tuple[str, Precision]]:
    """Every layer with every precision of integers that it can have, in order."""
    return [
        (path, precision)
        for path, layer in quantizable(model).items()
        for precision in (Precision.INT8, Precision.INT4)
        if nearest(layer, precision) is precision
    ]


def measure(model: Model, calibration: Calibration) -> Iterator[Sensitivity]:
    """The cost of each of `choices`.

    Inputs are the captured ones (teacher forcing), so errors of other components play no role.
    """
    for component in model.components:
        inputs = calibration.spaced(component.name, TAUGHT)
        expected = _outputs(component, model, inputs)
        gain = _end_to_end_gain(component, model, calibration, inputs, expected)
        own = [choice for choice in choices(model) if choice[0].startswith(f"{component.name}.")]
        for path, precision in own:
            with _stored_as(quantizable(model)[path], precision):
                noise = _noise(expected, _outputs(component, model, inputs))
            snr_db = -10 * math.log10(max(noise, 1e-30))
            yield Sensitivity(path, precision, snr_db, noise * gain)


def _end_to_end_gain(
    component: Component,
    model: Model,
    calibration: Calibration,
    inputs: Sequence[Arrays],
    expected: Sequence[Array],
) -> float:
    """Noise in the restored spectrum over that in the output of the component, all at int4."""
    everywhere = uniform(model, Precision.INT4).items()
    layers = {path: p for path, p in everywhere if path.startswith(f"{component.name}.")}
    coarse = simulated(model, layers)
    own = _noise(expected, _outputs(component, coarse, inputs))
    waves = [arrays["wave"] for arrays in calibration.spaced(HOST, CHAINED)]
    return _noise(_restored(model, waves), _restored(coarse, waves)) / own


def _restored(model: Model, waves: Iterable[Array]) -> list[Array]:
    """Compressed spectra of what the model makes of the waves."""
    restorer = restorer_of(model)
    restored = (restorer(wave, RATE_HZ, keep_rate=True) for wave in waves)
    return [
        compress(stft(wave[: -(len(wave) % HOP) or None], N_FFT, HOP), 0.3) for wave in restored
    ]


def _outputs(component: Component, model: Model, inputs: Sequence[Arrays]) -> list[Array]:
    run = on_torch.runner(component, model.get_submodule(component.name))
    return [run(arrays)[component.outputs[0].name] for arrays in inputs]


def _noise(expected: Sequence[Array], got: Sequence[Array]) -> float:
    """Power of the error over power of what was expected, over all arrays together."""
    error = sum(float(np.sum((a - b) ** 2)) for a, b in zip(expected, got, strict=True))
    return error / sum(float(np.sum(a**2)) for a in expected)


@contextmanager
def _stored_as(layer: Layer, precision: Precision) -> Iterator[None]:
    kept = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.copy_(rounded(layer, precision))
    try:
        yield
    finally:
        with torch.no_grad():
            layer.weight.copy_(kept)
