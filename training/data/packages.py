"""Speech out of Debian packages, as a folder to train on; its manifest says what is from where.

    apt download $(python -m hiresldm.training.data.packages)
    for package in *.deb; do dpkg-deb -x $package unpacked; done
    python -m hiresldm.training.data.packages unpacked DATA/clean-debian

`packages.toml` tells whose voice lies in which files. Words said alone are joined to clips of four
seconds; what is clipped, or lies in noise, is left out.
"""

from __future__ import annotations

import csv
import gzip
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile as sf

from ...core.errors import UsageError
from ...core.spec import Array

RECIPES = Path(__file__).with_name("packages.toml")
SHARED = Path("usr/share")
MOST_S, JOINED_S, SHORTEST_S = 360.0, 4.0, 1.5
"""Of a speaker, of words that are joined, of a clip."""
RATES_HZ = (16_000, 48_000)
FULL, CLIPPED = 0.995, 2e-4
"""Level above which a sample may be clipped, and the share of such samples that is too much."""
LEVEL = 0.035
"""RMS of loud frames, as every clip is given it."""
LEAST_SNR_DB = 26.0
"""Between speech and the pauses in it."""


@dataclass(frozen=True)
class Voices:
    """Voices of one package."""

    package: str
    files: str
    """Pattern of their files below `usr/share`; its names fill `speaker` and `language`."""
    speaker: str
    language: str
    licence: str


@dataclass(frozen=True)
class Clip:
    """Speech (N,) at a rate, and the files it was joined from."""

    wave: Array
    rate_hz: int
    files: tuple[str, ...]


def recipes() -> tuple[Voices, ...]:
    """The voices of all packages that are known."""
    told: list[dict[str, Any]] = tomllib.loads(RECIPES.read_text(encoding="utf-8"))["voices"]
    return tuple(Voices(**one) for one in told)


