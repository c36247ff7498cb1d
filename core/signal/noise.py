"""Counter-based Gaussian noise, the same to the bit in every language.

Philox4x32-10 (Salmon 2011) gives 32-bit words, Acklam's rational approximation of the inverse
normal distribution turns them into normals. The C math library differs between platforms, so none
of it is used: only + - * / and sqrt, which IEEE 754 rounds exactly, and an exact exponent split.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..spec import Array

Words = NDArray[np.uint32]
Doubles = NDArray[np.float64]

_LOW_WORD = 0xFFFF_FFFF
_MULTIPLIERS = (0xD251_1F53, 0xCD9E_8D57)
_KEY_STEPS = (0x9E37_79B9, 0xBB67_AE85)
_ROUNDS = 10

# Acklam's coefficients, highest power first; relative error below 1.15e-9.
_CENTRE_TOP = (
    -3.969683028665376e01,
    2.209460984245205e02,
    -2.759285104469687e02,
    1.383577518672690e02,
    -3.066479806614716e01,
    2.506628277459239e00,
)
_CENTRE_BOTTOM = (
    -5.447609879822406e01,
    1.615858368580409e02,
    -1.556989798598866e02,
    6.680131188771972e01,
    -1.328068155288572e01,
    1.0,
)
_TAIL_TOP = (
    -7.784894002430293e-03,
    -3.223964580411365e-01,
    -2.400758277161838e00,
    -2.549732539343734e00,
    4.374664141464968e00,
    2.938163982698783e00,
)
_TAIL_BOTTOM = (
    7.784695709041462e-03,
    3.224671290700398e-01,
    2.445134137142996e00,
    3.754408661907416e00,
    1.0,
)
_TAIL_BELOW = 0.02425

_SQRT_HALF = 0.7071067811865476
_LN_2 = 0.6931471805599453
# 1/23, 1/21, ... 1/3, 1: with |s| <= 0.172 the next term of atanh is below 1e-19.
_ATANH = tuple(1.0 / odd for odd in range(23, 0, -2))


def normals(seed: int, step: int, first_frame: int, frames: int, channels: int) -> Array:
    """Standard normals (frames, channels) of latent frames `first_frame` onwards.

    A value depends on (seed, step, frame, channel) alone; raises `UsageError` for a negative or
    too large seed, step or frame.
    """
    begin, count = first_frame * channels, frames * channels
    _require_word64("first frame", begin)
    first_block, last_block = begin // 4, -(-(begin + count) // 4)
    blocks = np.arange(first_block, last_block, dtype=np.uint64)
    skipped = begin - 4 * first_block
    picked = words(seed, step, blocks)[skipped : skipped + count]
    return normal_of(picked).reshape(frames, channels)


def golden_hash(seed: int = 1234, count: int = 4096) -> str:
    """SHA-256 of the first `count` normals of `seed` as little-endian float32: a port's proof."""
    wave = normals(seed, 0, 0, count, 1)
    return hashlib.sha256(wave.astype("<f4").tobytes()).hexdigest()


def key_of(seed: int) -> tuple[int, int]:
    """The two 32-bit key words of a seed, low word first; raises `UsageError` beyond 64 bits."""
    _require_word64("seed", seed)
    return seed & _LOW_WORD, seed >> 32


def words(seed: int, step: int, blocks: NDArray[np.uint64]) -> Words:
    """The random words (4 * n,) of counter blocks (n,) in the stream `step`."""
    _require_word64("step", step)
    low = np.uint64(_LOW_WORD)
    counter = np.empty((len(blocks), 4), np.uint32)
    counter[:, 0] = blocks & low
    counter[:, 1] = blocks >> np.uint64(32)
    counter[:, 2:] = step & _LOW_WORD, step >> 32
    return philox(counter, key_of(seed)).reshape(-1)


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Philox4x32-10 of counters (n, 4) under one key of two words."""
    c0, c1, c2, c3 = (counter[:, i] for i in range(4))
    k0, k1 = key
    for _ in range(_ROUNDS):
        high_0, low_0 = _multiply(c0, _MULTIPLIERS[0])
        high_1, low_1 = _multiply(c2, _MULTIPLIERS[1])
        c0, c1 = high_1 ^ c1 ^ np.uint32(k0), low_1
        c2, c3 = high_0 ^ c3 ^ np.uint32(k1), low_0
        k0, k1 = (k0 + _KEY_STEPS[0]) & _LOW_WORD, (k1 + _KEY_STEPS[1]) & _LOW_WORD
    return np.stack([c0, c1, c2, c3], axis=1)


def normal_of(picked: Words) -> Array:
    """The normals (n,) at the quantiles (u + 0.5) / 2^32 of words u (n,)."""
    p = (picked.astype(np.float64) + 0.5) / 4294967296.0
    # p has at most 33 significant bits, so 1 - p is exact and the two halves mirror exactly.
    lower = np.minimum(p, 1.0 - p)
    tail = lower < _TAIL_BELOW
    out = np.empty_like(p)
    out[~tail] = _centre(p[~tail])
    out[tail] = np.where(p[tail] < 0.5, 1.0, -1.0) * _tail(lower[tail])
    return out.astype(np.float32)


def log(x: Doubles) -> Doubles:
    """Natural logarithm of positive normal numbers, from basic arithmetic only."""
    mantissa, exponent = np.frexp(x)
    low = mantissa < _SQRT_HALF
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    power = (exponent - low).astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    return power * _LN_2 + 2.0 * s * _polynomial(_ATANH, s * s)


def _centre(p: Doubles) -> Doubles:
    q = p - 0.5
    r = q * q
    return _polynomial(_CENTRE_TOP, r) * q / _polynomial(_CENTRE_BOTTOM, r)


def _tail(p: Doubles) -> Doubles:
    """The (negative) normal of a small lower quantile p."""
    q = np.sqrt(-2.0 * log(p))
    return _polynomial(_TAIL_TOP, q) / _polynomial(_TAIL_BOTTOM, q)


def _polynomial(coefficients: tuple[float, ...], x: Doubles) -> Doubles:
    """Horner's rule; each product and each sum is rounded on its own, as in every language."""
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


def _multiply(a: Words, b: int) -> tuple[Words, Words]:
    """High and low words of the 64-bit product."""
    product = a.astype(np.uint64) * np.uint64(b)
    high = (product >> np.uint64(32)).astype(np.uint32)
    return high, product.astype(np.uint32)


def _require_word64(name: str, value: int) -> None:
    if not 0 <= value < 2**64:
        raise UsageError(f"the {name} is {value}; accepted are whole numbers from 0 to 2^64 - 1")
