"""The noise is Philox4x32-10, is normal, and does not depend on how it is asked for."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from hiresldm.core.errors import UsageError
from hiresldm.core.signal import noise


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_published_answers_of_philox(counter: str, key: str, expected: str) -> None:
    low, high = (int(word, 16) for word in key.split())
    assert np.array_equal(noise.philox(_words(counter)[None], (low, high))[0], _words(expected))


def test_words_and_normals_are_pinned() -> None:
    normals = noise.normals(1234, 7, 0, 1000, 100)
    words = noise.words(1234, 7, np.arange(25_000, dtype=np.uint64))
    first = _words("bed3f422 bf90c542 3fadd60d bf986991 bf5ab00f 3ee7ec64 3f75e57a bfbdeed4")
    assert np.array_equal(normals.reshape(-1)[:8].view(np.uint32), first)
    assert _hash(words) == "b46ae6b8aeb3a2aa43a6ca1f2f33942e"
    assert _hash(normals) == "23b3f793d0a1cf50e247b4011571a422"


def test_golden_hash_is_pinned() -> None:
    assert noise.golden_hash() == "3fff0df085037bad49ae454fb4973f3e25a54d78d224305c85ec6881ca3b9414"


def test_normals_agree_with_the_inverse_normal_distribution_up_to_the_last_word() -> None:
    edges = np.array([0, 1, 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1], np.uint32)
    words = np.concatenate([edges, noise.words(5, 0, np.arange(5000, dtype=np.uint64))])
    expected = ndtri((words + 0.5) / 2.0**32)
    assert np.abs(noise.normal_of(words) - expected).max() < 1e-6


def test_log_is_as_good_as_the_library_one() -> None:
    x = np.geomspace(2.0**-33, 0.9, 10_000)
    assert np.abs(noise.log(x) / np.log(x) - 1).max() < 1e-15


@given(st.integers(0, 2**40), st.integers(0, 50), st.integers(1, 50), st.integers(1, 9))
def test_noise_does_not_depend_on_chunks(
    first: int, before: int, after: int, channels: int
) -> None:
    whole = noise.normals(3, 0, first, before + after, channels)
    rest = noise.normals(3, 0, first + before, after, channels)
    assert np.array_equal(whole[before:], rest)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_beyond_64_bits_are_refused(seed: int) -> None:
    with pytest.raises(UsageError, match="seed"):
        noise.normals(seed, 0, 0, 1, 1)


def test_high_seed_words_count() -> None:
    assert not np.array_equal(noise.normals(1, 0, 0, 4, 4), noise.normals(1 + 2**32, 0, 0, 4, 4))


def _words(text: str) -> noise.Words:
    return np.array([int(word, 16) for word in text.split()], np.uint32)


def _hash(values: np.ndarray) -> str:
    little = values.astype(values.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()[:32]
