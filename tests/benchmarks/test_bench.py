"""`hiresldm bench`: clocks, peak memory, and the verb with the embedded model."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import typer

from hiresldm.benchmarks import report
from hiresldm.benchmarks.speed import processes
from hiresldm.benchmarks.speed import timing as speed
from hiresldm.cli.asked import command
from hiresldm.cli.lists import NUMBERS
from hiresldm.cli.main import main
from hiresldm.core.errors import ToolkitError
from hiresldm.core.restorer import Restorer
from hiresldm.core.spec import Array, Arrays, Runner
from hiresldm.families.hiresldm.components import NAMES as COMPONENTS
from hiresldm.families.hiresldm.host import Host
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

SLEEP_S = 0.05


def _sleeper() -> speed.Timed:
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
    clock = speed.Clock()
    host = Host().offering([1, 4], 4)
    return speed.Timed(Restorer(runners, host, wrap=clock.wrap), clock)


def test_time_is_put_down_to_the_component_that_took_it() -> None:
    loaded: list[int] = []

    def load(threads: int) -> speed.Timed:
        loaded.append(threads)
        return _sleeper()

    wave = np.zeros(24_000, np.float32)
    rows = speed.rows(load, wave, threads=[1, 2], steps=[1, None], runs=2)
    assert loaded == [1, 2]
    assert [(row["threads"], row["steps"]) for row in rows] == [(1, 1), (1, 4), (2, 1), (2, 4)]
    for row in rows:
        components = {name: component["raw"] for name, component in row["components"].items()}
        assert list(components) == [*COMPONENTS, speed.HOST]
        assert np.allclose(np.sum(list(components.values()), axis=0), row["rtf"]["raw"])
        calls = {"recovery": 1, "denoiser": row["steps"]}
        for name in COMPONENTS:
            # 0.5 s of audio; a sleep may run over on a busy machine, never under.
            expected = calls.get(name, 0) * SLEEP_S / 0.5
            assert expected <= min(components[name]) < expected + 0.15, name


def test_the_spread_is_of_the_raw_figures() -> None:
    made = speed.spread([5.0, 1.0, 3.0, 2.0, 4.0])
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
        processes.startup(tmp_path, runs=1)
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


def test_the_verb_measures_the_embedded_model(
    noisy_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    options = ["--threads", "1", "--steps", "1", "--runs", "1", "--seconds", "2"]
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--speech", str(noisy_path), *options, "--long-seconds", "4",
              "--report", str(out), "--json"])  # fmt: skip
    result = json.loads(capsys.readouterr().out)
    assert not stop.value.code
    assert result == json.loads(out.read_text())
    (row,) = result["rows"]
    assert (row["threads"], row["steps"], row["audio_s"]) == (1, 1, 2.0)
    assert all(component["median"] > 0 for component in row["components"].values())
    # The model is read after everything that `--version` does.
    assert result["startup"]["load_s"]["median"] > 0.1
    assert [peak["audio_s"] for peak in result["memory"]["peaks"]] == [2.0, 4.0]
    assert result["memory"]["peaks"][0]["peak_bytes"] > result["model"]["bytes"]
    assert 0.8 < result["memory"]["ratio"] < 2.5
    assert result["model"]["bytes"] >= sum(
        path.stat().st_size for path in EMBEDDED_BUNDLE.glob("*.onnx")
    )
    markdown = report.speed_markdown(result)
    assert f"| 1 | 1 | {row['rtf']['median']:.3f} (" in markdown
    assert "peak memory, 4 s file, MB" in markdown
