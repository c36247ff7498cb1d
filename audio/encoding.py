"""Compressed sound, and videos whose picture is kept, written by FFmpeg."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from ..core.spec import Array
from .decoding import container_of

_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
_BITRATES_KBPS = {"libmp3lame": 128, "libopus": 64, "aac": 96}
"""For each channel, unless another is asked for."""
_EXACT = {"fflags": "+bitexact"}
OPUS_RATES_HZ = (8000, 12_000, 16_000, 24_000, 48_000)


def rates_hz(codec: str) -> tuple[int, ...]:
    """The sample rates that a codec takes."""
    if codec == "libopus":
        return OPUS_RATES_HZ
    return tuple(sorted(av.Codec(codec, "w").audio_rates or ()))


def encode(
    target: Path,
    muxed: tuple[str, str],
    blocks: Iterable[Array],
    *,
    sample_rate_hz: int,
    channels: int,
    bitrate_kbps: int | None = None,
    begins_s: float = 0.0,
    picture: Path | None = None,
) -> None:
    """Write blocks (n, channels) as a file of a muxer and a codec, with the picture of a video.

    Raises ValueError where the container does not take the picture, `av.FFmpegError` for faults.
    """
    muxer, codec = muxed
    with ExitStack() as resources:
        out = resources.enter_context(av.open(str(target), "w", format=muxer, options=_EXACT))
        sound = _sound(out, codec, sample_rate_hz, channels, bitrate_kbps)
        seen = _seen(resources, out, picture) if picture else iter(())
        heard = _encoded(sound, blocks, round(begins_s * sample_rate_hz))
        for packet in heapq.merge(seen, heard, key=_time_s):
            out.mux(packet)


def _sound(
    out: OutputContainer, codec: str, sample_rate_hz: int, channels: int, kbps: int | None
) -> AudioStream:
    layout = _LAYOUTS[channels - 1]
    sound = cast("AudioStream", out.add_stream(codec, rate=sample_rate_hz, layout=layout))
    sound.bit_rate = 1000 * (kbps or _BITRATES_KBPS[codec] * channels)
    sound.codec_context.flags |= av.codec.context.Flags.bitexact
    return sound


def _encoded(sound: AudioStream, blocks: Iterable[Array], begin: int) -> Iterator[Packet[Any]]:
    position = begin
    rate = sound.codec_context.sample_rate
    for block in blocks:
        planes = np.ascontiguousarray(block.T, np.float32)
        frame = AudioFrame.from_ndarray(planes, format="fltp", layout=sound.layout.name)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), position
        position += len(block)
        yield from sound.encode(frame)
    yield from sound.encode(None)


def _seen(resources: ExitStack, out: OutputContainer, source: Path) -> Iterator[Packet[Any]]:
    """The packets of a video's picture, bound for a stream of the same kind in `out`."""
    container = resources.enter_context(container_of(resources.enter_context(source.open("rb"))))
    try:
        stream = out.add_stream_from_template(container.streams.video[0])
    except ValueError as error:
        raise ValueError(
            f"this kind of file does not take the picture of {source}; try .mkv"
        ) from error
    return (_bound(packet, stream) for packet in container.demux(video=0) if packet.dts is not None)


def _bound(packet: Packet[Any], stream: Stream) -> Packet[Any]:
    packet.stream = stream
    return packet


def _time_s(packet: Packet[Any]) -> float:
    return float((packet.dts or 0) * packet.time_base)
