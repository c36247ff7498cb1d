"""Any file that FFmpeg reads, as float32 blocks at its own rate."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

import av
import numpy as np
from av.audio.frame import AudioFrame, format_dtypes
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from ...core.errors import AudioError, reason
from ...core.spec import Array
from .ogg import mended_tail

_DEMUXERS = (
    *("wav", "w64", "aiff", "au", "caf", "flac", "ogg", "mp3", "aac", "ac3", "eac3", "amr", "ape"),
    *(
        "mov,mp4,m4a,3gp,3g2,mj2",
        "matroska,webm",
        "asf",
        "avi",
        "mpegts",
        "mpeg",
        "flv",
        "wv",
        "tta",
    ),
)
_OPTIONS = {"format_whitelist": ",".join(_DEMUXERS)}
BLOCK = 65_536
MOST_CHANNELS = 512
"""As many as FFmpeg knows of."""
_MOST_CONVERTED = 64
"""As many channels as FFmpeg converts; files that hold more are PCM, of one kind throughout."""
_MOST_PLANES = 7
"""As many as PyAV counts: it looks for one that is none, where a frame has room for 8."""
_NAMED_FAULTS = {
    av.error.InvalidDataError: "it is no audio of a known format",
    av.error.ArgumentError: "it is no audio of a known format",
    av.error.EOFError: "it ends before any audio",
    av.error.PermissionError: "reading it is not permitted",
    av.error.PatchWelcomeError: "its kind of coding is not supported",
}


def container_of(file: BinaryIO) -> InputContainer:
    """An open file for FFmpeg to read; raises `av.FFmpegError` where it cannot."""
    # Not by name, and of these kinds alone: playlists and protocols reach for other files.
    return av.open(file, "r", options=_OPTIONS, metadata_errors="replace")


class Decoder:
    """An open file: its first audio track, decoded from the beginning to the last whole packet.

    Raises `AudioError` on entering for what is not audio.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        """Packets that could not be decoded, so far."""
        self.begins_s = 0.0
        """When the first sample is to be heard, once it has been decoded."""
        self.is_cut = False
        """Whether the last page of an Ogg file is not whole."""
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with self._open as resources:
            try:
                self._container = resources.enter_context(container_of(self._mended(resources)))
            except (av.FFmpegError, OSError, ValueError) as error:
                raise AudioError(
                    f"{self.path} cannot be read: {_reason(error, self.path)}"
                ) from error
            if not self._container.streams.audio:
                raise AudioError(
                    f"{self.path} holds no audio; a file with an audio track is needed"
                )
            self.track: AudioStream = self._container.streams.audio[0]
            if self.track.codec_context is None:
                raise AudioError(f"{self.path} cannot be read: its kind of coding is not supported")
            self.tracks = len(self._container.streams.audio)
            self.subtitles = len(self._container.streams.subtitles)
            self.sample_rate_hz = self.track.rate or 0
            self.channels = self.track.channels or 0
            self._layout = self.track.layout.name  # the track's own changes with its frames
            if not 1 <= self.channels <= MOST_CHANNELS:
                raise AudioError(
                    f"{self.path} has no number of channels that is accepted: 1 to {MOST_CHANNELS}"
                )
            self._open = resources.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def has_picture(self) -> bool:
        """Whether it is a video; the cover of a song is none."""
        still = av.stream.Disposition.attached_pic
        return any(not one.disposition & still for one in self._container.streams.video)

    def blocks(self) -> Iterator[Array]:
        """Blocks (n, channels) of about `BLOCK` samples, the last one shorter."""
        waiting: list[Array] = []
        count = 0
        for wave in self._waves():
            waiting.append(wave)
            count += len(wave)
            if count * self.channels >= BLOCK:
                yield np.concatenate(waiting)
                waiting, count = [], 0
        if count:
            yield np.concatenate(waiting)

    def _waves(self) -> Iterator[Array]:
        converter, made_for = None, None
        for number, frame in enumerate(self._frames()):
            if number == 0:
                self.begins_s = max(0.0, frame.time or 0.0)
            if self._is_plain(frame):
                converter = None
                yield _scaled(frame, self.channels)
                continue
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if converter is None or kind != made_for:
                converter, made_for = self._converter(), kind
            try:
                yield from (_scaled(one, self.channels) for one in converter.resample(frame))
            except av.FFmpegError:  # a rate of zero, and what else a damaged frame may claim
                self.damaged, converter = self.damaged + 1, None
        if converter is not None:
            yield from (_scaled(one, self.channels) for one in converter.resample(None))

    def _is_plain(self, frame: AudioFrame) -> bool:
        """Whether nothing but scaling is wanting; files joined end to end may change on the way.

        FFmpeg's converter ends every frame with an error, in which PyAV can lose a signal.
        """
        if self.channels > _MOST_CONVERTED:
            return True
        kind, own = (frame.layout.name, frame.sample_rate), (self._layout, self.sample_rate_hz)
        fits = self.channels <= _MOST_PLANES or not frame.format.is_planar
        return fits and kind == own and frame.format.name in format_dtypes

    def _converter(self) -> AudioResampler:
        # Channels side by side: with a plane for each, PyAV can crash.
        return AudioResampler("flt", self._layout, self.sample_rate_hz)

    def _frames(self) -> Iterator[AudioFrame]:
        """Frames of the track; a packet that cannot be decoded is counted and passed over."""
        packets = self._container.demux(self.track)
        while True:
            try:
                frames = next(packets).decode()
            except StopIteration:
                return
            except av.EOFError:
                return
            except av.FFmpegError:
                self.damaged += 1
                if self.damaged > 10_000:
                    return
                continue
            yield from frames

    def _mended(self, resources: ExitStack) -> BinaryIO:
        """The file, or a copy whose last page is whole."""
        file = resources.enter_context(self.path.open("rb"))
        tail = mended_tail(file)
        if tail is None:
            return file
        self.is_cut = True
        mended = resources.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        shutil.copyfileobj(file, mended)
        mended.seek(tail[0])
        mended.truncate()
        mended.write(tail[1])
        mended.seek(0)
        return cast("BinaryIO", mended)


def _scaled(frame: AudioFrame, channels: int) -> Array:
    """Samples (n, channels) with full scale at 1.0."""
    samples = frame.to_ndarray()
    samples = samples.T if frame.format.is_planar else samples.reshape(-1, channels)
    if samples.dtype.kind == "f":
        return np.asarray(samples, np.float32)
    middle = 128 if samples.dtype.kind == "u" else 0
    full_scale = np.float32(1 << (8 * samples.itemsize - 1))
    return (samples.astype(np.float32) - middle) / full_scale


def _reason(error: Exception, path: Path) -> str:
    """A fault in our words: FFmpeg's name its functions."""
    for kind, words in _NAMED_FAULTS.items():
        if isinstance(error, kind):
            return words
    return reason(error, path)
