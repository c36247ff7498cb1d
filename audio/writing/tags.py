"""Title, artist, cover and time reference, carried from a file to what was made of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import mutagen
from mutagen.asf import ASF
from mutagen.easyid3 import EasyID3
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3
from mutagen.mp4 import MP4, MP4Cover
from mutagen.ogg import OggFileType

from ..reading import riff
from ..reading.decoding import container_of

_TIME_REFERENCE = b"bext"
_PICTURE = "metadata_block_picture"
"""Under which Ogg files keep a cover, in base64."""
_NAMES = {
    **dict.fromkeys(("title", "artist", "album", "composer", "date", "genre", "copyright")),
    "album_artist": "albumartist",
    "track": "tracknumber",
    "disc": "discnumber",
}
"""FFmpeg's names of words, and mutagen's where these are others."""


def carry_over(source: Path, target: Path) -> None:
    """Copy what both kinds of file can hold; tags that cannot be read are left behind."""
    # What parsers of foreign tags stumble over shares no narrower base.
    with suppress(Exception):
        _copy_words(source, target)
    with suppress(Exception):
        _copy_cover(source, target)
    _copy_time_reference(source, target)


def words_of(source: Path) -> dict[str, str]:
    """Title, artist and the like of a file, by FFmpeg's names; none where they cannot be read."""
    words: Mapping[str, Any] = {}
    with suppress(Exception):
        words = _words(source)
    found = {name: words.get(own or name) for name, own in _NAMES.items()}
    return {name: "; ".join(map(str, texts)) for name, texts in found.items() if texts}


def _copy_words(source: Path, target: Path) -> None:
    words, made = _words(source), mutagen.File(target, easy=True)
    if made is None or not words:
        return
    if made.tags is None:
        made.add_tags()
    for name, texts in words.items():
        with suppress(Exception):  # a name that this kind of file has no place for
            if isinstance(made.tags, ID3):
                EasyID3.Set[name](made.tags, name, texts)
            else:
                made[name] = texts
    made.save()


def _words(source: Path) -> dict[str, list[str]]:
    """The words of a file by mutagen's easy names."""
    given = mutagen.File(source, easy=True)
    tags = None if given is None or isinstance(given, ASF) else given.tags
    if isinstance(tags, ID3):  # of WAV and AIFF, for which mutagen has no easy names
        words = {}
        for name, get in EasyID3.Get.items():
            with suppress(Exception):  # it has none of this name
                words[name] = get(tags, name)
    else:
        words = {name: texts for name, texts in (tags or {}).items() if name != _PICTURE}
    return words or _words_by_ffmpeg(source)


def _words_by_ffmpeg(source: Path) -> dict[str, list[str]]:
    """Of files that mutagen does not know, and of WAV files with a list of their own."""
    with source.open("rb") as file, container_of(file) as container:
        told = {**container.streams.audio[0].metadata, **container.metadata}
    given = {name.lower(): text for name, text in told.items()}
    return {own or name: [given[name]] for name, own in _NAMES.items() if given.get(name)}


def _copy_cover(source: Path, target: Path) -> None:
    cover = _cover(mutagen.File(source))
    made = mutagen.File(target)
    if cover is None or made is None:
        return
    kind, data = cover
    if isinstance(made, FLAC):
        made.add_picture(_picture(kind, data))
    elif isinstance(made, OggFileType):
        made[_PICTURE] = [base64.b64encode(_picture(kind, data).write()).decode()]
    elif isinstance(made, MP4):
        form = MP4Cover.FORMAT_PNG if kind == "image/png" else MP4Cover.FORMAT_JPEG
        made["covr"] = [MP4Cover(data, form)]
    else:
        if made.tags is None:
            made.add_tags()
        made.tags.add(APIC(encoding=3, mime=kind, type=3, data=data))
    made.save()


def _picture(kind: str, data: bytes) -> Picture:
    picture = Picture()
    picture.type, picture.mime, picture.data = 3, kind, data
    return picture


def _cover(file: Any) -> tuple[str, bytes] | None:
    """Kind and content of a file's first picture."""
    if isinstance(file, FLAC):
        return next(((p.mime, p.data) for p in file.pictures), None)
    if file is None or file.tags is None:
        return None
    if isinstance(file, OggFileType):
        kept = (Picture(base64.b64decode(text)) for text in file.tags.get(_PICTURE, []))
        return next(((p.mime, p.data) for p in kept), None)
    if isinstance(file, MP4):
        covers = file.tags.get("covr", [])
        is_png = covers and covers[0].imageformat == MP4Cover.FORMAT_PNG
        return ("image/png" if is_png else "image/jpeg", bytes(covers[0])) if covers else None
    if hasattr(file.tags, "getall"):
        return next(((p.mime, p.data) for p in file.tags.getall("APIC")), None)
    return None


def _copy_time_reference(source: Path, target: Path) -> None:
    """When a broadcast WAV was recorded, in samples of its own rate since midnight."""
    given = riff.read_riff(source)
    made = riff.read_riff(target)
    if given is None or made is None or (chunk := given.find(_TIME_REFERENCE)) is None:
        return
    riff.append(target, _TIME_REFERENCE, riff.content(source, chunk))
