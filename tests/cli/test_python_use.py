"""The library as people call it: their types, their layouts, their processes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import hiresldm
from hiresldm import Restorer, ToolkitError
from hiresldm.core.errors import AudioError, IntegrityError, UsageError
from hiresldm.core.signal.rates import RATE_HZ
from hiresldm.core.spec import Array
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

SHORT = np.sin(np.arange(4800, dtype=np.float32)) * np.float32(0.1)


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    """On two threads: a forked process has the one that forks alone."""
    return Restorer.load(threads=2)


def sentence_of(function: Callable[[], object], kind: type[ToolkitError]) -> str:
    with pytest.raises(kind) as caught:
        function()
    sentence = str(caught.value)
    assert sentence.isprintable() and "accepted" in sentence and len(sentence) < 300
    return sentence


@pytest.mark.parametrize(
    ("wave", "named"),
    [
        (SHORT.tolist(), "of type list"),
        (None, "of type NoneType"),
        ("a.wav", "of type str"),
        (b"\0\0", "of type bytes"),
        (0.5, "of type float"),
        (torch.from_numpy(SHORT), "of type torch.Tensor"),
        (np.float32(0.5), "of type numpy.float32"),
        ((SHORT * 32767).astype(np.int16), "an array of int16"),
        (SHORT.astype(np.complex64), "an array of complex64"),
        (SHORT > 0, "an array of bool"),
        (SHORT.astype(object), "an array of object"),
        (SHORT.astype(str), "an array of <U"),
        (SHORT[:0], r"shape (0,)"),
        (np.array(0.5), "shape ()"),
        (SHORT.reshape(1, -1, 1), "shape (1, 4800, 1)"),
        (np.zeros((0, 2), np.float32), "shape (0, 2)"),
        (np.stack([SHORT, SHORT]), "(2, 4800), more channels than frames"),
    ],
)
def test_what_is_no_wave_is_named(restorer: Restorer, wave: Any, named: str) -> None:
    assert named in sentence_of(lambda: restorer(wave, RATE_HZ), AudioError)


def test_channels_before_frames_are_told_how_to_turn(restorer: Restorer) -> None:
    wave = np.stack([SHORT, SHORT])
    said = sentence_of(lambda: restorer(wave, RATE_HZ), AudioError)
    assert "(frames, channels)" in said and "wave.T" in said
    assert restorer(wave.T, RATE_HZ).shape == (4800, 2)


@pytest.mark.parametrize(
    "rate", [None, "48000", True, 48e3j, [48_000], np.nan, np.inf, 0, -48_000, 10**12, object()]
)
def test_what_is_no_sample_rate_is_named(restorer: Restorer, rate: Any) -> None:
    assert "rate" in sentence_of(lambda: restorer(SHORT, rate), AudioError)


def test_samples_that_float32_does_not_hold_are_refused(restorer: Restorer) -> None:
    for value in (np.nan, np.inf, 1e300):
        with pytest.raises(AudioError, match="not a finite number"):
            restorer(np.full(100, value), RATE_HZ)


def test_every_kind_of_float_and_of_number_is_taken(restorer: Restorer) -> None:
    expected = restorer(SHORT, RATE_HZ, steps=1, seed=3)
    kinds = (np.float64(RATE_HZ), np.int32(RATE_HZ), 48_000.0, Fraction(RATE_HZ))
    for rate in kinds:
        assert np.array_equal(restorer(SHORT, rate, steps=np.int64(1), seed=np.uint8(3)), expected)
    for dtype in ("<f8", ">f4", np.longdouble):
        made = restorer(SHORT.astype(dtype), RATE_HZ, seed=3)
        assert made.dtype == np.float32 and np.array_equal(made, expected)
    locked = SHORT.copy()
    locked.setflags(write=False)
    assert np.array_equal(restorer(locked, RATE_HZ, seed=3), expected)


@pytest.mark.parametrize(
    "options",
    [{"steps": 1.0}, {"steps": True}, {"steps": "1"}, {"steps": [1]}, {"steps": 3},
     {"seed": 0.5}, {"seed": None}, {"seed": "0"}, {"seed": False}, {"seed": -1},
     {"seed": 2**64}, {"seed": Decimal(1)}],
)  # fmt: skip
def test_steps_and_seeds_of_other_types_are_refused(
    restorer: Restorer, options: dict[str, Any]
) -> None:
    (name,) = options
    assert name in sentence_of(lambda: restorer(SHORT, RATE_HZ, **options), UsageError)


@pytest.mark.parametrize(
    "options",
    [{"path": 5}, {"path": b"bytes"}, {"path": ["edge"]}, {"backend": None}, {"backend": ["ort"]},
     {"backend": "tflite"}, {"precision": 16}, {"precision": "fp8"}, {"threads": "2"},
     {"threads": 1.5}, {"threads": True}, {"threads": 0}, {"threads": 10**12},
     {"chunk_s": "7"}, {"chunk_s": np.nan}, {"chunk_s": 0}, {"chunk_s": None}],
)  # fmt: skip
def test_what_load_does_not_take_is_refused(options: dict[str, Any]) -> None:
    sentence_of(lambda: Restorer.load(**options), UsageError)


def test_a_bundle_is_named_by_text_or_by_path(tmp_path: Path) -> None:
    made = [Restorer.load(path, threads=1)(SHORT, RATE_HZ) for path in
            (None, str(EMBEDDED_BUNDLE), EMBEDDED_BUNDLE)]  # fmt: skip
    assert np.array_equal(made[0], made[1]) and np.array_equal(made[1], made[2])
    for path in (tmp_path, str(tmp_path / "none"), EMBEDDED_BUNDLE / "bundle.json", "a\0b", ""):
        with pytest.raises(IntegrityError) as caught:
            Restorer.load(path)
        assert str(caught.value).count(str(tmp_path)) <= 1


def test_a_restorer_restores_files(restorer: Restorer, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", SHORT, RATE_HZ, subtype="FLOAT")
    moved: list[float] = []
    report = restorer.restore_file(
        str(tmp_path / "in.wav"), tmp_path / "out.wav", seed=5, steps=1, progress=moved.append
    )
    assert (report.seed, report.steps, sum(moved)) == (5, 1, pytest.approx(0.1))
    made, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    np.testing.assert_allclose(made, restorer(SHORT, RATE_HZ, seed=5), atol=1e-6)
    with pytest.raises(UsageError, match="exists"):
        restorer.restore_file(tmp_path / "in.wav", str(tmp_path / "out.wav"))
    restorer.restore_file(tmp_path / "in.wav", str(tmp_path / "out.wav"), overwrite=True)
    other: Any = 5
    for source, target in ((other, "out.wav"), ("in.wav", other), (None, "out.wav")):
        sentence_of(lambda s=source, t=target: restorer.restore_file(s, t), UsageError)


def test_a_pickled_restorer_opens_its_bundle_again(restorer: Restorer) -> None:
    expected = restorer(SHORT, RATE_HZ)
    data = pickle.dumps(restorer)
    assert len(data) < 1000
    for again in (pickle.loads(data), copy.deepcopy(restorer)):  # noqa: S301
        assert np.array_equal(again(SHORT, RATE_HZ), expected)


def test_a_restorer_of_functions_says_that_it_cannot_be_pickled(restorer: Restorer) -> None:
    made = hiresldm.Restorer({}, restorer.host)
    with pytest.raises(UsageError, match=r"Restorer\.load"):
        pickle.dumps(made)


def restored(restorer: Restorer, answers: Any) -> None:
    answers.put(restorer(SHORT, RATE_HZ))


# Python 3.12 and later warn of every fork beside other threads, such as an engine's.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_process_of_any_kind_restores_as_its_parent_does(restorer: Restorer, method: str) -> None:
    """A fork goes on with the parent's sessions, the others get the restorer by pickling."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    context: Any = multiprocessing.get_context(method)
    expected, answers = restorer(SHORT, RATE_HZ), context.Queue()
    child = context.Process(target=restored, args=(restorer, answers))
    child.start()
    made: Array = answers.get(timeout=60)
    child.join(10)
    assert child.exitcode == 0
    assert np.array_equal(made, expected)
