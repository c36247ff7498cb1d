"""`hiresldm evaluate`: test pairs, scores, summaries, and the verb with the embedded model."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from command_line import Run

from hiresldm.benchmarks.quality import evaluation as quality
from hiresldm.benchmarks.quality import per_speaker
from hiresldm.benchmarks.quality import tables as quality_tables
from hiresldm.benchmarks.quality.metrics import scores
from hiresldm.benchmarks.quality.testset import (
    CLASSES,
    CLEAN,
    MIXED,
    TALKERS,
    Pair,
    pairs,
)
from hiresldm.core.errors import ToolkitError, UsageError
from hiresldm.core.signal.metrics import band_limited, si_sdr_db
from hiresldm.core.spec import Array

RATE_HZ = 48_000
CLIP = int(2.3 * RATE_HZ)
"""DNSMOS doubles a clip until it has 9.01 s: of this length it makes a single window."""


@pytest.fixture(scope="module")
def clip(speech: Array) -> Array:
    """A clip (CLIP,) from the middle of the speech."""
    return speech[RATE_HZ:][:CLIP]


@pytest.fixture(scope="module")
def folder(speech: Array, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty recordings, the last of which is the test split."""
    root = tmp_path_factory.mktemp("speech")
    for number in range(20):
        soundfile.write(root / f"{number:02}.wav", speech[number * 1000 :][:CLIP], RATE_HZ)
    return root


