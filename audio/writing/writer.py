"""Audio files out: whole, at one level, in the form asked for, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
import soundfile

from ...core.errors import AudioError, UsageError, reason
from ...core.signal.rates import RATE_HZ, resample
from ...core.spec import Array
from ..formats import WRITE_FORMATS, format_of
from ..reading.reader import AudioReader
from . import tags
from .draft import Draft, Origin
from .encoding import OPUS_KBPS_A_CHANNEL, encode, rates_hz, try_picture

PEAK_LIMIT = 0.999
"""A louder file is turned down as a whole instead of being clipped."""
LARGEST_WAV = 0xFFFF0000
"""Bytes of sound past which a WAV file is written as RF64."""
_VORBIS_ORDER = {
    3: [0, 2, 1],
    5: [0, 2, 1, 3, 4],
    6: [0, 2, 1, 4, 5, 3],
    7: [0, 2, 1, 5, 6, 4, 3],
    8: [0, 2, 1, 6, 7, 4, 5, 3],
}
"""Where Vorbis keeps front left, front right, centre, bass and so on, which others keep so."""
_BYTES = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}


@dataclass(frozen=True)
class Form:
    """How a result is to be written, beyond what its name tells; None: as is usual for it."""

    sample_rate_hz: int = RATE_HZ
    depth: str | None = None
    """`16`, `24` or `float`, of WAV and FLAC."""
    bitrate_kbps: int | None = None
    """Of MP3, Opus and AAC."""


def usual_rate_hz(target: Path, rate_hz: int) -> int:
    """The rate itself, or the next higher one that a file of this name can have."""
    kind = format_of(target)
    accepted_hz = rates_hz(kind.muxed[1]) if kind and kind.muxed else ()
    higher_hz = [accepted for accepted in accepted_hz if accepted >= rate_hz]
    return min(higher_hz, default=rate_hz)


def check_output(
    target: Path,
    *,
    source: Path | None = None,
    overwrite: bool = False,
    makes_folder: bool = False,
) -> None:
    """Raise `UsageError` unless `target` is a name that may be written to.

    Where `makes_folder`, its folder may be yet to be made.
    """
    with _writing(target):  # names that are too long, folders that may not be entered
        _check_output(target, source, overwrite, makes_folder)


def _check_output(target: Path, source: Path | None, overwrite: bool, makes_folder: bool) -> None:
    if format_of(target) is None:
        accepted = " ".join(WRITE_FORMATS)
        raise UsageError(f"cannot write {target}: accepted endings are {accepted}")
    if target.is_dir():
        raise UsageError(f"cannot write {target}: it is a folder; name a file")
    if not target.parent.is_dir() and (target.parent.exists() or not makes_folder):
        raise UsageError(f"cannot write {target}: {target.parent} is not a folder")
    if target.exists():
        if source is not None and source.exists() and target.samefile(source):
            raise UsageError(f"cannot write {target}: it is the input; name another file")
        if not overwrite:
            raise UsageError(f"{target} exists; choose another name or allow overwriting")


def check_form(target: Path, channels: int, form: Form) -> None:
    """Raise `UsageError` unless a file of this name holds so many channels in this form."""
    kind = WRITE_FORMATS[target.suffix.lower()]
    if channels > kind.channels:
        fit = " ".join(name for name, one in WRITE_FORMATS.items() if one.channels >= channels)
        raise UsageError(
            f"cannot write {target}: it holds {kind.channels} channels at most and there are "
            f"{channels}; choose {fit or 'fewer channels'}"
        )
    if form.depth is not None and form.depth not in (kind.depths or {}):
        accepted = ", ".join(kind.depths or {}) or "none, its samples have no fixed depth"
        raise UsageError(
            f"cannot write {target} with a bit depth of {form.depth}; accepted: {accepted}"
        )
    _check_bitrate(target, channels, form.bitrate_kbps)
    _check_rate(target, form.sample_rate_hz)


def _check_bitrate(target: Path, channels: int, kbps: int | None) -> None:
    if kbps is None:
        return
    kind = WRITE_FORMATS[target.suffix.lower()]
    if kind.bitrates_kbps is None:
        have = " ".join(name for name, one in WRITE_FORMATS.items() if one.bitrates_kbps)
        raise UsageError(f"cannot write {target} at {kbps} kbit/s; a bit rate have {have}")
    low, high = kind.bitrates_kbps
    if kind.muxed and kind.muxed[1] == "libopus":
        high = min(high, OPUS_KBPS_A_CHANNEL * channels)
    if not low <= kbps <= high:
        raise UsageError(
            f"cannot write {target} at {kbps} kbit/s; accepted: {low} to {high} kbit/s"
        )


def _check_rate(target: Path, rate_hz: int) -> None:
    kind = WRITE_FORMATS[target.suffix.lower()]
    if kind.muxed and rate_hz not in (taken_hz := rates_hz(kind.muxed[1])):
        accepted = ", ".join(map(str, taken_hz))
    elif kind.most_hz and rate_hz > kind.most_hz:
        accepted = f"up to {kind.most_hz}"
    else:
        return
    raise UsageError(f"cannot write {target} at {rate_hz} Hz; accepted: {accepted}")


def check_picture(target: Path, source: AudioReader) -> None:
    """Raise `UsageError` where a video of this name does not take the picture of its source."""
    kind = WRITE_FORMATS[target.suffix.lower()]
    if kind.video and kind.muxed and source.has_picture:
        with _writing(target):
            try_picture(kind.muxed, source.path)


def check_space(target: Path, frames: int, channels: int) -> None:
    """Raise `UsageError` where the disk has no room for a draft and a result of so many frames."""
    needed = frames * channels * (_BYTES["FLOAT"] + _BYTES["PCM_24"])
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise UsageError(
            f"cannot write {target}: about {needed / 1e6:.0f} MB are needed on the way and "
            f"{free / 1e6:.0f} MB are free"
        )


class AudioWriter:
    """Writes blocks (n, channels) at `rate_hz`; the file appears whole at the end, or not at all.

    The suffix names the format; tags of the `source` are carried over, into a video its picture
    too. With an `origin` the samples outlive a run that is stopped, and `done` frames of them are
    there when the next one begins. After the `with` block `attenuation_db` tells by how much the
    file was turned down to keep its peak from clipping (0.0: not at all). Raises `UsageError` on
    entering where the target cannot be written, `AudioError` for samples that are not finite.
    """

    def __init__(
        self,
        target: Path,
        *,
        channels: int,
        rate_hz: int = RATE_HZ,
        source: AudioReader | None = None,
        overwrite: bool = False,
        form: Form = Form(),
        origin: Origin | None = None,
    ) -> None:
        path = source.path if source else None
        check_output(target, source=path, overwrite=overwrite)
        check_form(target, channels, form)
        # A link stays a link: what it names is written.
        self.target = target.resolve() if target.is_symlink() else target
        self.channels = channels
        self.rate_hz = rate_hz
        self.source = source
        self.form = form
        self.attenuation_db = 0.0
        self._origin = origin

    def __enter__(self) -> Self:
        with _writing(self.target):
            self._draft = Draft(self.target, self.channels, self._origin)
            self.done = self._draft.frames
            """Frames that an earlier run has written."""
        return self

    def write(self, block: Array) -> None:
        """Append a block (n, channels)."""
        if not np.isfinite(block).all():
            raise AudioError(f"the audio for {self.target} is not finite; nothing was written")
        with _writing(self.target):
            self._draft.write(block)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        whole = False
        try:
            if error is None:
                with _writing(self.target):
                    self._publish()
                whole = True
        finally:
            self._draft.close(keep=not whole)

    def _publish(self) -> None:
        final = self._draft.folder / f"final{self.target.suffix}"
        gain = min(1.0, PEAK_LIMIT / max(self._draft.peak, PEAK_LIMIT))
        self.attenuation_db = -20.0 * float(np.log10(gain)) if gain < 1.0 else 0.0
        self._write(final, self._finished(gain))
        if self.source:
            tags.carry_over(self.source.path, final)
        if self.target.exists():
            final.chmod(self.target.stat().st_mode)
        final.replace(self.target)

    def _finished(self, gain: float) -> Iterator[Array]:
        level = (block * np.float32(gain) for block in self._draft.blocks())
        return resample(level, self.rate_hz, self.channels, self.form.sample_rate_hz)

    def _write(self, final: Path, blocks: Iterator[Array]) -> None:
        kind, form = WRITE_FORMATS[self.target.suffix.lower()], self.form
        if kind.muxed:
            seen = self.source if kind.video and self.source and self.source.has_picture else None
            encode(
                final,
                kind.muxed,
                blocks,
                sample_rate_hz=form.sample_rate_hz,
                channels=self.channels,
                bitrate_kbps=form.bitrate_kbps,
                begins_s=seen.begins_s if seen else 0.0,
                picture=seen.path if seen else None,
                words=tags.words_of(self.source.path) if self.source else {},
            )
        elif kind.sound:
            container, subtype = kind.sound
            subtype = (kind.depths or {}).get(form.depth or "", subtype)
            size = self._draft.frames * self.channels * _BYTES.get(subtype, 0)
            container = "RF64" if container == "WAV" and size > LARGEST_WAV else container
            rate_hz, channels = form.sample_rate_hz, self.channels
            with soundfile.SoundFile(
                final, "w", rate_hz, channels, subtype=subtype, format=container
            ) as file:
                order = _VORBIS_ORDER.get(channels) if container == "OGG" else None
                for block in blocks:
                    file.write(block if order is None else block[:, order])


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Turn a fault of the disk or of the codec into one sentence."""
    try:
        yield
    except (OSError, ValueError, soundfile.SoundFileError, av.FFmpegError) as error:
        said = reason(error)
        if "System error" in said:  # all that libsndfile tells of a full disk
            said = "the disk took no more; it is full, or a limit is reached"
        raise UsageError(f"cannot write {target}: {said}") from error
