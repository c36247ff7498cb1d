"""`hiresldm bench`: clocks, peak memory, and the verb with the embedded model."""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import typer

from hiresldm.benchmarks.reports import speed as tables
from hiresldm.benchmarks.reports import tradeoff
from hiresldm.benchmarks.speed import contest, processes, profile, scaling, timing
from hiresldm.cli.asked import command
from hiresldm.cli.lists import NUMBERS
from hiresldm.cli.main import main
from hiresldm.core.bundle import manifest as bundles
from hiresldm.core.errors import ToolkitError, UsageError
from hiresldm.core.restorer import Restorer
from hiresldm.core.spec import Array, Arrays, Runner
from hiresldm.families.hiresldm.components import NAMES as COMPONENTS
from hiresldm.families.hiresldm.host import Host
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

SLEEP_S = 0.05
QUALITY = Path(__file__).resolve().parents[2] / "benchmarks/results/quality.json"


def _sleeper() -> timing.Timed:
    """Components that pass their input on; recovery and denoiser take `SLEEP_S` each time."""

    def passing(given: str, made: str, slow: bool = False) -> Runner:
        def run(inputs: Arrays) -> dict[str, Array]:
            time.sleep(SLEEP_S if slow else 0.0)
            return {made: inputs[given]}

        return run

    runners = {
        "recovery": passing("spectrum", "recovered", slow=True),
        "encoder": lambda x: {"latent": x["log_mel"][:, ::2, :64]},
        "denoiser": passing("condition", "clean", slow=True),
        "decoder": passing("recovered", "restored"),
    }
    clock = timing.Clock()
    host = Host().offering([1, 4], 4)
    return timing.Timed(Restorer(runners, host, wrap=clock.wrap), clock)


def test_time_is_put_down_to_the_component_that_took_it() -> None:
    wave, timed = np.zeros(24_000, np.float32), _sleeper()
    for steps in (1, 4):
        taken = dict(timing.factors(timed, wave, steps=steps))
        assert list(taken) == [timing.RTF, *COMPONENTS, timing.HOST]
        assert sum(taken.values()) == pytest.approx(2 * taken[timing.RTF])
        calls = {"recovery": 1, "denoiser": steps}
        for name in COMPONENTS:
            # 0.5 s of audio; on a busy machine a sleep may take twice its time, never less.
            expected = calls.get(name, 0) * SLEEP_S / 0.5
            assert expected <= taken[name] < 2 * expected + 0.3, name


def test_contestants_take_turns_and_are_held_against_the_first() -> None:
    turns: list[str] = []

    def contestant(name: str, rtf: float) -> contest.Contestant:
        def run(speech: Array) -> dict[str, float]:
            turns.append(name)
            busy = 1 + turns.count("a") % 3  # a spell in which everything takes longer
            return {timing.RTF: rtf * busy, "part": rtf}

        return contest.Contestant({"system": name}, run)

    rows = contest.rows(
        [contestant("a", 0.2), contestant("b", 0.1)], np.zeros(96_000, np.float32), runs=4
    )
    assert turns == ["a", "b"] * 5
    assert [row["system"] for row in rows] == ["a", "b"] and rows[0]["audio_s"] == 2.0
    assert rows[1]["ratio"] == pytest.approx({"median": 0.5, "low": 0.5, "high": 0.5})
    assert rows[1]["components"]["part"]["median"] == 0.1


def test_a_line_through_lengths_and_what_is_left_of_it() -> None:
    exact = scaling.line([(s, 0.5 + 0.02 * s) for s in (1.0, 10.0, 600.0)])
    assert exact == pytest.approx({"start_s": 0.5, "per_s": 0.02, "residual": 0.0})
    bent = scaling.line([(s, 0.02 * s**1.5) for s in (1.0, 10.0, 600.0)])
    assert bent["residual"] > 0.3
    assert scaling.line([(1.0, 1.0), (2.0, 2.0)])["residual"] is None