def gather(root: Path, out: Path) -> list[dict[str, Any]]:
    """Write clips of all voices in unpacked packages, and their manifest; gives its rows.

    The folder is there whole, or not at all. Raises `UsageError` where there are no such packages,
    and for an `out` that exists.
    """
    if out.exists():
        raise UsageError(f"{out} exists already; delete it or name another folder")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    rows: list[dict[str, Any]] = []
    for about, files in sorted(_found(root).items()):
        for number, clip in enumerate(_chosen(root, files)):
            name = Path(about.speaker) / f"{number:03d}.flac"
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            sf.write(partial / name, clip.wave, clip.rate_hz, subtype="PCM_16")
            rows.append(_row(root, about, out.name / name, clip))
    if not rows:
        raise UsageError(f"{root}: no speech of known packages; unpack them there: {RECIPES}")
    with (partial / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    partial.rename(out)
    return rows


@dataclass(frozen=True, order=True)
class _Voice:
    speaker: str
    language: str
    package: str
    licence: str


def _found(root: Path) -> dict[_Voice, list[Path]]:
    """Files of every voice below `root`."""
    found: dict[_Voice, list[Path]] = {}
    files = sorted(path for path in (root / SHARED).rglob("*") if path.is_file())
    for voices in recipes():
        for path in files:
            name = path.relative_to(root / SHARED).as_posix()
            if match := re.fullmatch(voices.files, name):
                parts = match.groupdict()
                speaker, language = voices.speaker.format(**parts), voices.language.format(**parts)
                voice = _Voice(speaker, language, voices.package, voices.licence)
                found.setdefault(voice, []).append(path)
    return found


def _chosen(root: Path, files: Sequence[Path]) -> Iterator[Clip]:
    """Clear clips of one voice in random order, `MOST_S` of them at most."""
    order, total_s = np.random.default_rng(0).permutation(len(files)), 0.0
    for clip in _joined(root, [files[place] for place in order]):
        if total_s > MOST_S:
            return
        if clip.wave.size > SHORTEST_S * clip.rate_hz and _snr_db(clip) >= LEAST_SNR_DB:
            total_s += len(clip.wave) / clip.rate_hz
            yield clip


def _joined(root: Path, files: Sequence[Path]) -> Iterator[Clip]:
    """Recordings of one rate put one after the other until they are long enough."""
    waves: list[Array] = []
    names: list[str] = []
    rate_hz = 0
    for path in files:
        wave, own_hz = _read(path)
        if waves and (own_hz != rate_hz or sum(map(len, waves)) > JOINED_S * rate_hz):
            yield Clip(np.concatenate(waves), rate_hz, tuple(names))
            waves, names = [], []
        if (said := _said(wave, own_hz)) is not None:
            rate_hz = own_hz
            waves.append(said)
            names.append(path.relative_to(root).as_posix())
    if waves:
        yield Clip(np.concatenate(waves), rate_hz, tuple(names))


def _read(path: Path) -> tuple[Array, int]:
    """A recording as mono (N,) and its rate; nothing where it cannot be read."""
    try:
        if path.suffix == ".g722":
            with av.open(str(path), format="g722") as container:
                frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
            return np.concatenate(frames).astype(np.float32) / np.float32(32768), 16_000
        wave, rate_hz = sf.read(path, dtype="float32", always_2d=True)
        return np.asarray(wave.mean(axis=1), np.float32), int(rate_hz)
    except (OSError, ValueError, sf.LibsndfileError, av.FFmpegError):
        return np.zeros(0, np.float32), 0


def _said(wave: Array, rate_hz: int) -> Array | None:
    """What is said in a recording (N,), at one level; None where it is unfit to learn from."""
    fits = RATES_HZ[0] <= rate_hz <= RATES_HZ[1] and len(wave) > rate_hz // 4
    if not fits or np.abs(wave).max() < 0.01 or (np.abs(wave) > FULL).mean() > CLIPPED:
        return None
    wave = wave - wave.mean()
    level = np.sqrt(np.convolve(wave**2, np.full(rate_hz // 50, 50 / rate_hz), "same"))
    heard = np.flatnonzero(level > 0.01 * level.max())
    pause = rate_hz // 7
    wave = wave[max(0, heard[0] - pause) : heard[-1] + pause]
    return np.asarray(np.clip(wave * (LEVEL / np.percentile(level, 95)), -1, 1), np.float32)


def _snr_db(clip: Clip) -> float:
    """How far speech lies above the pauses of a clip."""
    frame = clip.rate_hz // 50
    frames = clip.wave[: len(clip.wave) // frame * frame].reshape(-1, frame)
    level_db = 10 * np.log10((frames**2).mean(axis=1) + 1e-12)
    speech = level_db[level_db > np.percentile(level_db, 95) - 25]
    return float(speech.mean() - np.percentile(level_db, 6))


def _row(root: Path, voice: _Voice, path: Path, clip: Clip) -> dict[str, Any]:
    return {
        "path": path.as_posix(),
        "speaker": voice.speaker,
        "split": "train",
        "lang": voice.language,
        "source": f"debian {voice.package} {_version(root, voice.package)}",
        "original_file": "|".join(clip.files),
        "licence": voice.licence,
        "duration_s": round(len(clip.wave) / clip.rate_hz, 2),
    }


def _version(root: Path, package: str) -> str:
    """Of an unpacked package, as its changelog tells."""
    log = root / SHARED / "doc" / package / "changelog.Debian.gz"
    if not log.exists():
        return "of unknown version"
    with gzip.open(log, "rt", encoding="utf-8", errors="replace") as lines:
        return next(lines).partition("(")[2].partition(")")[0]


def main(arguments: Sequence[str]) -> None:
    """Name the packages, or gather what is in them."""
    if not arguments:
        print(*sorted({voices.package for voices in recipes()}))
        return
    if len(arguments) != 2:
        raise SystemExit("python -m hiresldm.training.data.packages UNPACKED OUT")
    try:
        rows = gather(*map(Path, arguments))
    except UsageError as error:
        raise SystemExit(f"error: {error}") from error
    minutes = sum(row["duration_s"] for row in rows) / 60
    print(f"{len(rows)} clips of {len({row['speaker'] for row in rows})} voices, {minutes:.0f} min")


if __name__ == "__main__":
    main(sys.argv[1:])
