"""Files as people have them: of phones and messengers, joined, cut, with headers that lie."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

from hiresldm.core.spec import Array

RATE_HZ = 48_000


def encoded(
    wave: Array,
    muxer: str,
    codec: str,
    *,
    rate_hz: int = RATE_HZ,
    muxing: Mapping[str, str] | None = None,
    coding: Mapping[str, str] | None = None,
) -> bytes:
    """A wave (N,) at 48 kHz as a file of a muxer and codec."""
    target = io.BytesIO()
    with av.open(target, "w", format=muxer, options=dict(muxing or {})) as out:
        stream = out.add_stream(codec, rate=rate_hz, layout="mono", options=dict(coding or {}))
        frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    return target.getvalue()


def variable_rate_mp3(speech: Array) -> bytes:
    """Silence, then speech, at a bit rate that follows it, and no header that tells of this."""
    quiet = np.zeros(RATE_HZ, np.float32)
    return encoded(
        np.concatenate([quiet, speech]),
        "mp3",
        "libmp3lame",
        muxing={"write_xing": "0"},
        coding={"b": "0", "flags": "+qscale", "global_quality": "236"},
    )


def ogg(speech: Array) -> bytes:
    """Speech as Ogg Vorbis."""
    target = io.BytesIO()
    soundfile.write(target, speech, RATE_HZ, format="OGG", subtype="VORBIS")
    return target.getvalue()


def wav(speech: Array) -> bytes:
    """Speech as 16-bit WAV."""
    target = io.BytesIO()
    soundfile.write(target, speech, RATE_HZ, format="WAV", subtype="PCM_16")
    return target.getvalue()


def wav_of_size(speech: Array, size: int) -> bytes:
    """The same with another size of data in its header."""
    made = bytearray(wav(speech))
    made[40:44] = size.to_bytes(4, "little")
    return bytes(made)


def flac_of_open_length(speech: Array) -> bytes:
    """FLAC as it comes from a pipe: its header leaves the length open."""
    made = bytearray(encoded(speech, "flac", "flac"))
    made[21] &= 0xF0  # the upper 4 of 36 bits of the number of samples
    made[22:26] = bytes(4)
    return bytes(made)


def video(path: Path, speech: Array) -> None:
    """Two seconds of a picture that brightens, with speech that begins after half a second."""
    with av.open(str(path), "w") as out:
        seen = out.add_stream("mpeg4", rate=10)
        seen.width, seen.height, seen.pix_fmt = 64, 48, "yuv420p"
        heard = out.add_stream("aac", rate=RATE_HZ, layout="mono")
        for number in range(20):
            shade = np.full((48, 64, 3), 10 * number, np.uint8)
            for packet in seen.encode(av.VideoFrame.from_ndarray(shade, "rgb24")):
                out.mux(packet)
        frame = av.AudioFrame.from_ndarray(speech[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, RATE_HZ // 2, Fraction(1, RATE_HZ)
        for packet in (*heard.encode(frame), *heard.encode(None), *seen.encode(None)):
            out.mux(packet)
