"""Ogg files that end in the middle of a page, as when a recorder lost power."""

from __future__ import annotations

from typing import BinaryIO

from mutagen.ogg import OggPage

_CAPTURE = b"OggS"
_HEADER = 27
_LARGEST_PAGE = 65_307


def mended_tail(file: BinaryIO) -> tuple[int, bytes] | None:
    """Where a cut last page begins, and that page with the packets it holds; None if none is cut.

    Decoders drop a page that is not whole, and in short files one page is all there is.
    """
    begin = max(0, file.seek(0, 2) - _LARGEST_PAGE)
    file.seek(begin)
    tail = file.read()
    file.seek(0)
    is_ogg = file.read(4) == _CAPTURE
    file.seek(0)
    if not is_ogg:
        return None
    at = tail.rfind(_CAPTURE)
    if at < 0 or len(tail) - at < _HEADER:
        return None
    page = tail[at:]
    count = page[26]
    lengths = page[_HEADER : _HEADER + count]
    if len(lengths) == count and _HEADER + count + sum(lengths) <= len(page):
        return None
    return begin + at, _shortened(page, lengths)


def _shortened(page: bytes, lengths: bytes) -> bytes:
    """The page with those of its packets that are whole."""
    made = OggPage()
    made.version, made.continued = page[4], bool(page[5] & 1)
    made.position = -1  # of no packet is it known where it ends
    made.serial = int.from_bytes(page[14:18], "little")
    made.sequence = int.from_bytes(page[18:22], "little")
    at, packet = _HEADER + page[26], 0
    for length in lengths:
        packet += length
        if length < 255:
            if at + packet > len(page):
                break
            made.packets.append(page[at : at + packet])
            at, packet = at + packet, 0
    return bytes(made.write())
