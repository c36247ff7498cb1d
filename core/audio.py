"""Audio files in and out, block by block: memory stays bounded whatever the length."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile
import soxr

from .errors import AudioError, UsageError
from .spec import Array

RATE_HZ = 48_000
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000
READ_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".opus", ".aiff")
WRITE_FORMATS = {
    ".wav": ("WAV", "PCM_24"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
PEAK_LIMIT = 0.999
"""A louder file is turned down as a whole instead of being clipped."""

_READ_BLOCK = 65_536
# libvorbis overflows its stack on very long blocks.
_WRITE_BLOCK = 16_384


class AudioReader:
    """An audio file as float32 blocks (n, channels) at 48 kHz; may be iterated more than once.

    Raises `AudioError` on opening for what is missing, empty or not audio, and while iterating
    for samples that are not finite.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            fault = "is not a file" if path.exists() else "does not exist"
            raise AudioError(f"{path} {fault}; an audio file is needed")
        self.path = path
        with _opened(path) as file:
            self.sample_rate_hz: int = file.samplerate
            self.channels: int = file.channels
            self.frames: int = file.frames
        if self.frames == 0:
            raise AudioError(f"{path} holds no samples; at least one is needed")
        check_rate(self.sample_rate_hz, str(path))

    @property
    def duration_s(self) -> float:
        """Length in seconds, as the header tells it."""
        return self.frames / self.sample_rate_hz

    def __iter__(self) -> Iterator[Array]:
        return resample(self._native(), self.sample_rate_hz, self.channels)

    def _native(self) -> Iterator[Array]:
        position = 0
        with _opened(self.path) as file:
            while len(block := _read(file, self.path)):
                _check_finite(block, self, position)
                position += len(block)
                yield block


def resample(blocks: Iterable[Array], sample_rate_hz: int, channels: int) -> Iterator[Array]:
    """Blocks (n, channels) at any rate to 48 kHz, `output_frames(total)` frames in all."""
    if sample_rate_hz == RATE_HZ:
        yield from blocks
        return
    stream = soxr.ResampleStream(sample_rate_hz, RATE_HZ, channels, "float32", "VHQ")
    taken = given = 0
    for block in blocks:
        taken += len(block)
        out = stream.resample_chunk(block)
        given += len(out)
        yield out
    rest = stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)
    missing = output_frames(taken, sample_rate_hz) - given
    yield np.pad(rest, ((0, max(0, missing - len(rest))), (0, 0)))[:missing]


def output_frames(frames: int, sample_rate_hz: int) -> int:
    """Frames at 48 kHz of `frames` at another rate: rounded, one at least."""
    return max(1, round(frames * RATE_HZ / sample_rate_hz))


def check_rate(sample_rate_hz: int, what: str) -> None:
    """Raise `AudioError` for a sample rate that no speech recording has."""
    if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
        raise AudioError(
            f"{what} has a sample rate of {sample_rate_hz} Hz; "
            f"accepted are {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
        )


def check_output(target: Path, *, source: Path | None = None, overwrite: bool = False) -> None:
    """Raise `UsageError` unless `target` is a name that may be written to."""
    if target.suffix.lower() not in WRITE_FORMATS:
        accepted = " ".join(WRITE_FORMATS)
        raise UsageError(f"cannot write {target}: accepted endings are {accepted}")
    if target.is_dir():
        raise UsageError(f"cannot write {target}: it is a folder; name a file")
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {target}: {target.parent} is not a folder")
    if target.exists():
        if source is not None and source.exists() and target.samefile(source):
            raise UsageError(f"cannot write {target}: it is the input; name another file")
        if not overwrite:
            raise UsageError(f"{target} exists; choose another name or allow overwriting")


def read_mono(path: Path) -> Array:
    """A whole file as mono (N,) at 48 kHz; raises `AudioError` as `AudioReader` does."""
    return np.asarray(np.concatenate(list(AudioReader(path))).mean(axis=1), np.float32)


class AudioWriter:
    """Writes blocks (n, channels) at 48 kHz; the file appears whole at the end, or not at all.

    The suffix names the format. After the `with` block `attenuation_db` tells by how much the
    file was turned down to keep its peak from clipping (0.0: not at all). Raises `UsageError` on
    entering where the target cannot be written, `AudioError` for samples that are not finite.
    """

    def __init__(
        self,
        target: Path,
        *,
        channels: int,
        source: Path | None = None,
        overwrite: bool = False,
    ) -> None:
        check_output(target, source=source, overwrite=overwrite)
        self.target = target
        self.channels = channels
        self.attenuation_db = 0.0
        self._peak = 0.0

    def __enter__(self) -> Self:
        with _writing(self.target):
            self._folder = tempfile.TemporaryDirectory(prefix=".restoring-", dir=self.target.parent)
            try:
                # RF64 has no 4 GB limit, float32 keeps what is above full scale.
                self._file = _created(self._draft, self.channels, ("RF64", "FLOAT"))
                # Opened once now, so that a format that cannot hold the channels is told early.
                _created(self._final, self.channels, self._formats).close()
            except BaseException:
                self._folder.cleanup()
                raise
        return self

    def write(self, block: Array) -> None:
        """Append a block (n, channels)."""
        if not np.isfinite(block).all():
            raise AudioError(f"the audio for {self.target} is not finite; nothing was written")
        self._peak = max(self._peak, float(np.abs(block).max(initial=0.0)))
        with _writing(self.target):
            self._file.write(block)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._folder, _writing(self.target):
            self._file.close()
            if error is None:
                self._publish()

    @property
    def _draft(self) -> Path:
        return Path(self._folder.name) / "draft.wav"

    @property
    def _final(self) -> Path:
        return Path(self._folder.name) / f"final{self.target.suffix}"

    @property
    def _formats(self) -> tuple[str, str]:
        return WRITE_FORMATS[self.target.suffix.lower()]

    def _publish(self) -> None:
        gain = min(1.0, PEAK_LIMIT / max(self._peak, PEAK_LIMIT))
        final = _created(self._final, self.channels, self._formats)
        with final, soundfile.SoundFile(self._draft) as draft:
            for block in draft.blocks(_WRITE_BLOCK, dtype="float32", always_2d=True):
                final.write(block * np.float32(gain))
        self._final.replace(self.target)
        self.attenuation_db = -20.0 * float(np.log10(gain)) if gain < 1.0 else 0.0


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Turn a fault of the disk or of the codec into one sentence."""
    try:
        yield
    except (OSError, soundfile.SoundFileError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot write {target}: {reason}") from error


def _created(path: Path, channels: int, formats: tuple[str, str]) -> soundfile.SoundFile:
    container, subtype = formats
    return soundfile.SoundFile(path, "w", RATE_HZ, channels, subtype=subtype, format=container)


def _opened(path: Path) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(path)
    # TypeError: soundfile takes a ".raw" name for headerless audio and asks for its rate.
    except (soundfile.SoundFileError, TypeError, OSError) as error:
        raise AudioError(f"{path} is not audio that can be read: {error}") from error


def _read(file: soundfile.SoundFile, path: Path) -> Array:
    try:
        block: Array = file.read(_READ_BLOCK, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise AudioError(f"{path} cannot be read to its end: {error}") from error
    return block


def _check_finite(block: Array, reader: AudioReader, position: int) -> None:
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        at_s = (position + int(np.argmin(finite))) / reader.sample_rate_hz
        raise AudioError(
            f"{reader.path} holds a sample that is not a finite number at {at_s:.3f} s"
        )
