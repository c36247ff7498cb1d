"""Speech on standard input and output: as files on the way, since it is heard twice."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import soundfile

from ..core.errors import AudioError, UsageError, reason
from ..core.signal.rates import check_rate
from .formats import WRITE_FORMATS
from .reading.decoding import MOST_CHANNELS

RAW_IN = {"u8": "PCM_U8", "s16": "PCM_16", "s24": "PCM_24", "s32": "PCM_32", "f32": "FLOAT"}
"""Encodings of raw samples, little-endian, channels interleaved."""
RAW_OUT = {"s16": ("16", "int16"), "f32": ("float", "float32")}
_BLOCK = 65_536
_IN, _OUT = "stdin", "stdout"


def received(stream: BinaryIO | None, raw: str | None, folder: Path) -> Path:
    """All of a stream as a file in `folder`; `raw` is RATE,CHANNELS,ENCODING of bare samples.

    Raises `UsageError` for another description, a stream that is closed or for which there is no
    room, `AudioError` for a stream of no bytes.
    """
    form = described(raw) if raw is not None else None
    if stream is None:
        raise UsageError("standard input is closed; audio is needed")
    path = folder / _IN
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file)
    except OSError as error:
        raise UsageError(
            f"standard input cannot be kept on its way: {reason(error)}; TMPDIR may name a folder "
            "with more room"
        ) from error
    if not path.stat().st_size:
        raise AudioError("standard input holds no bytes; audio is needed")
    return path if form is None else _with_header(path, form, folder / f"{_IN}.wav")


def check_stdout(kind: str) -> None:
    """Raise `UsageError` unless results of this kind can be written to standard output."""
    if kind not in RAW_OUT and f".{kind}" not in WRITE_FORMATS:
        accepted = ", ".join([*(name[1:] for name in WRITE_FORMATS), *RAW_OUT])
        raise UsageError(f"standard output cannot be {kind!r}; accepted: {accepted}")


def outgoing(kind: str, folder: Path) -> Path:
    """The file in `folder` that becomes standard output of a kind."""
    return folder / f"{_OUT}{'.wav' if kind in RAW_OUT else f'.{kind}'}"


def depth_of(kind: str) -> str | None:
    """The bit depth of that file."""
    return RAW_OUT[kind][0] if kind in RAW_OUT else None


def spoken(text: str, folder: Path) -> str:
    """A text with pipes called what they are, not by the files in `folder` that stand for them."""
    for name, words in ((_IN, "standard input"), (_OUT, "standard output")):
        text = re.sub(re.escape(str(folder / name)) + r"(\.\w+)?", words, text)
    return text


def send(made: Path, kind: str, stream: BinaryIO | None) -> None:
    """Write a finished file to a stream, bare samples without their header.

    Raises `UsageError` where it takes no more, `BrokenPipeError` where nobody reads on.
    """
    if stream is None:
        raise UsageError("standard output is closed; name a file")
    try:
        _copy(made, kind, stream)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"standard output takes no more: {reason(error)}") from error


def _copy(made: Path, kind: str, stream: BinaryIO) -> None:
    if kind in RAW_OUT:
        for samples in _samples(made, RAW_OUT[kind][1]):
            stream.write(samples)
    else:
        with made.open("rb") as file:
            shutil.copyfileobj(file, stream)


def _samples(made: Path, dtype: str) -> Iterator[bytes]:
    with soundfile.SoundFile(made) as file:
        for block in file.blocks(_BLOCK, dtype=dtype):
            yield block.tobytes()


def _with_header(path: Path, form: tuple[int, int, str], made: Path) -> Path:
    rate_hz, channels, encoding = form
    layout = {"samplerate": rate_hz, "channels": channels, "subtype": RAW_IN[encoding]}
    with (
        soundfile.SoundFile(path, format="RAW", endian="LITTLE", **layout) as samples,
        soundfile.SoundFile(made, "w", format="RF64", **(layout | {"subtype": "FLOAT"})) as file,
    ):
        for block in samples.blocks(_BLOCK, dtype="float32", always_2d=True):
            file.write(block)
    return made


def described(raw: str) -> tuple[int, int, str]:
    """Rate in Hz, channels and encoding of bare samples, from RATE,CHANNELS,ENCODING.

    Raises `UsageError` for other text, `AudioError` for a rate that is none.
    """
    try:
        rate, count, encoding = (word.strip() for word in raw.split(","))
        rate_hz, channels = int(rate), int(count)
        if encoding not in RAW_IN:
            raise ValueError(encoding)
    except ValueError as error:
        raise UsageError(
            f"{raw!r} does not describe raw samples; give RATE,CHANNELS,ENCODING as in "
            f"16000,1,s16 (encodings: {', '.join(RAW_IN)})"
        ) from error
    check_rate(rate_hz, "standard input")
    if not 1 <= channels <= MOST_CHANNELS:
        raise UsageError(f"{channels} channels are not possible; accepted: 1 to {MOST_CHANNELS}")
    return rate_hz, channels, encoding
