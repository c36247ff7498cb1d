"""What makes everything that follows from new weights: which steps, and where it stops."""

import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer

from hiresldm.benchmarks import release
from hiresldm.cli.main import app


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder that looks like a run."""
    folder = tmp_path / "a run"
    folder.mkdir()
    for name in ("recovery", "encoder", "denoiser", "decoder"):
        (folder / f"{name}.safetensors").touch()
    (folder / "log.json").touch()
    return folder


@pytest.mark.parametrize("line", release.plan("a run", "my data").values())
def test_every_step_is_a_command_that_exists(line: str):
    program, *words = shlex.split(line)
    assert program in {"hiresldm", "python", "cp"}
    if program == "hiresldm":
        verb = typer.main.get_command(app).commands[words[0]]
        verb.make_context(words[0], words[1:])  # refuses an option that is no longer there
    elif program == "python":
        assert words[0] == "-m" and find_spec(words[1])


def test_the_step_that_makes_a_file_is_the_first_to_name_it():
    first: dict[str, str] = {}
    for step, line in release.STEPS.items():
        for word in shlex.split(line):
            first.setdefault(word.removeprefix(f"{release.WORK}/"), step)
    makers = {"weights/edge": "build", "docs/restored.flac": "example", "phone": "formats"}
    makers |= {"calibration.safetensors": "calibrate", "precision-config.json": "search"}
    assert makers.items() <= first.items()
    assert list(release.STEPS)[-2:] == ["tables", "card"]


def test_the_list_shows_the_commands_and_runs_none(capsys: pytest.CaptureFixture[str]):
    assert release.main(["RUN", "--data", "DATA", "--list", "--only", "evaluate,build"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["build", "evaluate"]
    assert "--weights RUN" in lines[0] and "--data DATA" in lines[1]


def test_a_step_that_is_none_is_refused(run: Path, capsys: pytest.CaptureFixture[str]):
    assert release.main([str(run), "--data", str(run), "--only", "build,paint"]) == 2
    assert "no step 'paint'; accepted: build, log" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["log.json", "decoder.safetensors"])
def test_half_a_run_is_refused_before_any_step(
    run: Path, missing: str, capsys: pytest.CaptureFixture[str]
):
    (run / missing).unlink()
    assert release.main([str(run), "--data", str(run), "--only", "selftest"]) == 2
    assert f"holds no {missing}" in capsys.readouterr().err


def test_a_step_that_fails_is_the_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    after = tmp_path / "after"
    steps = {
        "fine": "hiresldm --version",
        "bad": "python -c 'raise SystemExit(4)'",
        "never": f"cp {__file__} {shlex.quote(str(after))}",
    }
    assert release.perform(steps) == 4 and not after.exists()
    assert "to go on from there: --only bad,never" in capsys.readouterr().err
    assert release.perform({"never": steps["never"]}) == 0 and after.exists()
