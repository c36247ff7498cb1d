"""What is read and written: endings, containers, codecs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

READ_SUFFIXES = (
    *(
        ".wav",
        ".flac",
        ".ogg",
        ".oga",
        ".mp3",
        ".opus",
        ".aiff",
        ".aif",
        ".aifc",
        ".caf",
        ".w64",
        ".au",
    ),
    *(".m4a", ".m4b", ".aac", ".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".webm", ".mka", ".mkv"),
    *(".wma", ".amr", ".mp2", ".ac3", ".avi", ".ts", ".rf64", ".bwf"),
)
"""What is taken in a folder; a file named by itself is read whatever it is called."""


DRAFTS = ".restoring-"
"""How folders begin in which results lie that are not finished."""


@dataclass(frozen=True)
class Format:
    """How a file is written: by libsndfile (container, subtype) or FFmpeg (muxer, codec)."""

    sound: tuple[str, str] | None = None
    muxed: tuple[str, str] | None = None
    channels: int = 1024
    """As many as it holds."""
    depths: Mapping[str, str] | None = None
    """libsndfile's subtypes by bit depth, where there is a choice."""
    bitrates_kbps: tuple[int, int] | None = None
    """Least and most that may be asked for."""
    most_hz: int | None = None
    """The highest sample rate that libsndfile's codec takes; past it libvorbis crashes."""
    video: bool = False


_PCM = {"16": "PCM_16", "24": "PCM_24", "float": "FLOAT"}
WRITE_FORMATS: Mapping[str, Format] = {
    ".wav": Format(("WAV", "PCM_24"), depths=_PCM),
    ".flac": Format(
        ("FLAC", "PCM_24"), channels=8, depths={"16": "PCM_16", "24": "PCM_24"}, most_hz=655_350
    ),
    ".ogg": Format(("OGG", "VORBIS"), channels=255, most_hz=200_000),
    ".mp3": Format(muxed=("mp3", "libmp3lame"), channels=2, bitrates_kbps=(32, 320)),
    ".opus": Format(muxed=("ogg", "libopus"), channels=8, bitrates_kbps=(6, 510)),
    ".m4a": Format(muxed=("ipod", "aac"), channels=8, bitrates_kbps=(32, 512)),
    ".mp4": Format(muxed=("mp4", "aac"), channels=8, bitrates_kbps=(32, 512), video=True),
    ".mov": Format(muxed=("mov", "aac"), channels=8, bitrates_kbps=(32, 512), video=True),
    ".mkv": Format(muxed=("matroska", "aac"), channels=8, bitrates_kbps=(32, 512), video=True),
    ".webm": Format(muxed=("webm", "libopus"), channels=8, bitrates_kbps=(6, 510), video=True),
}


def format_of(target: Path) -> Format | None:
    """How a file of this name is written, None for an ending that is not."""
    return WRITE_FORMATS.get(target.suffix.lower())
