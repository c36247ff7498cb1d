"""Pairs of voices and noises, known and new."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hiresldm.benchmarks.experiments import generalization
from hiresldm.core.errors import UsageError
from hiresldm.core.spec import Array


def test_every_mix_of_known_and_new_is_heard(speech: Array, tmp_path: Path):
    for number in range(20):  # a bare folder's 20th file is for testing
        soundfile.write(tmp_path / f"{number:02}.wav", speech[: 48_000 + number], 48_000)
    with pytest.raises(UsageError, match="no train noise"):
        next(generalization.pairs(tmp_path))
    (tmp_path / "noise").mkdir()
    for split in generalization.SPLITS:
        soundfile.write(tmp_path / "noise" / f"{split}.wav", speech[::-1], 48_000)
    rows = [f"noise/{split}.wav,{split}\n" for split in generalization.SPLITS]
    (tmp_path / "noise" / "manifest.csv").write_text("path,split\n" + "".join(rows))
    pairs = list(generalization.pairs(tmp_path))
    kinds = [f"{a} voices, {b} noises" for a in ("train", "test") for b in ("train", "test")]
    assert Counter(pair.kind for pair in pairs) == dict.fromkeys(kinds, generalization.CLIPS)
    assert {p.name == "19.wav" for p in pairs if p.kind.startswith("test")} == {True}
    for pair in pairs:
        noise = pair.damaged - pair.reference
        assert 0 < np.std(noise) < 1.5 * np.std(pair.reference)
