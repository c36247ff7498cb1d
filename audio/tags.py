"""Title, artist, cover and time reference, carried from a file to what was made of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import mutagen
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC
from mutagen.mp4 import MP4, MP4Cover

from . import riff

_TIME_REFERENCE = b"bext"


def carry_over(source: Path, target: Path) -> None:
    """Copy what both kinds of file can hold; tags that cannot be read are left behind."""
    # What parsers of foreign tags stumble over shares no narrower base.
    with suppress(Exception):
        _copy_words(source, target)
    with suppress(Exception):
        _copy_cover(source, target)
    _copy_time_reference(source, target)


def _copy_words(source: Path, target: Path) -> None:
    given, made = mutagen.File(source, easy=True), mutagen.File(target, easy=True)
    if given is None or made is None or not given.tags:
        return
    if made.tags is None:
        made.add_tags()
    for name, words in given.tags.items():
        with suppress(Exception):  # a name that this kind of file has no place for
            made[name] = words
    made.save()


def _copy_cover(source: Path, target: Path) -> None:
    cover = _cover(mutagen.File(source))
    made = mutagen.File(target)
    if cover is None or made is None:
        return
    kind, data = cover
    if isinstance(made, FLAC):
        picture = Picture()
        picture.type, picture.mime, picture.data = 3, kind, data
        made.add_picture(picture)
    elif isinstance(made, MP4):
        form = MP4Cover.FORMAT_PNG if kind == "image/png" else MP4Cover.FORMAT_JPEG
        made["covr"] = [MP4Cover(data, form)]
    elif hasattr(made.tags, "add"):
        made.tags.add(APIC(encoding=3, mime=kind, type=3, data=data))
    else:
        return
    made.save()


def _cover(file: Any) -> tuple[str, bytes] | None:
    """Kind and content of a file's first picture."""
    if file is None or file.tags is None:
        return None
    if isinstance(file, FLAC):
        return next(((p.mime, p.data) for p in file.pictures), None)
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
