"""Compressed sound, and videos whose picture is kept, written by FFmpeg."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterable, Iterator, Mapping
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

from ...core.spec import Array
from ..reading.decoding import container_of

_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
_BITRATES_KBPS = {"libmp3lame": 128, "libopus": 64, "aac": 96}
"""For each channel, unless another is asked for."""
_EXACT = {"fflags": "+bitexact"}
_TAGGED_HERE = ("matroska", "webm")
_OF_A_TAKE = {"creation_time", "location"}
"""What a camera notes of a video besides its tags."""
OPUS_KBPS_A_CHANNEL = 256
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
    words: Mapping[str, str] = {},
) -> None:
    """Write blocks (n, channels) as a file of a muxer and a codec, with the picture of a video.

    `words` are title, artist and the like, for containers whose tags FFmpeg alone writes.
    Raises ValueError where the container does not take the picture, `av.FFmpegError` for faults.
    """
    muxer, codec = muxed
    with ExitStack() as resources:
        out = resources.enter_context(av.open(str(target), "w", format=muxer, options=_EXACT))
        if muxer in _TAGGED_HERE:
            out.metadata.update(words)
        sound = _sound(out, codec, sample_rate_hz, channels, bitrate_kbps)
        seen = _seen(resources, out, picture) if picture else iter(())
        heard = _encoded(sound, blocks, round(begins_s * sample_rate_hz))
        for packet in heapq.merge(seen, heard, key=_time_s):
            out.mux(packet)


def try_picture(muxed: tuple[str, str], picture: Path) -> None:
    """Raise ValueError where files of a muxer and a codec do not take the picture of a video."""
    muxer, codec = muxed
    with ExitStack() as resources:
        out = resources.enter_context(av.open(io.BytesIO(), "w", format=muxer))
        _sound(out, codec, OPUS_RATES_HZ[-1], 1, None)
        _seen(resources, out, picture)


def _sound(
    out: OutputContainer, codec: str, sample_rate_hz: int, channels: int, kbps: int | None
) -> AudioStream:
    layout = _LAYOUTS[channels - 1]
    # The mapping that FFmpeg takes by itself puts five and seven channels in each other's places.
    options = {"mapping_family": "1"} if codec == "libopus" and channels > 2 else {}
    stream = out.add_stream(codec, rate=sample_rate_hz, layout=layout, options=options)
    sound = cast("AudioStream", stream)
    sound.bit_rate = 1000 * (kbps or _BITRATES_KBPS[codec] * channels)
    sound.codec_context.flags |= av.codec.context.Flags.bitexact
    return sound


def _encoded(sound: AudioStream, blocks: Iterable[Array], begin: int) -> Iterator[Packet[Any]]:
    position = begin
    rate = sound.codec_context.sample_rate
    for block in filter(len, blocks):  # a frame of nothing is refused as if memory were full
        # Channels side by side: with a plane for each, PyAV looks for a ninth beside eight.
        samples = np.asarray(block, np.float32).reshape(1, -1)
        frame = AudioFrame.from_ndarray(samples, format="flt", layout=sound.layout.name)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), position
        position += len(block)
        yield from sound.encode(frame)
    yield from sound.encode(None)


def _seen(resources: ExitStack, out: OutputContainer, source: Path) -> Iterator[Packet[Any]]:
    """The packets of a video's picture, bound for a stream of the same kind in `out`."""
    container = resources.enter_context(container_of(resources.enter_context(source.open("rb"))))
    out.metadata.update(
        {name: container.metadata[name] for name in _OF_A_TAKE & {*container.metadata}}
    )
    try:
        stream = out.add_stream_from_template(container.streams.video[0])
        out.start_encoding()  # some pictures are refused only here
    except (ValueError, av.FFmpegError) as error:
        raise ValueError(
            f"this kind of file does not take the picture of {source}; .mkv takes most"
        ) from error
    return (_bound(packet, stream) for packet in container.demux(video=0) if packet.dts is not None)


def _bound(packet: Packet[Any], stream: Stream) -> Packet[Any]:
    packet.stream = stream
    return packet


def _time_s(packet: Packet[Any]) -> float:
    return float((packet.dts or 0) * packet.time_base)
