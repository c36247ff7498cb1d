"""A clip to restored clips with their records: all that is done to one, in one function."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from ..audio.files import Wanted, restore_file
from ..audio.reading.reader import AudioReader
from ..audio.writing.writer import AudioWriter, Form
from ..core.errors import AudioError
from ..core.restorer import Restorer
from ..core.signal.metrics import RATE_HZ
from ..core.spec import Array
from .clip import Clip, Kept, Record
from .scoring import scores
from .silence import pieces

LONGEST_S = 300.0
"""Of what is scored as one piece: memory grows with it."""
_SCORED_S = 0.1
"""What is shorter has no scores."""


@dataclass(frozen=True)
class Cleaning:
    """How every clip of a corpus is cleaned."""

    wanted: Wanted = field(default_factory=Wanted)
    ending: str = ".flac"
    """Of the files, which names their format."""
    longest_s: float | None = None
    """Of the pieces into which clips are cut at silence; None: clips stay whole."""
    has_dnsmos: bool = False


def clean(clip: Clip, restorer: Restorer, how: Cleaning, folder: Path) -> list[Kept]:
    """Restore a clip into files in `folder`: one, or its pieces; the same clip, the same bytes.

    Raises `AudioError` for a clip that cannot be restored, and for one of more than `LONGEST_S`
    that is not cut.
    """
    given, made = folder / "given", folder / "made.wav"
    content = clip.read()
    given.write_bytes(content)
    _check_length(given, how)
    digest = hashlib.sha256(content).hexdigest()
    wanted = Wanted(how.wanted.steps, _seed(digest), how.wanted.strength, how.wanted.is_mono)
    restored = restore_file(restorer, given, made, wanted)
    about: Record = {
        "key": clip.key,
        "sha256": digest,
        "seed": wanted.seed,
        "steps": restored.steps,
        "channels": restored.channels,
        "input_rate_hz": restored.input_rate_hz,
        "output_rate_hz": restored.output_rate_hz,
        "warnings": [named(one, folder, clip) for one in restored.warnings],
        "fields": dict(clip.fields),
    }
    return list(_pieces(about, given, made, how, folder))


def _pieces(about: Record, given: Path, made: Path, how: Cleaning, folder: Path) -> Iterator[Kept]:
    before, after = (_mono(path, folder / f"{path.stem}.f32") for path in (given, made))
    spans = [(0.0, len(after) / RATE_HZ)]
    if how.longest_s is not None:
        spans = pieces(after, RATE_HZ, how.longest_s)
        if not spans:
            raise AudioError(f"{given} holds no speech")
    for number, (begin_s, end_s) in enumerate(spans):
        key = about["key"] if how.longest_s is None else f"{about['key']}-{number:04d}"
        path = folder / f"{number:04d}{how.ending}"
        duration_s = _cut(made, path, begin_s, end_s, how.wanted.form)
        here = slice(round(begin_s * RATE_HZ), round(end_s * RATE_HZ))
        judged = (before[here], after[here])
        count = min(map(len, judged))  # a length that was rounded twice may be a sample off
        known = scores(*(np.array(wave[:count]) for wave in judged), has_dnsmos=how.has_dnsmos)
        placed = {"clip": about["key"], "begin_s": round(begin_s, 3), "duration_s": duration_s}
        yield Kept({**about, "key": key, **placed, **known}, path)


def _cut(made: Path, path: Path, begin_s: float, end_s: float, form: Form) -> float:
    """Write a part of a restored file; gives its seconds."""
    with soundfile.SoundFile(made) as file:
        rate_hz = file.samplerate
        begin, end = round(begin_s * rate_hz), min(round(end_s * rate_hz), len(file))
        file.seek(begin)
        own = Form(rate_hz, form.depth, form.bitrate_kbps)
        with AudioWriter(path, channels=file.channels, rate_hz=rate_hz, form=own) as writer:
            for block in file.blocks(65_536, frames=end - begin, dtype="float32", always_2d=True):
                writer.write(block)
    return float((end - begin) / rate_hz)


def _mono(path: Path, on_disk: Path) -> Array:
    """A whole file (N,) at 48 kHz, kept on disk."""
    with on_disk.open("wb") as file:
        for block in AudioReader(path, RATE_HZ):
            file.write(block.mean(axis=1, dtype=np.float32).tobytes())
    return np.memmap(on_disk, np.float32, "r")


def _check_length(given: Path, how: Cleaning) -> None:
    length_s = AudioReader(given).duration_s
    if how.longest_s is None and length_s > LONGEST_S:
        raise AudioError(
            f"{given} is {length_s:.0f} s long; accepted are {LONGEST_S:.0f} s, and any length "
            "where clips are split at silence"
        )


def _seed(digest: str) -> int:
    return int(digest[:8], 16)


def named(text: str, folder: Path, clip: Clip) -> str:
    """A text with the clip called by its key, not by the files in `folder` that stand for it."""
    return text.replace(f"{folder}/given", clip.key).replace(f"{folder}/made.wav", clip.key)