@pytest.fixture(scope="module")
def voices(speech: Array, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of two speakers, five clips and one, and a clip that is too short."""
    root = tmp_path_factory.mktemp("voices")
    (root / "clean").mkdir()
    lines = ["path,speaker,split,bandwidth_hz,lang"]
    clips = [("a", 1.2)] * 5 + [("b", 1.2), ("c", 0.5)]
    for number, (speaker, length_s) in enumerate(clips):
        path = f"clean/{number}.wav"
        soundfile.write(root / path, speech[number * 4800 :][: int(length_s * RATE_HZ)], RATE_HZ)
        lines.append(f"{path},{speaker},test,{16_000 + number},en")
    (root / "clean" / "manifest.csv").write_text("\n".join(lines))
    return root


def test_pairs_repeat_with_the_seed_and_a_larger_set_contains_a_smaller(voices: Path) -> None:
    few = list(pairs(voices, "test", seed=3, per_class=1))
    many = list(pairs(voices, "test", seed=3, per_class=4))
    other = list(pairs(voices, "test", seed=4, per_class=1))
    assert [pair.kind for pair in few] == list(CLASSES)
    for one, same in zip(few, many[::4], strict=True):
        assert one.name == same.name
        assert np.array_equal(one.damaged, same.damaged)
    assert any(a.name != b.name or not np.array_equal(a.damaged, b.damaged)
               for a, b in zip(few, other, strict=True))  # fmt: skip


def test_pairs_are_even_over_speakers_aligned_and_damaged(voices: Path) -> None:
    drawn = list(pairs(voices, "test", seed=0, per_class=4))
    counts = Counter((pair.kind, pair.speaker) for pair in drawn)
    assert counts == {(kind, speaker): 2 for kind in CLASSES for speaker in "ab"}
    for pair in drawn:
        assert pair.clean.dtype == pair.damaged.dtype == np.float32
        assert pair.language == "en"
        if pair.kind == TALKERS:
            continue
        assert pair.clean.shape == pair.damaged.shape == (int(1.2 * RATE_HZ),)
        assert pair.bandwidth_hz == 16_000 + int(pair.name)
        assert {MIXED: len(set(pair.kinds)) >= 2, CLEAN: not pair.kinds}.get(
            pair.kind, pair.kinds == (pair.kind,)
        )
    own = {pair.name for pair in drawn if (pair.kind, pair.speaker) == ("noise", "a")}
    assert len(own) == 2


def test_what_is_aimed_at_is_the_recording_without_the_hiss_of_its_room(voices: Path) -> None:
    drawn = [p for p in pairs(voices, "test", seed=0, per_class=2) if p.kind in (CLEAN, TALKERS)]
    for pair in drawn:
        assert not np.array_equal(pair.clean, pair.damaged)
        assert si_sdr_db(pair.clean, pair.damaged) > 20


def test_the_second_of_two_talkers_is_softer(voices: Path) -> None:
    two = [pair for pair in pairs(voices, "test", seed=0, per_class=4) if pair.kind == TALKERS]
    for pair in two:
        length = int(1.2 * RATE_HZ)
        assert len(pair.damaged) == 2 * length + RATE_HZ // 5
        first, second = (np.abs(part).max() for part in (pair.clean[:length], pair.clean[-length:]))
        assert 0.01 < second / first < 0.6


def test_data_without_a_usable_clip_is_refused(speech: Array, tmp_path: Path) -> None:
    for number in range(20):
        soundfile.write(tmp_path / f"{number:02}.wav", speech[:20_000], RATE_HZ)
    with pytest.raises(UsageError, match="no test clip of at least 1 s"):
        next(pairs(tmp_path, "test", seed=0, per_class=1))


def test_every_metric_prefers_clean_speech_to_noisy_and_to_silence(clip: Array) -> None:
    every = scores.choose([scores.ALL], referenced=True)
    scores.require(every)
    noise = np.random.default_rng(0).standard_normal(len(clip)).astype(np.float32)
    candidates = (clip, clip + np.float32(0.1) * noise, np.zeros_like(clip))
    pair = _pair(clip, 20_000.0)
    clean, noisy, silent = (scores.score(pair, made, every) for made in candidates)
    assert list(clean) == list(scores.headings())
    for name, heading in scores.headings().items():
        sign = -1 if "↓" in heading else 1
        assert sign * clean[name] > sign * silent[name], name
        assert name.startswith("lost") or sign * clean[name] > sign * noisy[name], name
    assert {value for name, value in noisy.items() if name.startswith("lost")} == {0.0}
    assert (silent["pesq"], silent["visqol"], silent["sisdr"]) == (1.0, 1.0, -100.0)
    assert clean["pesq"] == pytest.approx(4.644, abs=1e-3)
    assert clean["visqol"] == pytest.approx(4.732, abs=1e-3)
    assert (clean["lost"], silent["lost"], silent["lost_top"]) == (0.0, 100.0, 100.0)
    assert clean["spk"] == pytest.approx(1.0, abs=1e-5)
    assert (clean["lsd"], clean["mcd"], clean["wer"], clean["sisdr"]) == (0.0, 0.0, 0.0, 100.0)


def test_dnsmos_is_that_of_its_package(clip: Array) -> None:
    from speechmos import dnsmos

    low = soxr.resample(clip, RATE_HZ, 16_000)
    expected = dnsmos.run(low, 16_000)
    blind = Pair("recorded", (), "x", "x", 24_000.0, None, clip)
    made = scores.score(blind, clip, scores.choose([scores.FAST], referenced=False))
    assert list(made) == [f"dnsmos_{part}" for part in ("ovrl", "sig", "bak", "p808")]
    for part in ("ovrl", "sig", "bak", "p808"):
        assert made[f"dnsmos_{part}"] == pytest.approx(float(expected[f"{part}_mos"]), abs=1e-3)


def test_a_peak_above_full_scale_is_scored_and_high_bands_need_bandwidth(clip: Array) -> None:
    pair = _pair(clip, 7000.0)
    chosen = scores.choose(["dnsmos", "lsd", "mcd"], referenced=True)
    loud = scores.score(pair, clip * np.float32(50), chosen)
    assert np.isfinite(loud["dnsmos_ovrl"])
    assert math.isnan(loud["lsd_hf"])
    assert loud["mcd"] < 0.1  # a level is no distance


def test_what_stands_above_the_reference_is_not_held_against_it(clip: Array) -> None:
    pair = _pair(band_limited(clip, 7000.0), 7000.0)
    made = scores.score(pair, clip, scores.choose(["sisdr", "visqol"], referenced=True))
    assert made["sisdr"] > 60
    assert made["visqol"] > 4.7


def test_metrics_are_chosen_by_group() -> None:
    fast = {scorer.name for scorer in scores.choose([scores.FAST], referenced=True)}
    assert fast == {"dnsmos", "pesq", "estoi", "lsd", "mcd", "lost", "sisdr"}
    both = scores.choose(["wer", "pesq"], referenced=True)
    assert [scorer.name for scorer in both] == ["pesq", "wer"]
    every = scores.choose([scores.ALL], referenced=False)
    assert [scorer.name for scorer in every] == ["dnsmos", "distillmos"]
    with pytest.raises(UsageError, match="no metric 'mos'; accepted: fast, all, dnsmos"):
        scores.choose(["mos"], referenced=True)
    with pytest.raises(UsageError, match="no metric 'pesq' without clean versions"):
        scores.choose(["pesq"], referenced=False)


def test_a_system_that_fails_stops_the_evaluation(folder: Path) -> None:
    drawn = list(islice(pairs(folder, "test", seed=0, per_class=1), 1))
    faults: tuple[Callable[[Pair], Array], ...] = (
        lambda pair: pair.damaged * np.float32(np.nan),
        lambda pair: pair.damaged[1:],
    )
    for fault in faults:
        with pytest.raises(ToolkitError, match=r"broken at 4 steps .* 19 \(noise\)"):
            list(quality.render(drawn, [quality.System("broken", 4, fault)]))


def test_the_interval_is_that_of_the_mean_over_speakers() -> None:
    rng = np.random.default_rng(0)
    voices = rng.normal(3.0, 0.5, 100)
    names = [str(number) for number in np.repeat(np.arange(100), 4)]
    values = np.repeat(voices, 4) + rng.normal(0.0, 0.01, 400)
    made = quality.interval([*values, math.nan], [*names, "0"], seed=0)
    assert made is not None
    half = 1.96 * voices.std() / 10  # 100 speakers, and not 400 clips, are independent
    assert made["mean"] == pytest.approx(values.mean())
    assert made["low"] == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert made["high"] == pytest.approx(values.mean() + half, abs=0.15 * half)
    alone = quality.interval([1.0, 3.0], ["a", "a"], seed=0)
    assert alone == {"mean": 2.0, "low": 1.0, "high": 3.0}
    assert quality.interval([math.nan], ["a"], seed=0) is None


def test_rows_leave_untouched_speech_out_of_the_whole() -> None:
    marks = [("noise", 1.0), ("noise", 2.0), ("clip", 6.0), (CLEAN, 50.0)]
    clips = [
        quality.ClipScores(system, steps, kind, "x", "s", {"m": mark + shift})
        for system, steps, shift in (("input", None, 0.0), ("pipeline", 2, 10.0))
        for kind, mark in marks
    ]
    made = {
        (row["system"], row["class"]): (row["count"], row["m"]["mean"])
        for row in quality.rows(clips, seed=0)
    }
    assert made == {
        ("input", "all"): (3, 3.0), ("pipeline", "all"): (3, 13.0),
        ("input", "noise"): (2, 1.5), ("pipeline", "noise"): (2, 11.5),
        ("input", "clip"): (1, 6.0), ("pipeline", "clip"): (1, 16.0),
        ("input", CLEAN): (1, 50.0), ("pipeline", CLEAN): (1, 60.0),
    }  # fmt: skip


def test_speakers_who_lose_are_told_apart_from_those_who_gain() -> None:
    def clip(system: str, kind: str, speaker: str, estoi: float | None) -> dict[str, Any]:
        lost = None if estoi is None else 100 * (1 - estoi)
        return {"system": system, "steps": None, "class": kind, "speaker": speaker,
                "estoi": estoi, "lost": lost}  # fmt: skip

    given = [(CLEAN, "a", 1.0), ("noise", "a", 0.5), ("clip", "b", 0.96), ("noise", "b", 0.6)]
    made = [0.9, 0.7, 0.95, None]
    clips = [clip("input", *one) for one in given]
    clips += [clip("net", *one[:2], estoi) for one, estoi in zip(given, made, strict=True)]
    rows = per_speaker.rows(clips)
    about = [(r["system"], r["class"], r["speaker"], r["count"], r["difference"]) for r in rows]
    assert about == [
        ("net", quality.ALL, "a", 1, 0.2),
        ("net", quality.ALL, "b", 1, -0.01),
        ("net", per_speaker.NEAR_CLEAN, "a", 1, -0.1),
        ("net", per_speaker.NEAR_CLEAN, "b", 1, -0.01),
    ]
    assert (rows[2]["input_estoi"], rows[2]["estoi"], rows[2]["lost"]) == (1.0, 0.9, 10.0)
    markdown = per_speaker.markdown(rows)
    assert "| net | 2 | a 1.000 -> 0.900 | b 0.960 -> 0.950 | - | - |" in markdown
    assert "clean and near-clean input: 1 of 2 by net." in markdown
    assert per_speaker.rows([{**one, "estoi": None} for one in clips]) == []


def test_the_verb_scores_the_embedded_model(folder: Path, tmp_path: Path, hiresldm: Run) -> None:
    out = tmp_path / "result.json"
    options = ["--per-class", "1", "--seed", "2", "--steps", "1", "--threads", "1"]
    options += ["--metrics", "lsd,estoi"]
    done = hiresldm("evaluate", "--data", folder, *options, "--report", out, "--json")
    result = json.loads(done.out)
    assert done.code == 0
    assert result == json.loads(out.read_text())
    assert list(tmp_path.iterdir()) == [out]
    assert result["command"] == (
        f"hiresldm evaluate --data {folder} --split test --steps 1 --metrics lsd,estoi "
        f"--per-class 1 --seed 2 --threads 1 --report {out} --listen 2"
    )
    assert {"machine", "versions", "models", "seed"} <= result.keys()
    about = {(r["system"], r["steps"], r["class"], r["count"]) for r in result["rows"]}
    systems = (("input", None), ("recovery", None), ("autoencoder", None), ("pipeline", 1))
    kinds = (("all", len(CLASSES) - 1), *((kind, 1) for kind in CLASSES))
    assert about == {(*system, *kind) for system in systems for kind in kinds}
    assert all(set(row["estoi"]) == {"mean", "low", "high"} for row in result["rows"])
    untouched = _row(result, "input", CLEAN)
    assert untouched["estoi"]["mean"] > 0.98
    assert _row(result, "pipeline", CLEAN)["lsd"]["mean"] > 0.0
    harmed = {(r["system"], r["class"]) for r in result["speakers"]}
    assert harmed >= {(name, per_speaker.NEAR_CLEAN) for name in ("recovery", "pipeline")}
    assert "input" not in {name for name, _ in harmed}
    markdown = quality_tables.markdown(result["rows"])
    assert f"| pipeline, 1 step | {len(CLASSES) - 1} | " in markdown
    assert len(markdown.splitlines()) == 2 + 4 + 1 + 2 + 4 * len(CLASSES)


def test_parallel_scores_are_those_of_one_process(folder: Path) -> None:
    drawn: list[Pair] = list(islice(pairs(folder, "test", seed=1, per_class=1), 2))
    system = quality.System("quieter", None, lambda pair: pair.damaged * np.float32(0.5))
    rendered = list(quality.render(drawn, [system]))
    chosen = scores.choose(["pesq", "estoi"], referenced=True)
    parallel = list(quality.evaluate(rendered, [system], chosen, workers=2))
    single = list(quality.evaluate(rendered, [system], chosen, workers=1))
    assert [clips[0].kind for clips in parallel] == list(CLASSES[:2])
    for one, other in zip(parallel, single, strict=True):
        assert one[0].values == pytest.approx(other[0].values, rel=1e-4)


def test_faults_are_told_before_any_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hiresldm: Run
) -> None:
    given = ("evaluate", "--data", folder)
    assert hiresldm(*given, "--report", tmp_path / "no" / "r.json").code == 2
    assert hiresldm(*given, "--steps", 3).code == 2
    assert hiresldm(*given, "--split", "nothing").code == 2
    monkeypatch.setitem(sys.modules, "pesq", None)
    done = hiresldm(*given)
    assert done.code == 5
    assert "needs pesq; install with: pip install 'hiresldm[quality]'" in done.err


def _pair(clean: Array, bandwidth_hz: float) -> Pair:
    return Pair("noise", ("noise",), "x", "s", bandwidth_hz, clean, clean, "en")


def _row(result: dict[str, Any], system: str, kind: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = result["rows"]
    return next(row for row in rows if (row["system"], row["class"]) == (system, kind))
