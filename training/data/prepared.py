"""Material prepared once, by `hiresldm prepare`: folders with a hash of every file.

A split is one folder of its name, or shards of it: `train-00000-of-00008` and so on.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.bundle.manifest import sha256_of
from ...core.errors import IntegrityError, UsageError
from ...core.spec import Array
from ..damage.bank import Sounds
from ..damage.draws import Draw
from ..damage.kinds import Damage, before_a_codec
from . import corpus, rooms
from .codecs import coded, telephoned
from .material import SPEEDS, Clips, Coded, Material, Samples, Speech, assemble, each, samples_of

INDEX = "index.json"
CODED = 2
"""Codecs that half of the clips are heard through, each another time."""
TELEPHONED = 0.25
"""Share of them that are a telephone's."""
KNOWN = ("speaker", "bandwidth_hz", "speed")
"""What is known of every clip."""


def fill(data: Path, cache: Path, *, variants: int = CODED, shards: int = 1) -> int:
    """Prepare what `cache` does not hold yet of training speech, in so many shards, and of
    validation speech, which may be missing in the data; gives how many folders were made.

    Raises `UsageError` as `prepare` does, and where training speech is divided otherwise there.
    """
    found = folders(cache, "train")
    check_origin(found, data, "train")
    there = {folder.name for folder in found}
    parts = [corpus.Shard(number, shards) for number in range(shards)]
    wanted = {f"train{part.suffix}": part for part in parts}
    if there - set(wanted):
        raise UsageError(
            f"{cache}: holds training speech in other shards; delete it or name another"
        )
    missing = {name: part for name, part in wanted.items() if name not in there}
    about = _about(data, "train") if missing else {}
    for name, part in missing.items():
        _write(_material(data, "train", SPEEDS, variants, part), cache / name, about)
    if not folders(cache, "valid"):
        with suppress(UsageError):
            prepare(data, "valid", cache / "valid", speeds=(1.0,), variants=0)
    return len(missing)


def prepare(
    data: Path, split: str, folder: Path, *, speeds: Sequence[float], variants: int
) -> None:
    """Write a split's material into `folder`, whole or not at all, with a hash of every file.

    Raises `UsageError` as `assemble` does, and for a folder that cannot be written to.
    """
    _write(_material(data, split, speeds, variants, corpus.WHOLE), folder, _about(data, split))


