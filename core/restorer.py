"""Waveform to restored waveform over any runners: the host's side of the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..families.hiresldm.frontend import FrontEnd, istft, log_mel, stft
from . import arguments, noise
from .audio import resample
from .chunks import ChunkFunction, ChunkPlan, ChunkStream
from .errors import IntegrityError, UsageError
from .loudness import LoudnessMeter, gain_to
from .sampler import Sample, ddim
from .spec import Array, Arrays, Runner

OUTPUTS = {
    "recovery": "recovered",
    "encoder": "latent",
    "denoiser": "clean",
    "decoder": "restored",
}
"""The parts of a model, and what each gives."""
PARTS = tuple(OUTPUTS)
CHUNK_S = 7.0
CONTEXT_S = 1.5
"""Seen on both sides of a chunk and dropped: with it the embedded model gives the same for any
chunk size, which `tests/test_restorer.py` holds to 90 dB."""
FADE_S = 0.1

_BLOCK = 65_536
# The sampler is deterministic, so only its start draws noise.
_NOISE_STEP = 0


class RestorationStream:
    """One signal on its way: blocks (n, channels) at 48 kHz in, finished blocks (m, channels) out.

    As many frames come out as went in; the result does not depend on the block sizes. `strength`
    is the restored share of it, the rest is as it came in.
    """

    def __init__(
        self,
        function: ChunkFunction,
        plan: ChunkPlan,
        gains: Sequence[float],
        *,
        strength: float = 1.0,
    ) -> None:
        self._gains = np.array(gains, np.float32)
        self._streams = [ChunkStream(function, plan) for _ in gains]
        self._strength = np.float32(strength)
        self._given = np.zeros((0, len(gains)), np.float32)
        """What came in and has not come out yet."""

    def process(self, block: Array) -> Array:
        """Take a block (n, channels) and give what is finished, (m, channels)."""
        levelled = block * self._gains
        if self._strength < 1:
            self._given = np.concatenate([self._given, block])
        columns = [s.process(levelled[:, i]) for i, s in enumerate(self._streams)]
        return self._mixed(np.stack(columns, axis=1) / self._gains)

    def flush(self) -> Array:
        """The rest (m, channels) of the signal, which ends here."""
        return self._mixed(np.stack([s.flush() for s in self._streams], axis=1) / self._gains)

    def _mixed(self, restored: Array) -> Array:
        if self._strength >= 1:
            return restored
        given, self._given = np.split(self._given, [len(restored)])
        return given + self._strength * (restored - given)


class Restorer:
    """Speech of any rate to restored speech at 48 kHz.

    `runners` holds one runner per name in `PARTS`; `sampler` lists the diffusion times of every
    accepted number of steps, `sample` is what walks them. `buckets` are the only numbers of latent
    frames that the runners take, rising (none: any): chunks are then no longer than the last one,
    and silence follows each up to the next. Raises `UsageError` for a missing part or sizes that
    do not fit.
    """

    def __init__(
        self,
        runners: Mapping[str, Runner],
        front: FrontEnd,
        sampler: Mapping[int, Sequence[float]],
        *,
        default_steps: int,
        chunk_s: float = CHUNK_S,
        context_s: float = CONTEXT_S,
        sample: Sample[Array] = ddim,
        buckets: Sequence[int] = (),
    ) -> None:
        if missing := [part for part in PARTS if part not in runners]:
            raise UsageError(f"the model lacks {', '.join(missing)}; needed are {', '.join(PARTS)}")
        self.front = front
        self.sampler = sampler
        self.default_steps = default_steps
        self._runners = runners
        self._sampled = sample
        self._buckets = buckets
        if buckets:
            longest_s = buckets[-1] * front.latent_hop / front.sample_rate_hz
            chunk_s = min(chunk_s, longest_s - 2 * context_s)
        self._plan = ChunkPlan.of_seconds(
            rate_hz=front.sample_rate_hz,
            hop=front.latent_hop,
            chunk_s=chunk_s,
            context_s=context_s,
            fade_s=min(FADE_S, context_s),
        )

    def __call__(
        self, wave: Array, sample_rate_hz: int, *, steps: int | None = None, seed: int = 0
    ) -> Array:
        """Restore a wave (N,) or (N, channels); the result has the same axes, at 48 kHz.

        Raises `AudioError` for a wave that is empty, not finite, no array of floats or laid out as
        (channels, N), and for a rate that is none; `UsageError` for `steps` or a `seed` that is
        not accepted; `IntegrityError` where a part does not give what a part of its name gives.
        """
        return self._run(wave, sample_rate_hz, self._restoring(steps, seed))

    def recover(self, wave: Array, sample_rate_hz: int) -> Array:
        """Like calling the restorer, with the recovery part alone: no diffusion, no decoder."""
        return self._run(wave, sample_rate_hz, self._recover_chunk)

    def stream(
        self,
        loudness_lufs: Sequence[float],
        *,
        steps: int | None = None,
        seed: int = 0,
        strength: float = 1.0,
    ) -> RestorationStream:
        """A stream for a signal whose channels have this loudness (see `measure`).

        Raises `UsageError` for `steps`, a `seed` or a `strength` that is not accepted.
        """
        if not 0 <= strength <= 1:
            raise UsageError(f"a strength of {strength:g} is not possible; accepted: 0 to 1")
        return self._stream(self._restoring(steps, seed), loudness_lufs, strength)

    def accepted_steps(self, steps: int | None) -> int:
        """`steps`, or the default for None; raises `UsageError` for a number not in the table."""
        chosen = self.default_steps if steps is None else arguments.whole(steps, "number of steps")
        if chosen not in self.sampler:
            accepted = ", ".join(str(n) for n in sorted(self.sampler))
            raise UsageError(f"{chosen} steps are not offered by this model; accepted: {accepted}")
        return chosen

    def _run(self, wave: Array, sample_rate_hz: int, function: ChunkFunction) -> Array:
        columns = arguments.wave(wave, sample_rate_hz)
        native = (columns[i : i + _BLOCK] for i in range(0, len(columns), _BLOCK))
        blocks = list(resample(native, sample_rate_hz, columns.shape[1]))
        stream = self._stream(function, measure(blocks, columns.shape[1]))
        restored = [*(stream.process(block) for block in blocks), stream.flush()]
        return np.concatenate(restored).reshape(-1, *wave.shape[1:])

    def _stream(
        self, function: ChunkFunction, loudness_lufs: Sequence[float], strength: float = 1.0
    ) -> RestorationStream:
        gains = [gain_to(self.front.loudness_lufs, lufs) for lufs in loudness_lufs]
        return RestorationStream(self._in_buckets(function), self._plan, gains, strength=strength)

    def _in_buckets(self, function: ChunkFunction) -> ChunkFunction:
        """The function, given waves with silence behind them up to an accepted length."""
        if not self._buckets:
            return function

        def padded(wave: Array, first_frame: int) -> Array:
            hop = self.front.latent_hop
            frames = next(count for count in self._buckets if count * hop >= len(wave))
            silence = (0, frames * hop - len(wave))
            return function(np.pad(wave, silence), first_frame)[: len(wave)]

        return padded

    def _restoring(self, steps: int | None, seed: int) -> ChunkFunction:
        times = self.sampler[self.accepted_steps(steps)]
        key = arguments.whole(seed, "seed")
        noise.key_of(key)  # refuses a bad seed now, before any work

        def restore_chunk(wave: Array, first_frame: int) -> Array:
            recovered = self._recover(stft(wave, self.front))
            latent = (len(wave) // self.front.latent_hop, self.front.latent_channels)
            mel = {"log_mel": log_mel(recovered, self.front)[None]}
            condition = self._made("encoder", mel, latent)
            start = noise.normals(key, _NOISE_STEP, first_frame, *latent)[None]
            clean = self._sample(condition, start, times)
            inputs = {"latent": clean, "recovered": recovered[None]}
            return istft(self._made("decoder", inputs, recovered.shape)[0], self.front)

        return restore_chunk

    def _recover_chunk(self, wave: Array, first_frame: int) -> Array:
        return istft(self._recover(stft(wave, self.front)), self.front)

    def _recover(self, spectrum: Array) -> Array:
        recovered: Array = self._made("recovery", {"spectrum": spectrum[None]}, spectrum.shape)[0]
        return recovered

    def _sample(self, condition: Array, start: Array, times: Sequence[float]) -> Array:
        def denoise(noisy: Array, t: float) -> Array:
            inputs = {"noisy": noisy, "condition": condition, "time": np.array([t], np.float32)}
            return self._made("denoiser", inputs, noisy.shape[1:])

        return self._sampled(denoise, condition, start, times)

    def _made(self, part: str, inputs: Arrays, shape: tuple[int, ...]) -> Array:
        """What a part gives, (1, *shape), or `IntegrityError`: a bundle may hold any graph."""
        name, outputs = OUTPUTS[part], self._runners[part](inputs)
        made = outputs.get(name)
        if made is None:
            raise IntegrityError(f"{part} gives {sorted(outputs)}; {name} is needed")
        if made.shape != (1, *shape):
            raise IntegrityError(f"{part} gives {name} of shape {made.shape}, not {(1, *shape)}")
        return made


def measure(blocks: Iterable[Array], channels: int) -> list[float]:
    """Integrated loudness in LUFS of each channel of blocks (n, channels) at 48 kHz."""
    meters = [LoudnessMeter() for _ in range(channels)]
    for block in blocks:
        for i, meter in enumerate(meters):
            meter.add(block[:, i])
    return [meter.integrated_lufs() for meter in meters]
