"""Restoring a file: one pass to measure its loudness, one to restore it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core import arguments
from ..core.bundle.manifest import sha256_of
from ..core.restorer import Restorer, measure
from ..core.signal.rates import RATE_HZ
from ..core.spec import Array
from .formats import format_of
from .reading.reader import AudioReader
from .writing.draft import Origin, kept, noted
from .writing.writer import (
    AudioWriter,
    Form,
    check_form,
    check_output,
    check_picture,
    check_space,
    usual_rate_hz,
)

Progress = Callable[[float], None]
"""Called with the seconds of audio finished since the last call."""


@dataclass(frozen=True)
class Wanted:
    """What is to be done to a file, and the form in which it is to come out."""

    steps: int | None = None
    seed: int = 0
    strength: float = 1.0
    """Share of the restored sound; the rest is the recording as it was."""
    is_mono: bool = False
    """Whether all channels become one."""
    keeps_rate: bool = False
    """Whether the result has the sample rate of the recording instead of the model's."""
    form: Form = field(default_factory=Form)


@dataclass(frozen=True)
class RestoredFile:
    """What was done to a file; `rtf` is computing time over duration."""

    input: str
    output: str
    duration_s: float
    channels: int
    input_rate_hz: int
    output_rate_hz: int
    steps: int
    seed: int
    attenuation_db: float
    rtf: float
    warnings: tuple[str, ...]


def restore_file(
    restorer: Restorer,
    source: Path,
    target: Path,
    wanted: Wanted = Wanted(),
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    model: str | None = None,
) -> RestoredFile:
    """Restore `source` to `target`, holding a few seconds of it in memory at a time.

    Where `model` is given, which tells models apart, a run that is stopped leaves what it has made
    beside the target, and the next one of the same model, input and wishes goes on from there.

    Raises `AudioError` for an input that cannot be restored and `UsageError` for an output or for
    what is wanted and not possible; then nothing is left behind.
    """
    began = time.perf_counter()
    steps = restorer.accepted_steps(wanted.steps)
    rate_hz = restorer.host.sample_rate_hz
    reader, form = opened(source, target, wanted, rate_hz, overwrite=overwrite)
    channels = 1 if wanted.is_mono else reader.channels
    key = f"{model} {restorer.plan} {wanted} {sha256_of(source)}" if model else None
    origin = _origin(key, target, lambda: measure(_blocks(reader, wanted), channels, rate_hz))
    check_space(target, round(reader.duration_s * rate_hz), channels)
    writer = AudioWriter(
        target,
        channels=channels,
        rate_hz=rate_hz,
        source=reader,
        overwrite=overwrite,
        form=form,
        origin=origin if key else None,
    )
    with writer:
        _restore(restorer, _blocks(reader, wanted), origin.loudness_lufs, writer, wanted, progress)
    rtf = (time.perf_counter() - began) / reader.duration_s
    return _told(reader, writer, wanted, target=target, steps=steps, rtf=rtf)


def _restore(
    restorer: Restorer,
    blocks: Iterator[Array],
    loudness_lufs: Sequence[float],
    writer: AudioWriter,
    wanted: Wanted,
    progress: Progress | None,
) -> None:
    """Write what is made of the blocks, from where an earlier run has stopped."""
    restored = restorer.restored(
        blocks,
        loudness_lufs,
        steps=wanted.steps,
        seed=wanted.seed,
        strength=wanted.strength,
        done=writer.done,
    )
    if progress:
        progress(writer.done / writer.rate_hz)
    for block in restored:
        writer.write(block)
        if progress:
            progress(len(block) / writer.rate_hz)


def _told(
    reader: AudioReader,
    writer: AudioWriter,
    wanted: Wanted,
    *,
    target: Path,
    steps: int,
    rtf: float,
) -> RestoredFile:
    return RestoredFile(
        input=str(reader.path),
        output=str(target),
        duration_s=reader.duration_s,
        channels=writer.channels,
        input_rate_hz=reader.sample_rate_hz,
        output_rate_hz=writer.form.sample_rate_hz,
        steps=steps,
        seed=wanted.seed,
        attenuation_db=writer.attenuation_db,
        rtf=rtf,
        warnings=(
            *reader.warnings,
            *_subtitles_warning(reader, target),
            *_level_warning(target, writer.attenuation_db),
        ),
    )


def opened(
    source: Path,
    target: Path,
    wanted: Wanted,
    rate_hz: int = RATE_HZ,
    *,
    overwrite: bool = False,
    makes_folder: bool = False,
) -> tuple[AudioReader, Form]:
    """The input at `rate_hz`, and the form of the output; raises as `restore_file` does.

    Where `makes_folder`, the folder of the target may be yet to be made.
    """
    arguments.share(wanted.strength, "strength")
    check_output(target, source=source, overwrite=overwrite, makes_folder=makes_folder)
    reader = AudioReader(source, rate_hz)
    form = _form(wanted, reader, usual_rate_hz(target, rate_hz))
    channels = 1 if wanted.is_mono else reader.channels
    check_form(target, channels, form)
    check_picture(target, reader)
    return reader, form


def _form(wanted: Wanted, reader: AudioReader, usual_hz: int) -> Form:
    depth, kbps = wanted.form.depth, wanted.form.bitrate_kbps
    return Form(
        sample_rate_hz=reader.sample_rate_hz if wanted.keeps_rate else usual_hz,
        depth=None if depth is None else str(depth),  # 16 as well as "16"
        bitrate_kbps=None if kbps is None else arguments.whole(kbps, "bitrate"),
    )


def _origin(key: str | None, target: Path, loudness_lufs: Callable[[], list[float]]) -> Origin:
    """That of the draft which an earlier run has left for this key, else one that is measured."""
    before = noted(kept(target)) if key else None
    return before if before and before.key == key else Origin(key or "", tuple(loudness_lufs()))


def _blocks(reader: AudioReader, wanted: Wanted) -> Iterator[Array]:
    for block in reader:
        yield block.mean(axis=1, keepdims=True) if wanted.is_mono else block


def _subtitles_warning(reader: AudioReader, target: Path) -> Iterator[str]:
    kind = format_of(target)
    if kind and kind.video and reader.subtitles:
        yield f"{reader.path} has subtitles, which were left out"


def _level_warning(target: Path, attenuation_db: float) -> Iterator[str]:
    if attenuation_db > 0.0:
        yield f"{target} was turned down by {attenuation_db:.1f} dB: clipping"
