"""What `restore --latency` and `listen` do: sound that is restored while it is being made."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...audio import devices, live, pipes, raw
from ...audio.live import Exchange, Heard
from ...audio.writing.writer import AudioWriter
from ...core.errors import UsageError, reason
from ...core.streams import Stream
from ...runtimes.model import Model

MARGIN_S = 0.04
"""Beside the stream's own latency, what computing a chunk may take before it is late."""
_METER_EVERY_S = 0.2
_BAR_DB, _BAR = 60.0, 20


@dataclass(frozen=True)
class Made:
    """How a stream is restored."""

    latency: str
    steps: int | None
    seed: int
    strength: float

    def stream(self, model: Model, channels: int, rate_hz: int | None = None) -> Stream:
        """A stream of the model; raises as `Restorer.stream` does."""
        return model.load().stream(
            channels,
            sample_rate_hz=rate_hz,
            latency=self.latency,
            steps=self.steps,
            seed=self.seed,
            strength=self.strength,
        )


def pipe(model: Model, made: Made, stdin: str | None, stdout: str, *, quiet: bool) -> None:
    """Restore bare samples from standard input to standard output as they come.

    Raises `UsageError` for streams that are not described, closed or full.
    """
    raw.check_written(stdout)
    if stdin is None:
        raise UsageError("--latency takes bare samples; tell their form as in --stdin 16000,1,s16")
    rate_hz, channels, encoding = pipes.described(stdin)
    source, sink = (getattr(stream, "buffer", None) for stream in (sys.stdin, sys.stdout))
    if source is None or sink is None:
        raise UsageError("standard input or output is closed; two pipes are needed")
    stream = made.stream(model, channels, rate_hz)
    try:
        _warn(live.through(stream, source, sink, (encoding, stdout)), quiet=quiet)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"standard output takes no more: {reason(error)}") from error


def listen(
    model: Model,
    made: Made,
    form: devices.Form,
    target: Path | None,
    *,
    seconds: float | None,
    overwrite: bool,
    quiet: bool,
) -> Heard:
    """Restore what a microphone hears, to a device or a file, until it is interrupted.

    Raises `BackendMissingError` without sounddevice, `UsageError` for devices that do not work.
    """
    stream = made.stream(model, form.channels)
    exchange = Exchange(stream, 0.0 if target else stream.latency_s + form.block_s + MARGIN_S)
    meter = _Meter(seconds, quiet=quiet)
    with ExitStack() as resources:
        sink: Callable[[Any], None] = exchange.hand_over
        if target:
            writer = AudioWriter(
                target,
                channels=form.channels,
                rate_hz=stream.output_rate_hz,
                overwrite=overwrite,
            )
            sink = resources.enter_context(writer).write
        try:
            with devices.opened(exchange, form, plays=target is None):
                while not meter.is_over(exchange.heard):
                    sink(exchange.step())
        except KeyboardInterrupt:
            pass  # how one stops listening
        sink(stream.flush().reshape(-1, form.channels))
    _warn(exchange.heard, quiet=quiet)
    return exchange.heard


class _Meter:
    """Levels on one line of stderr, where somebody looks; and when enough has been heard."""

    def __init__(self, seconds: float | None, *, quiet: bool) -> None:
        self._seconds = seconds
        self._is_shown = not quiet and sys.stderr.isatty()
        self._told = 0.0

    def is_over(self, heard: Heard) -> bool:
        now = time.monotonic()
        if self._is_shown and now - self._told > _METER_EVERY_S:
            self._told = now
            print(f"\r{meter_line(heard)}", end="", file=sys.stderr, flush=True)
        return self._seconds is not None and heard.heard_s >= self._seconds


def meter_line(heard: Heard) -> str:
    """Both levels as bars, the share of time spent computing, and what was lost."""
    share = heard.computing_s / max(heard.heard_s, 1e-9)
    lost_s = heard.dropped_s + heard.late_s + heard.unusable_s
    return (
        f"in {_bar(heard.input_db)}  out {_bar(heard.output_db)}  "
        f"computing {share:4.0%}  lost {lost_s:.1f} s"
    )


def _bar(level_db: float) -> str:
    full = round(_BAR * min(1.0, max(0.0, 1.0 + level_db / _BAR_DB)))
    shown = f"{level_db:4.0f} dB" if level_db > -_BAR_DB else "silent "
    return f"[{'#' * full}{' ' * (_BAR - full)}] {shown}"


def _warn(heard: Heard, *, quiet: bool) -> None:
    if not quiet and sys.stderr.isatty():
        print(file=sys.stderr)
    for warning in heard.warnings:
        print(f"warning: {warning}", file=sys.stderr)
