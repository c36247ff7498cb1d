"""Audio files in, block by block at one rate: memory stays bounded whatever the length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mutagen
import numpy as np
from mutagen.mp3 import MP3, BitrateMode

from ...core.errors import AudioError, reason
from ...core.signal.rates import RATE_HZ, check_rate, resample
from ...core.spec import Array
from . import riff
from .decoding import Decoder

_NEAR_S = 0.1
"""Headers are this far from their content without anything being amiss."""


class AudioReader:
    """An audio file as float32 blocks (n, channels) at `rate_hz`; may be iterated more than once.

    Raises `AudioError` on opening for what is missing or not audio, and while iterating for
    samples that are not finite, or where there are none.
    """

    def __init__(self, path: Path, rate_hz: int = RATE_HZ) -> None:
        self.path = path
        self._rate_hz = rate_hz
        try:
            _check_is_file(path)
            self._header_s = header_s(path)
        except OSError as error:  # names that are too long, files that may not be read
            raise AudioError(f"{path} cannot be read: {reason(error)}") from error
        self._read_frames: int | None = None
        self._told: list[str] = []
        with Decoder(path) as file:
            self.sample_rate_hz = file.sample_rate_hz
            self.channels = file.channels
            self.has_picture = file.has_picture
            self.subtitles = file.subtitles
        self.begins_s = 0.0
        """When the sound begins, in a video that has been read."""
        check_rate(self.sample_rate_hz, str(path))

    @property
    def duration_s(self) -> float:
        """Length in seconds: what was read, or, before all has been, what the header tells."""
        if self._read_frames is None:
            return self._header_s or 0.0
        return self._read_frames / self.sample_rate_hz

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know of the file, once it has been read."""
        return tuple(self._told)

    def __iter__(self) -> Iterator[Array]:
        return resample(self._native(), self.sample_rate_hz, self.channels, self._rate_hz)

    def _native(self) -> Iterator[Array]:
        position = 0
        with Decoder(self.path) as file:
            for block in file.blocks():
                _check_finite(block, self, position)
                position += len(block)
                yield block
            if not position:
                raise AudioError(f"{self.path} holds no samples; at least one is needed")
            self._read_frames, self.begins_s = position, file.begins_s
            self._told = list(self._amiss(file))

    def _amiss(self, file: Decoder) -> Iterator[str]:
        """What is not as it should be in a file that has been read."""
        if file.is_cut:
            yield f"{self.path} ends in the middle of a page; what came before was read"
        if file.damaged:
            places = f"{file.damaged} place" + ("s" if file.damaged > 1 else "")
            yield f"{self.path} could not be decoded in {places}; the rest was read"
        if file.tracks > 1:
            yield f"{self.path} has {file.tracks} audio tracks; the first one was read"
        told_s = self._header_s
        if told_s is not None and abs(told_s - self.duration_s) > _NEAR_S and not file.is_cut:
            yield (
                f"{self.path} holds {self.duration_s:.2f} s of audio, its header tells "
                f"{told_s:.2f} s; what it holds was read"
            )
        known = riff.read_riff(self.path)
        if known is not None and riff.is_followed(self.path, known):
            yield f"{self.path} is followed by another WAV file, which was not read"


def _check_is_file(path: Path) -> None:
    if not path.is_file():
        fault = "is not a file" if path.exists() else "does not exist"
        raise AudioError(f"{path} {fault}; an audio file is needed")


def header_s(path: Path) -> float | None:
    """The length in seconds that a header claims, None where it claims none."""
    if (known := riff.read_riff(path)) is not None:
        return riff.claimed_s(path, known)
    try:
        file = mutagen.File(path)
    except Exception:  # whatever its parsers stumble over: then nothing is claimed
        return None
    about = file.info if file is not None else None
    if isinstance(file, MP3) and getattr(about, "bitrate_mode", None) == BitrateMode.UNKNOWN:
        return None  # a guess from the first frames
    length_s = getattr(about, "length", None)
    return float(length_s) if length_s else None


def read_mono(path: Path, rate_hz: int = RATE_HZ) -> Array:
    """A whole file as mono (N,) at `rate_hz`; raises `AudioError` as `AudioReader` does."""
    return np.asarray(np.concatenate(list(AudioReader(path, rate_hz))).mean(axis=1), np.float32)


def _check_finite(block: Array, reader: AudioReader, position: int) -> None:
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        at_s = (position + int(np.argmin(finite))) / reader.sample_rate_hz
        raise AudioError(
            f"{reader.path} holds a sample that is not a finite number at {at_s:.3f} s"
        )
