"""What Python computes of three clips, as files that the tests of `web/` read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from hiresldm.core.signal import noise
from hiresldm.core.signal.loudness import LoudnessMeter
from hiresldm.core.spec import Array
from hiresldm.families.hiresldm.frontend import FrontEnd, log_mel, stft
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE, Restorer

RATE_HZ = 48_000
SEEDS = (0, 1, 1234, 2**32 + 7, 2**64 - 1)


def clips(noisy: Array, speech: Array) -> dict[str, Array]:
    """Noisy speech, clean speech that is soft and short of a frame, and one of several chunks."""
    pause = np.zeros(RATE_HZ, np.float32)
    return {
        "noisy": noisy,
        "soft": speech[: 3 * RATE_HZ + 123] * np.float32(0.02),
        "long": np.concatenate([noisy, pause, speech, pause, noisy]),
    }


def write(folder: Path, waves: dict[str, Array]) -> None:
    """Write for each clip NAME.KIND.f32, little-endian, and `vectors.json` beside them."""
    restorer, front = Restorer.load(precision="fp32", threads=1), FrontEnd()
    facts = {}
    for name, wave in waves.items():
        whole = np.pad(wave, (0, -len(wave) % front.latent_hop))
        spectrum = stft(whole, front)
        made = {
            "wave": wave,
            "spectrum": spectrum[:200],
            "log_mel": log_mel(spectrum, front)[:200],
            "restored": restorer(wave, RATE_HZ, seed=7),
        }
        for kind, values in made.items():
            (folder / f"{name}.{kind}.f32").write_bytes(values.astype("<f4").tobytes())
        meter = LoudnessMeter(RATE_HZ)
        meter.add(wave)
        facts[name] = meter.integrated_lufs()
    hashes = {str(seed): _hash(noise.normals(seed, 3, 0, 20_000, 50)) for seed in SEEDS}
    vectors = {"bundle": str(EMBEDDED_BUNDLE), "loudness_lufs": facts, "noise": hashes}
    (folder / "vectors.json").write_text(json.dumps(vectors))


def _hash(values: Array) -> str:
    return hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()