def test_the_profile_counts_what_products_and_convolutions_multiply() -> None:
    def about(kind: str, made: list[int], *given: list[int]) -> dict[str, Any]:
        shapes = [{"float": axes} for axes in given]
        return {"op_name": kind, "input_type_shape": shapes, "output_type_shape": [{"float": made}]}

    assert profile.macs(about("MatMul", [1, 7, 4], [1, 7, 3], [3, 4])) == 7 * 3 * 4
    assert profile.macs(about("FusedConv", [1, 8, 5], [1, 6, 5], [8, 2, 3])) == 8 * 5 * 2 * 3
    assert profile.macs(about("Add", [7], [7], [7])) == 0


def test_the_spread_is_of_the_raw_figures() -> None:
    made = timing.spread([5.0, 1.0, 3.0, 2.0, 4.0])
    assert made == {"median": 3.0, "q1": 2.0, "q3": 4.0, "raw": [5.0, 1.0, 3.0, 2.0, 4.0]}


@pytest.mark.skipif(sys.platform == "win32", reason="only Unix keeps a process's peak")
def test_the_peak_is_that_of_the_process_alone() -> None:
    held = np.ones(40_000_000, np.float32)  # a child must not be charged with its parent's memory
    some, more = (
        processes.peak_bytes([sys.executable, "-c", f"x = b'a' * {count}"])
        for count in (100_000_000, 200_000_000)
    )
    assert held[-1] == 1.0
    assert some < 130e6
    assert more - some == pytest.approx(100e6, rel=0.01)


def test_a_process_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"failed with code 1: .*bundle\.json"):
        processes.startup(np.ones(4800, np.float32), tmp_path, runs=1)
    with pytest.raises(ToolkitError, match="failed with code 6"):
        processes.memory(np.ones(4800, np.float32), tmp_path, short_s=1.0, long_s=2.0, threads=1)


def test_the_command_repeats_the_run() -> None:
    app, asked = typer.Typer(), []

    @app.command()
    def mix(
        context: typer.Context,
        out: Path,
        steps: Annotated[list[str], typer.Option(metavar=NUMBERS)],
        student: Annotated[list[str], typer.Option()],
        seed: int = 0,
        name: str | None = None,
        quiet: Annotated[bool, typer.Option("--quiet")] = False,
    ) -> None:
        asked.append(command(context))

    words = ["my speech", "--steps", "1,2", "--steps", "4", "--quiet"]
    words += ["--student", "a=1,2", "--student", "b=3"]
    app(words, standalone_mode=False, prog_name="mix")
    assert asked == [
        "hiresldm mix --steps 1,2,4 --student a=1,2 --student b=3 --seed 0 -- 'my speech'"
    ]


def test_variants_are_those_that_the_bundle_holds(tmp_path: Path) -> None:
    root = shutil.copytree(EMBEDDED_BUNDLE, tmp_path / "bundle")
    manifest = bundles.load(root)
    rounder = [
        replace(a, precision="fp16") if a.format == "torch" else a for a in manifest.artifacts
    ]
    bundles.save(replace(manifest, artifacts=tuple(rounder)), root)
    asked = contest.Asked(["ort", "torch"], ["fp32", "fp16"], threads=[1], steps=[1])
    found = [one.about for one in contest.contestants(root, asked)]
    held = [(about["backend"], about["precision"]) for about in found]
    assert held == [("ort", "fp32"), ("torch", "fp16")]


@pytest.mark.parametrize(
    ("backends", "precisions", "told"),
    [(["ort", "openvino"], ["fp32"], "openvino"), (["ort"], ["fp32", "int4"], "int4")],
)
def test_what_takes_part_in_no_variant_is_told(
    backends: list[str], precisions: list[str], told: str
) -> None:
    asked = contest.Asked(backends, precisions, threads=[1], steps=[1])
    with pytest.raises(ToolkitError, match=told):
        list(contest.contestants(EMBEDDED_BUNDLE, asked))


