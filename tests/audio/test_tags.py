"""Title, artist and cover go from every kind of file to every other, as FFmpeg reads them there."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import made_files as made
import mutagen
import numpy as np
import pytest
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TIT2, TPE1
from mutagen.mp4 import MP4Cover

from hiresldm.audio.formats import WRITE_FORMATS
from hiresldm.audio.reading.reader import AudioReader
from hiresldm.audio.writing.writer import AudioWriter

SPEECH = np.full(4800, 0.01, np.float32)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
WORDS = {"title": "A talk", "artist": "Someone"}


def _picture() -> Picture:
    picture = Picture()
    picture.type, picture.mime, picture.data = 3, "image/png", PNG
    return picture


def _easy(muxer: str, codec: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(made.encoded(SPEECH, muxer, codec))
        file = mutagen.File(path, easy=True)
        if file.tags is None:
            file.add_tags()
        file.update(WORDS)
        file.save()
        file = mutagen.File(path)
        if isinstance(file, FLAC):
            file.add_picture(_picture())
        elif isinstance(file.tags, ID3):
            file.tags.add(APIC(encoding=3, mime="image/png", type=3, data=PNG))
        elif muxer == "ogg":
            file["metadata_block_picture"] = [base64.b64encode(_picture().write()).decode()]
        else:
            file["covr"] = [MP4Cover(PNG, MP4Cover.FORMAT_PNG)]
        file.save()

    return write


def _wav_with_id3(path: Path) -> None:
    path.write_bytes(made.wav(SPEECH))
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(TIT2(encoding=3, text=[WORDS["title"]]))
    file.tags.add(TPE1(encoding=3, text=[WORDS["artist"]]))
    file.tags.add(APIC(encoding=3, mime="image/png", type=3, data=PNG))
    file.save()


def _wav_with_info(path: Path) -> None:
    """As field recorders write it."""
    words = {b"INAM": b"A talk\0\0", b"IART": b"Someone\0"}
    inside = b"INFO" + b"".join(k + struct.pack("<I", len(v)) + v for k, v in words.items())
    content = made.wav(SPEECH) + b"LIST" + struct.pack("<I", len(inside)) + inside
    path.write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])


def _matroska(path: Path) -> None:
    with av.open(str(path), "w", format="matroska") as out:
        out.metadata.update(WORDS)
        stream = out.add_stream("flac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(SPEECH[None], "flt", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)


SOURCES = {
    "id3.wav": _wav_with_id3,
    "in.flac": _easy("flac", "flac"),
    "in.mp3": _easy("mp3", "libmp3lame"),
    "in.m4a": _easy("ipod", "aac"),
    "in.opus": _easy("ogg", "libopus"),
    "info.wav": _wav_with_info,
    "in.mka": _matroska,
}
WITHOUT_COVER = {"info.wav", "in.mka"}


@pytest.mark.parametrize("suffix", WRITE_FORMATS)
@pytest.mark.parametrize("name", SOURCES)
def test_words_and_cover_arrive(tmp_path: Path, name: str, suffix: str) -> None:
    SOURCES[name](tmp_path / name)
    out = tmp_path / f"out{suffix}"
    with AudioWriter(out, channels=1, source=AudioReader(tmp_path / name)) as writer:
        writer.write(SPEECH[:, None])
    with av.open(str(out)) as file:
        told = {**file.streams.audio[0].metadata, **file.metadata}
        found = {key.lower(): words for key, words in told.items()}
        covers = len(file.streams.video)
    assert found.items() >= WORDS.items()
    has_place = suffix not in (".mkv", ".webm")
    assert covers == (name not in WITHOUT_COVER and has_place)