def encode(material: Material, *, variants: int, seed: int = 0) -> tuple[Coded, ...]:
    """Coded versions of half of the clips, at their own speed, `variants` times.

    Half of these are damaged beforehand: a codec is given what a microphone has heard.
    """
    own, damage = np.flatnonzero(material.speech.speed == 1.0), Damage(Sounds(material))

    def heard(clip: int, draw: Draw) -> Array:
        return damage(material.speech.recorded.wave(clip), before_a_codec(draw), draw)

    made = []
    for variant in range(variants):
        rng = np.random.default_rng([seed, variant])
        chosen = np.sort(rng.choice(own, max(1, len(own) // 2), replace=False))
        draws = [(int(clip), Draw([seed, variant, int(clip)])) for clip in chosen]
        waves = each(_coded, [(heard(clip, draw), draw.rng) for clip, draw in draws])
        made.append(Coded(Clips.of(waves), chosen.astype(np.int64)))
    return tuple(made)


def folders(cache: Path, split: str) -> list[Path]:
    """The prepared folders of a split: the whole one, or its shards, or none.

    Raises `UsageError` where shards of two ways to divide it lie together.
    """
    if (cache / split / INDEX).exists():
        return [cache / split]
    found = sorted(path.parent for path in cache.glob(f"{split}-*-of-*/{INDEX}"))
    if len({shards_of(folder) for folder in found}) > 1:
        raise UsageError(f"{cache}: holds shards of more than one preparation; delete the old ones")
    return found


def shards_of(folder: Path) -> int:
    """How many shards there are of the split that a prepared folder is a shard of."""
    _, of, count = folder.name.rpartition("-of-")
    return int(count) if of else 1


def open_prepared(folder: Path) -> Material:
    """What `prepare` wrote, mapped into memory; raises `IntegrityError` for a changed file."""
    index = read_index(folder)
    for name, expected in index["files"].items():
        if not (folder / name).is_file() or sha256_of(folder / name) != expected:
            raise IntegrityError(f"{folder / name} is not what was prepared; delete {folder}")

    def array(name: str) -> Any:
        return np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)

    def clips(name: str) -> Clips:
        return Clips(array(name), np.array(array(f"{name}_at")), np.array(array(f"{name}_length")))

    speaker, bandwidth_hz, speed = (np.array(array(name)) for name in KNOWN)
    speech = Speech(clips("recorded"), clips("target"), speaker, bandwidth_hz, speed)
    variants = range(sum(name.startswith("coded") and "_" not in name for name in index["files"]))
    coded_ones = tuple(Coded(clips(f"coded{v}"), np.array(array(f"coded{v}_of"))) for v in variants)
    placed = rooms.Rooms(array("rooms"), np.array(array("rooms_direct")))
    return Material(speech, clips("noise"), placed, coded_ones)


def read_index(folder: Path) -> dict[str, Any]:
    """What a prepared folder says of itself; raises `IntegrityError` where it says nothing."""
    try:
        index: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{folder}: no readable {INDEX}: {error}") from error
    return index


def origin(data: Path, split: str) -> str:
    """A hash of which recordings a split consists of, by path and size."""
    sums = hashlib.sha256()
    for recording in (*corpus.speech(data, split), *corpus.noises(data, split)):
        size = recording.path.stat().st_size if recording.path.exists() else -1
        sums.update(f"{recording.path.relative_to(data)} {recording.speaker} {size}\n".encode())
    return sums.hexdigest()


def check_origin(prepared: Sequence[Path], data: Path | None, split: str) -> None:
    """Raise `UsageError` where prepared folders are not of `data`, or not all of one data."""
    origins = {read_index(folder)["origin"] for folder in prepared}
    if len(origins) > 1 or (data and origins - {origin(data, split)}):
        raise UsageError(
            f"{prepared[0]} was prepared from other data than {data or prepared[-1]}; "
            "name another cache"
        )


def facts(data: Path, split: str) -> dict[str, Any]:
    """Minutes and counts of a split by source, for the log of a training."""
    spoken, noises = corpus.speech(data, split), corpus.noises(data, split)
    sources: dict[str, float] = {}
    for recording in spoken:
        source = recording.source or recording.speaker
        sources[source] = sources.get(source, 0.0) + corpus.duration_s(recording) / 60
    return {
        "speech_minutes": round(sum(sources.values()), 1),
        "speakers": len({recording.speaker for recording in spoken}),
        "noise_minutes": round(sum(map(corpus.duration_s, noises)) / 60, 1),
        "noises": len(noises),
        "rooms": len(corpus.rooms(data, split)),
        "sources": {name: round(minutes, 2) for name, minutes in sorted(sources.items())},
    }


def _about(data: Path, split: str) -> dict[str, Any]:
    """What every shard of a split is told to be of; every recording is looked at for it."""
    return {"origin": origin(data, split), "facts": facts(data, split)}


def _material(
    data: Path, split: str, speeds: Sequence[float], variants: int, shard: corpus.Shard
) -> Material:
    plain = assemble(data, split, speeds=speeds, shard=shard)
    return replace(plain, coded=encode(plain, variants=variants))


def _write(material: Material, folder: Path, about: dict[str, Any]) -> None:
    partial_folder = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial_folder, ignore_errors=True)
    try:
        partial_folder.mkdir(parents=True)
        for name, values in _arrays(material):
            np.save(partial_folder / f"{name}.npy", values, allow_pickle=False)
        files = {path.name: sha256_of(path) for path in sorted(partial_folder.glob("*.npy"))}
        index = json.dumps(about | {"files": files}, indent=1)
        (partial_folder / INDEX).write_text(index, encoding="utf-8")
        partial_folder.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written to: {error}") from error


def _arrays(material: Material) -> Iterator[tuple[str, np.ndarray]]:
    speech = material.speech
    yield from _arrays_of("recorded", speech.recorded)
    yield from _arrays_of("target", speech.target)
    yield from _arrays_of("noise", material.noise)
    for name in KNOWN:
        yield name, getattr(speech, name)
    yield "rooms", material.rooms.responses
    yield "rooms_direct", material.rooms.direct
    for number, variant in enumerate(material.coded):
        yield from _arrays_of(f"coded{number}", variant.clips)
        yield f"coded{number}_of", variant.of


def _arrays_of(name: str, clips: Clips) -> Iterator[tuple[str, np.ndarray]]:
    yield name, clips.audio
    yield f"{name}_at", clips.offsets
    yield f"{name}_length", clips.lengths


def _coded(given: tuple[Array, np.random.Generator]) -> Samples:
    wave, rng = given
    return samples_of(telephoned(wave, rng) if rng.random() < TELEPHONED else coded(wave, rng))