def test_the_verb_measures_the_embedded_model(
    noisy_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    options = ["--threads", "1", "--steps", "1", "--runs", "2", "--seconds", "2", "--profile"]
    page = tmp_path / "bench.html"
    options += ["--durations", "1,2", "--html", str(page), "--quality", str(QUALITY)]
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--speech", str(noisy_path), *options, "--long-seconds", "4",
              "--report", str(out), "--json"])  # fmt: skip
    result = json.loads(capsys.readouterr().out)
    assert not stop.value.code
    assert result == json.loads(out.read_text())
    (row,) = result["rows"]
    assert (row["threads"], row["steps"], row["audio_s"]) == (1, 1, 2.0)
    assert row["ratio"]["median"] == 1.0 and 0 < row["bytes"] < result["model"]["bytes"]
    assert all(component["median"] > 0 for component in row["components"].values())
    # The model is read after everything that `--version` does. The faster of two processes is
    # meant: on a busy machine one that does less may be overtaken.
    startup = {name: min(taken["raw"]) for name, taken in result["startup"].items()}
    assert 0.1 < startup["load_s"] < startup["first_s"]
    assert 0 < result["latency"]["p50_ms"] <= result["latency"]["p99_ms"]
    assert [one["audio_s"] for one in result["scaling"]["rows"]] == [1, 2]
    profiled = result["profile"]["rows"]
    assert {one["component"] for one in profiled} == set(COMPONENTS)
    shares = [one["of_peak"] for one in profiled if one["operator"] == "DynamicQuantizeMatMul"]
    assert len(shares) == len(COMPONENTS)
    assert all(0.005 < share < 3 for share in shares)  # the two are measured one after another
    # What the profile leaves out is the host's and the session's own.
    networks = sum(one["seconds"] for one in profiled)
    assert 0.2 * row["rtf"]["median"] < networks < 2 * row["rtf"]["median"]
    shown = page.read_text(encoding="utf-8")
    assert "<h1>Speed</h1>" in shown and "data:image/png;base64," in shown
    assert [peak["audio_s"] for peak in result["memory"]["peaks"]] == [2.0, 4.0]
    assert result["memory"]["peaks"][0]["peak_bytes"] > result["model"]["bytes"]
    assert 0.8 < result["memory"]["ratio"] < 2.5
    assert result["model"]["bytes"] >= sum(
        path.stat().st_size for path in EMBEDDED_BUNDLE.glob("*.onnx")
    )
    markdown = tables.markdown(result)
    assert (
        f"| edge ort | 1 | 1 | {row['bytes'] / 1e6:.1f} | {row['rtf']['median']:.3f} (" in markdown
    )
    assert (
        "peak memory, 4 s file, MB" in markdown
        and "| recovery | DynamicQuantizeMatMul |" in markdown
    )
    assert "one thread, real-time factor" in tables.in_short(result)


def test_what_is_timed_is_found_in_an_evaluation_by_weights_engine_and_precision() -> None:
    def timed(backend: str | None, precision: str | None, steps: int | None) -> dict[str, Any]:
        about = {"system": "edge" if backend else "gtcrn", "backend": backend, "threads": 1}
        return about | {"precision": precision, "steps": steps, "rtf": {"median": 0.1}, "bytes": 1}

    rows = [timed("ort", None, 1), timed("ort", "fp32", 1), timed("openvino", "fp32", 1)]
    rows += [timed("ort", None, 2), timed(None, None, None)]
    names = {"a": "x", "a/fp32": "x", "a/openvino/fp32": "x", "b": "y"}
    scored = [{"system": name, "steps": 1, "class": "all", "estoi": None} for name in names]
    scored.append({"system": "gtcrn", "steps": None, "class": "all"})
    weights = {name: {"weights_sha256": of, "sha256": name} for name, of in names.items()}
    speed = {"model": {"weights_sha256": "x", "sha256": "z"}, "rows": rows}
    quality = {"models": weights, "rows": scored}
    found = [point.quality["system"] for point in tradeoff.points(speed, quality)]
    assert found == ["a", "a/fp32", "a/openvino/fp32", "gtcrn"]
    with pytest.raises(UsageError, match="has nothing timed here"):
        tradeoff.picture(tradeoff.points(speed, quality))
    with pytest.raises(UsageError, match="of other weights"):
        tradeoff.points({**speed, "model": {"weights_sha256": "w", "sha256": "w"}}, quality)


def test_a_report_that_is_none_is_told_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none.json").write_text("[]")
    page = ["--html", str(tmp_path / "page.html")]
    for words, sentence in (
        ([], "name that with --html"),
        (page, "no report of `evaluate`"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["bench", "--quality", str(tmp_path / "none.json"), *words])
        assert stop.value.code == 2
        assert sentence in capsys.readouterr().err
