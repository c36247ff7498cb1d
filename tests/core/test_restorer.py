"""The host around the networks: lengths, channels, levels, chunks and noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import hiresldm
from hiresldm.audio.files import Wanted, restore_file
from hiresldm.core.errors import AudioError, IntegrityError, UsageError
from hiresldm.core.restorer import Restorer, measure
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.signal.rates import RATE_HZ
from hiresldm.core.spec import Array, Arrays, Artifact, Runner
from hiresldm.families.hiresldm.host import Host, RecoveryAlone
from hiresldm.runtimes.restorer import pick, runtime_of, shared_frames

MakeRestorer = Callable[..., Restorer]


@pytest.mark.parametrize("rate_hz", [8000, 44_100, 48_000])
@pytest.mark.parametrize("shape", [(1,), (959,), (961, 2), (20_000,)])
def test_shape_and_length(toy_restorer: MakeRestorer, rate_hz: int, shape: tuple[int, ...]) -> None:
    wave = 0.1 * np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    expected = (round(shape[0] * RATE_HZ / rate_hz), *shape[1:])
    assert toy_restorer()(wave, rate_hz).shape == expected


def test_identity_networks_give_the_wave_back_at_its_level(speech: Array) -> None:
    runners = {
        "recovery": lambda x: {"recovered": x["spectrum"]},
        "encoder": lambda x: {"latent": x["log_mel"][:, ::2, :64]},
        "denoiser": lambda x: {"clean": x["condition"]},
        "decoder": lambda x: {"restored": x["recovered"]},
    }
    restorer = Restorer(runners, Host(), chunk_s=1.0, context_s=0.2)
    quiet = speech * np.float32(0.05)
    assert _snr_db(quiet, restorer(quiet, RATE_HZ)) > 90
    alone = restorer.under(RecoveryAlone())
    assert _snr_db(quiet, alone(quiet, RATE_HZ)) > 90


def test_networks_hear_the_loudness_they_were_trained_on(
    toy_restorer: MakeRestorer, speech: Array
) -> None:
    restorer = toy_restorer()
    loud, quiet = (restorer(speech * np.float32(g), RATE_HZ) / g for g in (1.0, 0.1))
    assert _snr_db(loud, quiet) > 60


@settings(max_examples=6, deadline=None)
@given(chunk_s=st.floats(0.1, 4.0))
def test_chunks_do_not_matter(toy_restorer: MakeRestorer, speech: Array, chunk_s: float) -> None:
    whole = toy_restorer(chunk_s=100.0)(speech, RATE_HZ)
    parted = toy_restorer(chunk_s=chunk_s, context_s=0.3)(speech, RATE_HZ)
    assert _snr_db(whole, parted) > 60


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=8), st.integers(1, 3))
def test_neither_blocks_nor_workers_matter(
    toy_restorer: MakeRestorer, speech: Array, sizes: list[int], workers: int
) -> None:
    wave = speech[:, None]
    restorer = toy_restorer(chunk_s=0.7, context_s=0.3, workers=workers)
    blocks = np.split(wave, np.cumsum(sizes))
    made = np.concatenate(list(restorer.restored(blocks, measure([wave], 1, RATE_HZ))))[:, 0]
    assert np.array_equal(made, toy_restorer(chunk_s=0.7, context_s=0.3)(speech, RATE_HZ))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_long_signal_is_taken_only_as_it_is_restored(
    toy_restorer: MakeRestorer, workers: int
) -> None:
    restorer = toy_restorer(chunk_s=1.0, context_s=0.5, workers=workers)
    taken: list[int] = []

    def blocks() -> Iterator[Array]:
        for _ in range(60):
            taken.append(4800)
            yield np.zeros((4800, 1), np.float32)

    given = 0
    for block in restorer.restored(blocks(), [-20.0]):
        given += len(block)
        # A chunk and its context, and with workers the chunks that are underway.
        ahead_s = 1.5 + (workers if workers > 1 else 0) * 1.0
        assert sum(taken) - given <= ahead_s * RATE_HZ + 4800
    assert given == sum(taken)


def test_channels_are_independent_and_share_the_noise(
    toy_restorer: MakeRestorer, speech: Array
) -> None:
    restorer = toy_restorer()
    other = speech[::-1].copy()
    both = restorer(np.stack([speech, other], axis=1), RATE_HZ)
    assert np.array_equal(both[:, 0], restorer(speech, RATE_HZ))
    assert np.array_equal(both[:, 1], restorer(other, RATE_HZ))


def test_the_seed_and_the_steps_decide(toy_restorer: MakeRestorer, speech: Array) -> None:
    restorer = toy_restorer()
    first = restorer(speech, RATE_HZ, steps=1, seed=1)
    assert np.array_equal(first, restorer(speech, RATE_HZ, steps=1, seed=1))
    assert not np.array_equal(first, restorer(speech, RATE_HZ, steps=1, seed=2))
    assert not np.array_equal(first, restorer(speech, RATE_HZ, seed=1))


def test_requests_that_cannot_be_met_are_refused(toy_restorer: MakeRestorer) -> None:
    restorer, wave = toy_restorer(), np.zeros(100, np.float32)
    with pytest.raises(UsageError, match=r"3 steps.*accepted: 1, 2"):
        restorer(wave, RATE_HZ, steps=3)
    with pytest.raises(UsageError, match="seed"):
        restorer(wave, RATE_HZ, seed=-1)
    with pytest.raises(UsageError, match="context"):
        toy_restorer(chunk_s=0.0)
    with pytest.raises(UsageError, match="lacks encoder"):
        toy_restorer(leaving="encoder")(wave, RATE_HZ)
    bad: tuple[Any, ...] = (
        wave[:0],
        wave[None, None],
        wave.astype(np.int16),
        wave * np.float32(np.nan),
    )
    for unfit in bad:
        with pytest.raises(AudioError):
            restorer(unfit, RATE_HZ)
    with pytest.raises(AudioError, match="0 Hz"):
        restorer(wave, 0)


def test_components_that_take_few_lengths_get_no_others(
    toy_restorer: MakeRestorer, speech: Array
) -> None:
    """Silence fills a chunk up to an enumerated length, and the result is that of any length."""
    seen: set[int] = set()
    free, enumerated_frames = toy_restorer(chunk_s=0.7, context_s=0.3), (30, 60, 100)

    def noted(name: str, runner: Runner) -> Runner:
        def run(arrays: Arrays) -> dict[str, Array]:
            if name == "decoder":
                seen.add(arrays["latent"].shape[1])
            return runner(arrays)

        return run

    restorer = toy_restorer(context_s=0.3, enumerated_frames=enumerated_frames, wrap=noted)
    made = restorer(speech, RATE_HZ)
    assert seen <= set(enumerated_frames) and len(made) == len(speech)
    assert _snr_db(free(speech, RATE_HZ), made) > 50
    one_frame = restorer(speech[:100], RATE_HZ)
    assert one_frame.shape == (100,) and 30 in seen


def test_a_precision_is_picked_by_name_and_enumerated_lengths_are_shared() -> None:
    def artifact(component: str, precision: str, *enumerated_frames: int) -> Artifact:
        return Artifact(
            component, "onnx", precision, "x", "", (), (), {}, enumerated_frames=enumerated_frames
        )

    listed = [artifact("encoder", "fp32"), artifact("encoder", "int8")]
    runtime = runtime_of("ort")
    assert pick(listed, "encoder", runtime, None).precision == "fp32"
    assert pick(listed, "encoder", runtime, "int8").precision == "int8"
    with pytest.raises(UsageError, match="no encoder in int4; accepted: fp32, int8"):
        pick(listed, "encoder", runtime, "int4")
    with pytest.raises(IntegrityError, match=r"no decoder as onnx or ort; .* NEW --formats onnx$"):
        pick(listed, "decoder", runtime, None)
    root = Path("my bundle")
    with pytest.raises(IntegrityError, match=r"build NEW --weights RUN --formats onnx$"):
        pick(listed, "encoder", runtime_of("torch"), None, root)
    listed.append(Artifact("decoder", "torch", "fp32", "x", "", (), (), {}))
    with pytest.raises(IntegrityError, match=r"NEW --weights 'my bundle' --formats coreml$"):
        pick(listed, "encoder", runtime_of("mil"), None, root)
    several = [artifact("a", "fp16", 64, 32), artifact("b", "fp16"), artifact("c", "fp16", 32, 16)]
    assert shared_frames(several) == (32,)
    assert shared_frames(listed) == ()
    with pytest.raises(IntegrityError, match="no common number"):
        shared_frames([artifact("a", "fp16", 64), artifact("b", "fp16", 32)])


def test_a_file_is_restored_as_its_wave_is(
    toy_restorer: MakeRestorer, speech: Array, tmp_path: Path
) -> None:
    restorer = toy_restorer(chunk_s=1.0, context_s=0.3)
    soundfile.write(tmp_path / "in.wav", speech, 16_000, subtype="FLOAT")
    moved: list[float] = []
    report = restore_file(
        restorer, tmp_path / "in.wav", tmp_path / "out.wav", Wanted(seed=4), progress=moved.append
    )
    made, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    gain = np.float32(10 ** (-report.attenuation_db / 20))
    assert _snr_db(restorer(speech, 16_000, seed=4) * gain, made) > 90
    assert (report.steps, report.seed, report.channels) == (2, 4, 1)
    assert sum(moved) == pytest.approx(report.duration_s, abs=1e-3)


def _none(inputs: Arrays) -> dict[str, Array]:
    return {}


def _snr_db(wanted: Array, got: Array) -> float:
    error = float(np.sum((wanted - got) ** 2))
    return float(10 * np.log10(np.sum(wanted**2) / max(error, 1e-20)))


def test_the_embedded_model_depends_neither_on_chunks_nor_on_threads(
    noisy: Array, record_property: Callable[[str, object], None]
) -> None:
    """Noise is tied to absolute frames and the context covers what the networks see."""
    wave = np.tile(noisy, 2)
    whole, chunked, again = (
        hiresldm.Restorer.load(precision="fp32", chunk_s=s, threads=threads)(wave, RATE_HZ)
        for s, threads in ((20.0, 1), (1.5, 2), (1.5, 1))
    )
    assert np.array_equal(chunked, again)
    value_db = snr_db(whole, chunked)
    record_property("snr_between_chunkings_db", value_db)
    assert value_db > 60.0
