"""The gate itself is on trial: everything broken must FAIL, and a mere fp16 cast must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hiresldm.core.spec import Array, Arrays, Runner
from hiresldm.families.hiresldm import frontend
from hiresldm.parity.candidates import Candidate
from hiresldm.parity.components import ODD
from hiresldm.parity.gate import Gate
from hiresldm.parity.rows import Status
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

Mutant = Callable[[Array], Array]
LOSSY = ("fp16", "int8", "int4")


def _with_one(value: float) -> Mutant:
    def mutant(x: Array) -> Array:
        made = x.copy()
        made.reshape(-1)[x.size // 2] = value
        return made

    return mutant


def _spiked(x: Array) -> Array:
    return _with_one(10 * float(np.abs(x).max()) + 1)(x)


def _cast(x: Array) -> Array:
    return x.astype(np.float16).astype(np.float32)


def _above_8_khz_gone(spectrum: Array) -> Array:
    made = spectrum.copy()
    made[..., 342:1025] = made[..., 1025 + 342 :] = 0
    return made


def _low_passed(wave: Array) -> Array:
    spectrum = np.fft.rfft(wave)
    spectrum[len(spectrum) // 3 :] = 0
    return np.fft.irfft(spectrum, len(wave)).astype(np.float32)


def _two_channels_swapped(x: Array) -> Array:
    order = np.arange(x.shape[-1])
    order[[10, 11]] = 11, 10
    return np.ascontiguousarray(x[..., order])


ANYWHERE: dict[str, Mutant] = {
    "nan": _with_one(np.nan),
    "inf": _with_one(np.inf),
    "zeros": np.zeros_like,
    "half": lambda x: x * np.float32(0.5),
    "double": lambda x: x * np.float32(2),
    "sign": np.negative,
    "spike": _spiked,
}
IN_COMPONENTS = ANYWHERE | {
    "shift": lambda x: np.roll(x, 1, axis=1),
    "swapped channels": _two_channels_swapped,
    "shape": lambda x: x[:, 1:],
}
IN_WAVES = ANYWHERE | {"shift": lambda x: np.roll(x, 1), "band limit": _low_passed}


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate.open(EMBEDDED_BUNDLE)


@pytest.fixture(scope="module")
def restored(gate: Gate) -> dict[str, Array]:
    return gate.audio.expected((), every=False)


@pytest.mark.parametrize("precision", ["fp32", *LOSSY])
@pytest.mark.parametrize("mutant", IN_COMPONENTS)
def test_a_broken_component_fails(gate: Gate, mutant: str, precision: str) -> None:
    assert _evaluated(gate, "denoiser", IN_COMPONENTS[mutant], precision) is Status.FAIL


@pytest.mark.parametrize("precision", ["fp32", *LOSSY])
def test_a_band_limited_spectrum_fails(gate: Gate, precision: str) -> None:
    assert _evaluated(gate, "decoder", _above_8_khz_gone, precision) is Status.FAIL


def test_a_component_that_stops_fails(gate: Gate) -> None:
    def stopped(x: Array) -> Array:
        raise RuntimeError("out of memory")

    assert _evaluated(gate, "encoder", stopped, "int4") is Status.FAIL


@pytest.mark.parametrize("component", ["recovery", "encoder", "denoiser", "decoder"])
def test_an_fp16_cast_passes_as_fp16(gate: Gate, component: str) -> None:
    assert _evaluated(gate, component, _cast, "fp16") is Status.PASS
    assert _evaluated(gate, component, _cast, "fp32") is Status.FAIL


@pytest.mark.parametrize("mutant", IN_WAVES)
def test_a_broken_wave_fails(gate: Gate, restored: dict[str, Array], mutant: str) -> None:
    made = {kind: IN_WAVES[mutant](wave) for kind, wave in restored.items()}
    rows = gate.audio.compared(_candidate(gate, "fp32"), restored, made)
    assert Status.FAIL in {row.status for row in rows}


@pytest.mark.parametrize("mutant", ["nan", "inf", "zeros", "half", "spike", "band limit"])
def test_ears_hear_a_broken_wave(gate: Gate, restored: dict[str, Array], mutant: str) -> None:
    made = {kind: IN_WAVES[mutant](wave) for kind, wave in restored.items()}
    rows = list(gate.audio.compared(_candidate(gate, "int8"), restored, made))
    assert Status.FAIL in {row.status for row in rows}
    same = list(gate.audio.compared(_candidate(gate, "int8"), restored, restored))
    assert {row.status for row in same} == {Status.PASS}


def test_a_wrong_window_fails(
    gate: Gate, restored: dict[str, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    def symmetric(length: int) -> Array:
        return np.hanning(length).astype(np.float32)

    monkeypatch.setattr(frontend, "hann", symmetric)
    (row,) = gate.audio.rows(_candidate(gate, "fp32"))
    assert row.status is Status.FAIL


def _candidate(gate: Gate, precision: str) -> Candidate:
    return Candidate("onnx", precision, "torch", (), gate.reference)


def _evaluated(gate: Gate, component: str, mutant: Mutant, precision: str) -> Status:
    """The verdict on the reference itself, its output altered."""
    name = gate.components[component].outputs[0].name

    def altered(runner: Runner) -> Runner:
        def run(arrays: Arrays) -> dict[str, Array]:
            return {name: mutant(runner(arrays)[name])}

        return run

    runners = {**gate.reference, component: altered(gate.reference[component])}
    candidate = replace(_candidate(gate, precision), runners=runners)
    cases = gate.single.cases(component, ODD, 1)
    return gate.single.evaluated(candidate, component, "mutant", "component_db", cases).status
