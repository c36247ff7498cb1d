"""`hiresldm corpus` with the embedded model: layouts, repeatability, workers that die."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from hiresldm.benchmarks.experiments import corpus as experiment
from hiresldm.cli.main import main
from hiresldm.core.spec import Array
from hiresldm.corpus import on_processes
from hiresldm.corpus.cleaning import Cleaning
from hiresldm.corpus.clip import Clip, Finished, Quarantined, key_of
from hiresldm.corpus.layouts import source_of
from hiresldm.corpus.silence import pieces
from hiresldm.corpus.worker import Worker
from hiresldm.runtimes.model import Model
from hiresldm.runtimes.restorer import Restorer

RATE_HZ = 48_000
Clean = Callable[..., dict[str, Any]]


@pytest.fixture
def clean(capsys: pytest.CaptureFixture[str]) -> Clean:
    """Runs `hiresldm corpus --json` in this process, and gives what it tells."""

    def run(given: Path, out: Path, *options: str) -> dict[str, Any]:
        with pytest.raises(SystemExit) as stop:
            main(["corpus", str(given), str(out), "--json", "--workers", "1", *options])
        printed = capsys.readouterr()
        assert not stop.value.code, printed.err
        told: dict[str, Any] = json.loads(printed.out)
        return told

    return run


@pytest.fixture
def clips(noisy: Array, tmp_path: Path) -> Path:
    """Three short clips in a folder, and a file that is no audio."""
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    for number, name in enumerate(("a.one.wav", "b/two.flac", "c.wav")):
        begin = number * RATE_HZ
        soundfile.write(folder / name, noisy[begin : begin + RATE_HZ // 2], RATE_HZ)
    (folder / "broken.wav").write_bytes(b"no audio at all")
    return folder


def test_every_layout_holds_the_same_clips_and_is_read_again(
    clips: Path, tmp_path: Path, clean: Clean
) -> None:
    told = {}
    for layout in ("folder", "csv", "webdataset", "parquet"):
        out = tmp_path / layout
        options = ("--layout", layout, "--per-shard", "2", "--no-dnsmos")
        assert clean(clips, out, *options)["restored"] == 3
        told[layout] = _held(out, layout)
        given = {"folder": out / "manifest.jsonl", "csv": out / "manifest.csv"}.get(layout, out)
        assert [clip.read() for clip in source_of(given, tmp_path / "x")] == [
            *told[layout].values()
        ]
    assert told["folder"].keys() == {"a.one", "b/two", "c"}
    assert all(held == told["folder"] for held in told.values())


def test_a_clip_is_that_of_restore_with_the_seed_of_its_hash_and_scored(
    clips: Path, noisy: Array, tmp_path: Path, clean: Clean
) -> None:
    clean(clips, tmp_path / "out", "--dnsmos")
    record = next(one for one in _records(tmp_path / "out") if one["key"] == "c")
    seed = int(record["sha256"][:8], 16)
    given, _ = soundfile.read(clips / "c.wav", dtype="float32")
    made, rate_hz = soundfile.read(tmp_path / "out" / record["path"], dtype="float32")
    expected = Restorer.load(threads=1)(given, RATE_HZ, seed=seed)
    assert (record["seed"], rate_hz) == (seed, RATE_HZ)
    assert np.abs(made - expected).max() <= 2**-15  # 16 bits
    assert 0 <= record["lost_speech"] <= 1 and 1 <= record["dnsmos_ovrl"] <= 5
    assert record["bandwidth_before_hz"] < record["bandwidth_after_hz"] <= RATE_HZ / 2
    assert record["level_before_lufs"] == pytest.approx(-27, abs=6)


def test_the_same_command_goes_on_and_what_fails_is_told(
    clips: Path, tmp_path: Path, clean: Clean
) -> None:
    out = tmp_path / "out"
    assert clean(clips, out, "--no-dnsmos")["quarantined"] == 1
    told = json.loads((out / "quarantine.jsonl").read_text())
    assert told["clip"] == "broken" and told["reason"].startswith("broken cannot be read: it is no")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.flac")}
    soundfile.write(clips / "d.wav", np.full(4800, 0.01, np.float32), RATE_HZ)
    again = clean(clips, out, "--no-dnsmos")
    assert (again["restored"], again["known"]) == (1, 4)
    assert before.items() <= {p: p.stat().st_mtime_ns for p in out.rglob("*.flac")}.items()
    assert len(before) == 3 and len(_records(out)) == 4


def test_fields_are_carried_along(clips: Path, noisy: Array, tmp_path: Path, clean: Clean) -> None:
    rows = [{"audio_filepath": "in/c.wav", "text": "words", "speaker": 7}]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    clean(tmp_path / "m.jsonl", tmp_path / "pq", "--layout", "parquet", "--no-dnsmos")
    row = pq.read_table(tmp_path / "pq" / "00000.parquet").to_pylist()[0]
    assert (row["text"], row["speaker"], row["audio"]["path"]) == ("words", 7, "in/c.flac")
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        parts = {"wav": (clips / "c.wav").read_bytes(), "txt": b"words", "json": b'{"n": 1}'}
        for ending, content in parts.items():
            member = tarfile.TarInfo(f"../../x/sample.{ending}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    clean(tmp_path / "s.tar", tmp_path / "tars", "--no-dnsmos")
    with tarfile.open(tmp_path / "tars" / "00000.tar") as tar:
        names = tar.getnames()
        assert names == [f"s/x/sample.{ending}" for ending in ("flac", "json", "txt")]
        record = json.loads(tar.extractfile(names[1]).read())  # type: ignore[union-attr]
    assert record["fields"] == {"txt": "words", "n": 1}


def test_a_long_clip_is_cut_at_silence(noisy: Array, tmp_path: Path, clean: Clean) -> None:
    (tmp_path / "in").mkdir()
    quiet = np.zeros(RATE_HZ, np.float32)
    both = np.concatenate([quiet, noisy[: 2 * RATE_HZ], quiet, noisy[: 2 * RATE_HZ]])
    soundfile.write(tmp_path / "in" / "long.wav", both, RATE_HZ)
    clean(tmp_path / "in", tmp_path / "out", "--split", "3", "--no-dnsmos")
    records = _records(tmp_path / "out")
    assert [one["key"] for one in records] == ["long-0000", "long-0001"]
    assert all(one["duration_s"] <= 3 for one in records)
    begins_s, ends_s = zip(
        *((one["begin_s"], one["begin_s"] + one["duration_s"]) for one in records), strict=True
    )
    assert 0.8 < begins_s[0] < 1.5 and ends_s[0] < 3.3 and begins_s[1] > 3.7
    made = [soundfile.info(tmp_path / "out" / one["path"]).duration for one in records]
    assert made == pytest.approx([one["duration_s"] for one in records])


def test_pieces_are_short_enough_and_hold_all_speech() -> None:
    wave = np.random.default_rng(0).standard_normal(20 * 1000).astype(np.float32)
    wave[3000:4000] = wave[15_000:15_100] = 0  # the second is too short for a pause
    wave[8500:8540] = 0
    cut = pieces(wave, 1000, 6.0)
    assert cut == [(0.0, 3.1), (3.9, pytest.approx(8.6, abs=0.1)), *cut[2:]]
    assert all(end - begin <= 6.0 + 1e-6 for begin, end in cut) and cut[-1][1] == 20.0
    assert pieces(np.zeros(5000, np.float32), 1000, 6.0) == []


def test_a_run_that_was_killed_goes_on_and_repeats_nothing_that_is_finished(
    noisy: Array, tmp_path: Path, clean: Clean
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(12):
        piece = noisy[number * 9000 : number * 9000 + RATE_HZ]
        soundfile.write(folder / f"{number:02d}.wav", piece, RATE_HZ)
    whole = clean(folder, tmp_path / "whole", "--no-dnsmos")
    options = ["--workers", "2", "--per-shard", "5", "--no-dnsmos"]
    command = [sys.executable, "-m", "hiresldm", "corpus", str(folder), str(out), *options]
    with subprocess.Popen(command, start_new_session=True) as running:
        while len(experiment.finished(out)) < 4:
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGKILL)
    for name in experiment.finished(out):  # who did one of these again would find no audio
        (folder / f"{name}.wav").write_bytes(b"")
    again = clean(folder, out, "--no-dnsmos", "--per-shard", "5")
    assert (again["quarantined"], len(_records(out))) == (0, whole["restored"])
    assert _held(out, "folder") == _held(tmp_path / "whole", "folder")


@pytest.mark.nightly(reason="a cluster takes half a minute")
def test_a_ray_cluster_that_loses_a_worker_loses_no_clip_and_repeats_none(
    tmp_path: Path, clean: Clean
) -> None:
    experiment.make_clips(tmp_path / "in", 12, 1.0)
    clean(tmp_path / "in", tmp_path / "one", "--no-dnsmos")
    told = experiment.lose_a_worker(tmp_path / "in", tmp_path / "ray", 4, "--no-dnsmos")
    assert (told["clips"], told["quarantined"]) == (12, 0) and told["done_before_the_loss"] < 12
    assert _held(tmp_path / "ray", "folder") == _held(tmp_path / "one", "folder")


def test_a_clip_that_ends_its_worker_is_quarantined_and_the_others_are_done(
    clips: Path, tmp_path: Path
) -> None:
    good = [Clip(name, (clips / f"{name}.wav").read_bytes) for name in ("a.one", "c")]
    deadly = Clip("deadly", partial(os._exit, 9))
    worker = Worker(Model(threads=1), Cleaning(), tmp_path / "spool")
    told = list(on_processes.outcomes(worker, [good[0], deadly, good[1]], count=2))
    assert {one.key for one in told if isinstance(one, Finished)} == {"a.one", "c"}
    assert [one for one in told if isinstance(one, Quarantined)] == [
        Quarantined("deadly", "deadly ended its worker 3 times")
    ]


def test_bad_requests_are_told_in_one_sentence(
    clips: Path, tmp_path: Path, clean: Clean, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(pa.table({"audio": ["a"]}), tmp_path / "p.parquet")
    (tmp_path / "m.csv").write_text("name,text\na,b\n")
    (tmp_path / "t.tar").write_bytes(b"no tar")
    clean(clips, tmp_path / "done", "--no-dnsmos")
    requests: dict[tuple[object, ...], str] = {
        (tmp_path / "none", "out"): "does not exist; accepted are a folder",
        (clips / "c.wav", "out"): "is no corpus; accepted are a folder",
        (clips, "out", "--layout", "zip"): "there is no layout 'zip'; accepted: folder, csv",
        (clips, "out", "--format", "mp4"): "clips cannot be 'mp4'; accepted: wav, flac",
        (clips, "out", "--steps", "99"): "99 steps are not offered",
        (clips, clips / "out"): "lies inside",
        (clips, tmp_path / "done", "--mono", "--no-dnsmos"): "was begun with another wanted",
        (tmp_path / "p.parquet", "out"): "has no column 'audio' of {bytes, path}",
        (tmp_path / "m.csv", "out1"): "names no audio; one of these is needed: path",
        (tmp_path / "t.tar", "out2"): "cannot be read as a tar without compression",
    }
    os.chdir(tmp_path)
    for arguments, sentence in requests.items():
        with pytest.raises(SystemExit) as stop:
            main(["corpus", *map(str, arguments)])
        said = capsys.readouterr().err
        assert stop.value.code == 2 and sentence in said and said.count("\n") == 1, said


def test_names_that_anyone_may_give_stay_in_the_output() -> None:
    assert key_of("../../etc/passwd") == key_of("/etc/./passwd") == "etc/passwd"
    assert key_of("C:\\speech\\a") == "C_/speech/a"
    assert key_of("..") == "clip"
    assert len(key_of("ü" * 500).encode()) < 255 and key_of("ü" * 500) != key_of("ü" * 501)


def _records(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def _held(out: Path, layout: str) -> dict[str, bytes]:
    """The audio of every clip, by its key."""
    if layout == "csv":
        with (out / "manifest.csv").open(newline="") as file:
            return {row["key"]: (out / row["path"]).read_bytes() for row in csv.DictReader(file)}
    if layout == "folder":
        return {one["key"]: (out / one["path"]).read_bytes() for one in _records(out)}
    held = {}
    for one in _records(out):
        shard = out / one["shard"]
        if layout == "parquet":
            rows = pq.read_table(shard).to_pylist()
            held |= {row["key"]: row["audio"]["bytes"] for row in rows if row["key"] == one["key"]}
        else:
            with tarfile.open(shard) as tar:
                name = one["key"].replace(".", "%2E") + ".flac"
                held[one["key"]] = tar.extractfile(name).read()  # type: ignore[union-attr]
    return held
