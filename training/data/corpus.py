"""Speech, noise and rooms on disk: a folder with manifests, or any folder of audio."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from ...core.errors import AudioError, UsageError
from ...core.spec import Array

SUFFIXES = (".flac", ".wav", ".ogg", ".opus", ".mp3", ".aiff")
RATE_HZ = 48_000


@dataclass(frozen=True)
class Recording:
    """One file: where it is, whose voice, which language, and how far up it sounds."""

    path: Path
    speaker: str
    bandwidth_hz: float
    kind: str = ""
    language: str = ""
    source: str = ""
    """Where the recording is from, as its manifest says."""
    is_measured: bool = True
    """Whether its bandwidth was measured, or is what any file could hold."""


@dataclass(frozen=True)
class Shard:
    """Every `count`-th speaker of a split, and every `count`-th of its noises, from `number` on."""

    number: int = 0
    count: int = 1

    @property
    def suffix(self) -> str:
        """What its folder's name ends in: nothing where it is all there is."""
        return f"-{self.number:05d}-of-{self.count:05d}" if self.count > 1 else ""


WHOLE = Shard()


def speech(root: Path, split: str, shard: Shard = WHOLE) -> tuple[Recording, ...]:
    """Clean speech of a split: `clean*/manifest.csv` below `root`, or every audio file below it.

    A bare folder has no splits: each 20th file is `valid`, each 20th `test`, the rest `train`, and
    the folder a file lies in is its speaker. Raises `UsageError` where nothing is found.
    """
    found = _listed(root, split, "clean*")
    if not found:
        files = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)
        found = [_bare(p) for i, p in enumerate(files) if _bare_split(i) == split]
    if not found:
        raise UsageError(f"{root}: no {split} speech; give a folder of audio or of manifests")
    voices = sorted({recording.speaker for recording in found})
    if len(voices) < shard.count:
        raise UsageError(f"{root}: {len(voices)} {split} speakers do not fill {shard.count} shards")
    own = set(voices[shard.number :: shard.count])
    return tuple(recording for recording in found if recording.speaker in own)


def noises(root: Path, split: str, shard: Shard = WHOLE) -> tuple[Recording, ...]:
    """Noise recordings of a split, empty where the folder has none."""
    return tuple(_listed(root, split, "noise"))[shard.number :: shard.count]


def rooms(root: Path, split: str) -> tuple[Recording, ...]:
    """Impulse responses of a split, empty where the folder has none."""
    return tuple(r for r in _listed(root, split, "rir") if r.kind != "device")


def read(recording: Recording) -> Array:
    """The recording as mono 48 kHz (N,); raises `AudioError` where it is no audio or not finite."""
    try:
        wave, rate = sf.read(recording.path, dtype="float32", always_2d=True)
    except (OSError, sf.LibsndfileError) as error:
        raise AudioError(f"{recording.path} is no audio that can be read: {error}") from error
    mono = wave.mean(axis=1)
    if not np.isfinite(mono).all():
        raise AudioError(f"{recording.path} holds a sample that is not a finite number")
    return np.asarray(mono if rate == RATE_HZ else soxr.resample(mono, rate, RATE_HZ), np.float32)


def duration_s(recording: Recording) -> float:
    """Length in seconds, as the file's header tells it."""
    try:
        return float(sf.info(recording.path).duration)
    except (OSError, sf.LibsndfileError) as error:
        raise AudioError(f"{recording.path} is no audio that can be read: {error}") from error


def _listed(root: Path, split: str, pattern: str) -> list[Recording]:
    found = []
    for manifest in sorted(root.glob(f"{pattern}/manifest.csv")):
        with manifest.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if row["split"] == split:
                    found.append(_from_row(root, row))
    return found


def _from_row(root: Path, row: dict[str, str]) -> Recording:
    told = row.get("bandwidth_hz") or ""
    bandwidth_hz = float(told or RATE_HZ / 2)
    names = ("speaker", "kind", "lang", "source")
    speaker, kind, language, source = (row.get(name) or "" for name in names)
    where = root / row["path"]
    return Recording(where, speaker, bandwidth_hz, kind, language, source, is_measured=bool(told))


def _bare(path: Path) -> Recording:
    return Recording(path, path.parent.name, RATE_HZ / 2, is_measured=False)


def _bare_split(index: int) -> str:
    return {18: "valid", 19: "test"}.get(index % 20, "train")
