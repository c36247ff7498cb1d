"""`hiresldm restore` with the embedded model: results, faults and exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import Clip, Run

from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

RATE_HZ = 48_000


def test_the_example_is_restored(run: Run, noisy_path: Path, tmp_path: Path) -> None:
    outcome = run(noisy_path, tmp_path / "out.flac")
    given, made = soundfile.info(noisy_path), soundfile.info(tmp_path / "out.flac")
    assert (outcome.code, outcome.err) == (0, "")
    assert "real-time factor" in outcome.out
    assert (made.samplerate, made.frames, made.subtype) == (RATE_HZ, given.frames, "PCM_24")
    restored, _ = soundfile.read(tmp_path / "out.flac")
    assert 1e-3 < np.sqrt(np.mean(restored**2)) < 1


def test_json_is_one_object_on_stdout(run: Run, clip: Clip, tmp_path: Path) -> None:
    outcome = run(clip(), tmp_path / "o.wav", "--json", "--seed", 7, "--steps", 1, "--threads", 1)
    report = json.loads(outcome.out)
    (file,) = report["files"]
    expected = {"seed": 7, "steps": 1, "backend": "ort", "duration_s": 0.5, "channels": 1}
    assert expected.items() <= file.items()
    assert {"input", "output", "rtf", "attenuation_db", "input_rate_hz"} <= file.keys()
    assert report["failed"] == []


def test_the_same_seed_gives_the_same_bytes(run: Run, clip: Clip, tmp_path: Path) -> None:
    source, names = clip(), ("a.wav", "b.wav", "c.wav")
    for name, seed in zip(names, (3, 3, 4), strict=True):
        assert run(source, tmp_path / name, "--seed", seed, "--quiet").out == ""
    a, b, c = ((tmp_path / name).read_bytes() for name in names)
    assert a == b != c


@pytest.mark.parametrize(
    ("name", "rate_hz", "channels", "frames"),
    [
        ("stereo.wav", 48_000, 2, 9_601),
        ("narrow.wav", 16_000, 1, 3_200),
        ("music.mp3", 44_100, 2, 44_100),
        ("tiny.wav", 48_000, 1, 1),
        ("tiny8.wav", 8_000, 1, 1),
    ],
)
def test_inputs_of_every_kind(
    run: Run, clip: Clip, tmp_path: Path, name: str, rate_hz: int, channels: int, frames: int
) -> None:
    source = clip(name, rate_hz=rate_hz, channels=channels, frames=frames)
    read = soundfile.info(source).frames
    assert run(source, tmp_path / "out.wav").code == 0
    made = soundfile.info(tmp_path / "out.wav")
    assert (made.frames, made.channels) == (round(read * RATE_HZ / rate_hz), channels)


@pytest.mark.parametrize("suffix", [".ogg", ".mp3"])
def test_lossy_outputs(run: Run, clip: Clip, tmp_path: Path, suffix: str) -> None:
    assert run(clip(), tmp_path / f"out{suffix}").code == 0
    assert soundfile.info(tmp_path / f"out{suffix}").samplerate == RATE_HZ


def test_bad_inputs_end_in_one_line_and_leave_nothing(run: Run, clip: Clip, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE_HZ)
    (tmp_path / "text.wav").write_text("not audio")
    soundfile.write(tmp_path / "nan.wav", np.full(100, np.nan), RATE_HZ, subtype="FLOAT")
    zero = bytearray(clip("zero.wav").read_bytes())
    zero[24:28] = bytes(4)
    (tmp_path / "zero.wav").write_bytes(zero)
    before = sorted(tmp_path.iterdir())
    for name in ("absent.wav", "empty.wav", "text.wav", "nan.wav", "zero.wav"):
        outcome = run(tmp_path / name, tmp_path / "out.wav")
        assert outcome.code == 1, name
        assert outcome.err.startswith("error: ") and outcome.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_bad_requests_exit_with_2(run: Run, clip: Clip, tmp_path: Path) -> None:
    source, out, kept = clip(), tmp_path / "out.wav", tmp_path / "kept.wav"
    kept.write_bytes(b"kept")
    requests = {
        "exists": (source, kept),
        "is the input": (source, source, "--overwrite"),
        "not a folder": (source, kept / "out.wav"),
        "accepted endings": (source, tmp_path / "out.txt"),
        "steps are not offered": (source, out, "--steps", 999),
        "seed": (source, out, "--seed", -1),
        "no backend": (source, out, "--backend", "abacus"),
        "threads": (source, out, "--threads", 0),
        "No such option": (source, out, "--speed"),
    }
    for words, request in requests.items():
        outcome = run(*request)
        assert (outcome.code, words in outcome.err) == (2, True), outcome
    assert kept.read_bytes() == b"kept" and not out.exists()
    assert run(source, kept, "--overwrite").code == 0


@pytest.mark.parametrize("damage", ["truncated", "absent"])
def test_a_damaged_bundle_exits_with_6(run: Run, clip: Clip, tmp_path: Path, damage: str) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(EMBEDDED_BUNDLE, bundle)
    victim = max(bundle.rglob("*.onnx*"), key=lambda path: path.stat().st_size)
    if damage == "truncated":
        victim.write_bytes(victim.read_bytes()[:-1000])
    else:
        victim.unlink()
    outcome = run(clip(), tmp_path / "out.wav", "--bundle", bundle)
    assert (outcome.code, outcome.err.startswith("error: ")) == (6, True)
    assert not (tmp_path / "out.wav").exists()


def test_a_folder_goes_on_past_a_bad_file(run: Run, clip: Clip, tmp_path: Path) -> None:
    first = clip("in/a.wav", frames=4800)
    (tmp_path / "in" / "b.flac").write_text("not audio")
    (tmp_path / "in" / "notes.txt").write_text("left alone")
    clip("in/deep/c.aiff", frames=4800)
    outcome = run(first.parent, tmp_path / "out", "--json")
    report = json.loads(outcome.out)
    out = tmp_path / "out"
    made = sorted(path.relative_to(out) for path in out.rglob("[!.]*.wav"))
    assert outcome.code == 1 and "b.flac" in outcome.err
    assert made == [Path("a.wav"), Path("deep/c.wav")]
    assert (len(report["files"]), len(report["failed"])) == (2, 1)


def test_folders_that_would_overwrite_themselves_are_refused(
    run: Run, clip: Clip, tmp_path: Path
) -> None:
    folder = clip("in/a.wav").parent
    assert "lies inside" in run(folder, folder / "out").err
    clip("other/a.wav")
    assert "both become" in run(folder, tmp_path / "other" / "a.wav", tmp_path / "out").err
    for sources in ((folder,), (folder / "a.wav", tmp_path / "other" / "a.wav")):
        for out in (folder / "a.wav", tmp_path / "absent.flac"):
            outcome = run(*sources, out)
            assert (outcome.code, outcome.err.count("\n")) == (2, 1)
            assert "is no folder" in outcome.err and not out.is_dir()
    (tmp_path / "none").mkdir()
    assert "no file that can be read as audio" in run(tmp_path / "none", tmp_path / "out").err


def test_a_loud_result_is_turned_down_with_a_warning(run: Run, tmp_path: Path) -> None:
    # A float file may go far beyond full scale; its level is given back.
    seconds = np.arange(24_000) / RATE_HZ
    loud = 8 * np.sin(2 * np.pi * 220 * seconds)
    soundfile.write(tmp_path / "in.wav", loud, RATE_HZ, subtype="FLOAT")
    outcome = run(tmp_path / "in.wav", tmp_path / "out.wav")
    assert outcome.code == 0 and "turned down" in outcome.err


def test_the_program_starts_and_tells_its_version() -> None:
    command = [sys.executable, "-m", "hiresldm.cli.main", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("hiresldm")
