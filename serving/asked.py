"""What a client asks for in the query of its address: values of known names, never a path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..audio.files import Wanted
from ..audio.formats import WRITE_FORMATS
from ..audio.writing.writer import Form
from ..core import arguments
from ..core.errors import UsageError
from ..core.signal.rates import check_rate
from ..core.streams import LATENCIES

ENCODINGS = {"s16": "<i2", "f32": "<f4"}
"""Samples of live streams, little-endian, channels interleaved."""
MOST_CHANNELS = 8


@dataclass(frozen=True)
class Live:
    """A stream as its client sends it."""

    rate_hz: int
    channels: int
    encoding: str
    latency: str
    steps: int | None
    seed: int


def file_asked(query: Mapping[str, str]) -> tuple[Wanted, str]:
    """How a recording is to be restored, and the ending of the result; raises `UsageError`."""
    _check_names(query, ("format", "steps", "seed", "strength", "mono", "bitrate"))
    kind = WRITE_FORMATS.get(f".{query.get('format', 'flac')}")
    if kind is None or kind.video:
        accepted = ", ".join(name[1:] for name, one in WRITE_FORMATS.items() if not one.video)
        raise UsageError(f"format is {query['format'][:40]!r}; accepted: {accepted}")
    wanted = Wanted(
        steps=_whole(query, "steps"),
        seed=_whole(query, "seed") or 0,
        strength=arguments.share(_number(query, "strength", 1.0), "strength"),
        is_mono=query.get("mono", "0") in {"1", "true"},
        form=Form(bitrate_kbps=_whole(query, "bitrate")),
    )
    return wanted, f".{query.get('format', 'flac')}"


def live_asked(query: Mapping[str, str]) -> Live:
    """What kind of stream comes; raises `UsageError`, and `AudioError` for a rate that is none."""
    _check_names(query, ("rate", "channels", "encoding", "latency", "steps", "seed"))
    rate_hz, channels = _whole(query, "rate"), _whole(query, "channels") or 1
    encoding = query.get("encoding", "s16")
    if rate_hz is None:
        raise UsageError("rate is missing; give the samples per second, as in ?rate=16000")
    check_rate(rate_hz, "the stream")
    if encoding not in ENCODINGS or not 1 <= channels <= MOST_CHANNELS:
        raise UsageError(
            f"accepted are 1 to {MOST_CHANNELS} channels and the encodings {', '.join(ENCODINGS)}"
        )
    latency = query.get("latency", "quality")
    if latency not in LATENCIES:
        raise UsageError(f"latency is {latency[:40]!r}; accepted: {', '.join(LATENCIES)}")
    steps, seed = _whole(query, "steps"), _whole(query, "seed") or 0
    return Live(rate_hz, channels, encoding, latency, steps, seed)


def _check_names(query: Mapping[str, str], known: tuple[str, ...]) -> None:
    if unknown := set(query) - set(known):
        raise UsageError(f"there is no {min(unknown)[:40]!r}; accepted: {', '.join(known)}")


def _whole(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise UsageError(f"{name} is {text[:40]!r}; accepted are whole numbers")
    return int(text)


def _number(query: Mapping[str, str], name: str, usual: float) -> float:
    try:
        return float(query.get(name, usual))
    except ValueError as error:
        raise UsageError(f"{name} is {query[name][:40]!r}; accepted are numbers") from error
