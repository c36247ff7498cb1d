"""Material from folders of audio: gated targets, speeds, codecs, and a cache that proves itself."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from scipy import signal

from hiresldm.cli.main import main
from hiresldm.core.errors import AudioError, IntegrityError, UsageError
from hiresldm.training.data import gate
from hiresldm.training.data.material import assemble
from hiresldm.training.data.prepared import encode, open_prepared, prepare, read_index

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, speech: np.ndarray) -> Path:
    """Two speakers without any manifest."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("a", "b"):
        (folder / name).mkdir()
        soundfile.write(folder / name / "x.wav", speech[:120_000], RATE_HZ)
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    folder = tmp_path_factory.mktemp("cache") / "train"
    prepare(data, "train", folder, speeds=(1.0, 1.14), variants=1)
    return folder


def level_db(wave: np.ndarray) -> float:
    return float(10 * np.log10((wave**2).mean() + 1e-20))


def test_a_gate_takes_steady_hiss_out_of_pauses_and_leaves_speech(speech: np.ndarray):
    rng = np.random.default_rng(0)
    pause = np.zeros(RATE_HZ, np.float32)
    clean = np.concatenate([pause, speech, pause])
    hiss = 0.001 * signal.lfilter([1.0], [1.0, -0.5], rng.standard_normal(len(clean)))
    noisy = (clean + hiss).astype(np.float32)
    made = gate.gated(noisy, gate.floor_db([noisy]))
    middle = slice(RATE_HZ // 4, 3 * RATE_HZ // 4)
    assert level_db(made[middle]) < level_db(noisy[middle]) - 25
    frames = [wave[: len(wave) // 960 * 960].reshape(-1, 960) for wave in (noisy, made)]
    levels = [10 * np.log10((one**2).mean(axis=1) + 1e-20) for one in frames]
    loud = levels[0] > np.percentile(levels[0], 95) - 25
    assert (levels[0] - levels[1])[loud].max() < 3
    assert not np.array_equal(made, noisy)


def test_speeds_and_codecs_are_in_the_cache_and_come_back_as_they_were(data, prepared):
    fresh = assemble(data, "train", speeds=(1.0, 1.14))
    kept = open_prepared(prepared)
    assert np.array_equal(kept.speech.recorded.audio, fresh.speech.recorded.audio)
    assert np.array_equal(kept.speech.target.audio, fresh.speech.target.audio)
    assert kept.speech.speed.tolist() == [1.0, 1.14, 1.0, 1.14]
    assert kept.speech.speaker.tolist() == [0, 0, 1, 1]
    lengths = kept.speech.recorded.lengths
    assert lengths[1] == pytest.approx(lengths[0] / 1.14, abs=2)
    (coded,) = encode(fresh, variants=1)
    assert np.array_equal(kept.coded[0].of, coded.of)
    assert np.array_equal(kept.coded[0].clips.audio, coded.clips.audio)
    assert (kept.coded[0].clips.lengths == lengths[coded.of]).all()


def test_a_folder_without_manifests_is_measured_for_how_far_up_it_sounds(tmp_path, speech):
    """Not by the rate of its files: one of these was a call."""
    narrow = soxr.resample(soxr.resample(speech, RATE_HZ, 8000), 8000, RATE_HZ)
    for name, wave in (("call", narrow), ("studio", speech)):
        soundfile.write(tmp_path / f"{name}.wav", wave, RATE_HZ)
    call, studio = assemble(tmp_path, "train").speech.bandwidth_hz
    assert 3400 < call < 4200
    assert studio > 15_000


def test_a_changed_cache_is_refused(data, prepared, tmp_path):
    changed = tmp_path / "train"
    prepare(data, "train", changed, speeds=(1.0,), variants=0)
    with (changed / "target.npy").open("r+b") as file:
        file.seek(-2, 2)
        file.write(b"\x01\x01")
    with pytest.raises(IntegrityError, match=r"target\.npy is not what was prepared"):
        open_prepared(changed)
    with pytest.raises(IntegrityError, match=r"no readable index\.json"):
        read_index(tmp_path)


def test_nothing_but_silence_is_no_speech(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.zeros(2 * RATE_HZ), RATE_HZ)
    with pytest.raises(UsageError, match="no train clip of at least 1 s that is not silent"):
        assemble(tmp_path, "train")
    with pytest.raises(UsageError, match="no train speech"):
        assemble(tmp_path / "nowhere", "train")


def test_a_sample_that_is_no_number_and_a_file_that_is_no_audio_are_named(tmp_path):
    wave = np.ones(2 * RATE_HZ, np.float32)
    wave[5] = np.nan
    soundfile.write(tmp_path / "x.wav", wave, RATE_HZ, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"x\.wav holds a sample that is not a finite number"):
        assemble(tmp_path, "train")
    (tmp_path / "x.wav").write_text("text")
    with pytest.raises(AudioError, match=r"x\.wav is no audio that can be read"):
        assemble(tmp_path, "train")


def test_a_folder_that_cannot_be_written_to_is_named(data, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as end:
        main(["prepare", str(data), str(tmp_path / "file" / "cache"), "--coded", "0"])
    assert end.value.code == 2
    assert "cannot be written to" in capsys.readouterr().err


def test_a_missing_package_is_told_with_what_to_install(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "hiresldm.training.data.prepared", None)
    with pytest.raises(SystemExit) as end:
        main(["prepare", str(data), str(tmp_path / "cache")])
    assert end.value.code == 5
    assert "pip install 'hiresldm[train]'" in capsys.readouterr().err


def test_prepare_tells_what_there_is(data, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["prepare", str(data), str(tmp_path / "cache"), "--coded", "0"])
    assert end.value.code == 0
    assert "0.1 min of 2 speakers" in capsys.readouterr().out
    assert not list(tmp_path.rglob("*.partial"))
