"""Speech on standard input and output: as files on the way, since it is heard twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import soundfile

from ..core.audio import check_rate
from ..core.errors import AudioError, UsageError
from .formats import WRITE_FORMATS

RAW_IN = {"u8": "PCM_U8", "s16": "PCM_16", "s24": "PCM_24", "s32": "PCM_32", "f32": "FLOAT"}
"""Encodings of raw samples, little-endian, channels interleaved."""
RAW_OUT = {"s16": ("16", "int16"), "f32": ("float", "float32")}
_BLOCK = 65_536


def received(stream: BinaryIO, raw: str | None, folder: Path) -> Path:
    """All of a stream as a file in `folder`; `raw` is RATE,CHANNELS,ENCODING of bare samples.

    Raises `UsageError` for another description, `AudioError` for a stream of no bytes.
    """
    described = _described(raw) if raw is not None else None
    path = folder / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(stream, file)
    if not path.stat().st_size:
        raise AudioError("standard input holds no bytes; audio is needed")
    return path if described is None else _with_header(path, described, folder / "stdin.wav")


def check_stdout(kind: str) -> None:
    """Raise `UsageError` unless results of this kind can be written to standard output."""
    if kind not in RAW_OUT and f".{kind}" not in WRITE_FORMATS:
        accepted = ", ".join([*(name[1:] for name in WRITE_FORMATS), *RAW_OUT])
        raise UsageError(f"standard output cannot be {kind!r}; accepted: {accepted}")


def suffix_of(kind: str) -> str:
    """The ending of the file that becomes standard output of a kind."""
    return ".wav" if kind in RAW_OUT else f".{kind}"


def depth_of(kind: str) -> str | None:
    """The bit depth of that file."""
    return RAW_OUT[kind][0] if kind in RAW_OUT else None


def send(made: Path, kind: str, stream: BinaryIO) -> None:
    """Write a finished file to a stream, bare samples without their header."""
    if kind in RAW_OUT:
        for samples in _samples(made, RAW_OUT[kind][1]):
            stream.write(samples)
    else:
        with made.open("rb") as file:
            shutil.copyfileobj(file, stream)
    stream.flush()


def _samples(made: Path, dtype: str) -> Iterator[bytes]:
    with soundfile.SoundFile(made) as file:
        for block in file.blocks(_BLOCK, dtype=dtype):
            yield block.tobytes()


def _with_header(path: Path, described: tuple[int, int, str], made: Path) -> Path:
    rate_hz, channels, subtype = described
    layout = {"samplerate": rate_hz, "channels": channels, "subtype": subtype}
    with (
        soundfile.SoundFile(path, format="RAW", endian="LITTLE", **layout) as samples,
        soundfile.SoundFile(made, "w", format="RF64", **(layout | {"subtype": "FLOAT"})) as file,
    ):
        for block in samples.blocks(_BLOCK, dtype="float32", always_2d=True):
            file.write(block)
    return made


def _described(raw: str) -> tuple[int, int, str]:
    try:
        rate, count, encoding = raw.split(",")
        rate_hz, channels, subtype = int(rate), int(count), RAW_IN[encoding]
    except (ValueError, KeyError) as error:
        raise UsageError(
            f"{raw!r} does not describe raw samples; give RATE,CHANNELS,ENCODING as in "
            f"16000,1,s16 (encodings: {', '.join(RAW_IN)})"
        ) from error
    check_rate(rate_hz, "standard input")
    if channels < 1:
        raise UsageError(f"{channels} channels are not possible; accepted: 1 or more")
    return rate_hz, channels, subtype
