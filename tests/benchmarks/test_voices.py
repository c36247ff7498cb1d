"""Voices are judged as training would aim at them, and the judgement is what is drawn by."""

from pathlib import Path

import numpy as np
import soundfile

from hiresldm.benchmarks.quality import voices
from hiresldm.training.data import corpus


def test_a_room_is_worth_more_than_a_street(tmp_path: Path, speech: np.ndarray, noisy: np.ndarray):
    for name, wave in (("room", speech), ("street", noisy)):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "x.wav", wave, 48_000)
    voices.main(tmp_path)
    mos = {one.speaker: one.mos for one in corpus.speech(tmp_path, "train")}
    assert 1 <= mos["street"] < mos["room"] - 0.3 <= 4.7
    assert [path.name for path in tmp_path.glob("*.csv*")] == [corpus.VOICES]
