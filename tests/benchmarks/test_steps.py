"""`hiresldm steps`: cases, averages over seeds, what seeds may not do, and the verb itself."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny import TINY, untrained

from hiresldm.benchmarks.quality import cases, steps
from hiresldm.benchmarks.quality.cases import seeded, student_cases, teacher_cases
from hiresldm.benchmarks.quality.evaluation import ClipScores, render
from hiresldm.benchmarks.quality.robustness import SeedWatch, levels
from hiresldm.benchmarks.quality.testset import Pair
from hiresldm.benchmarks.speed.memory import Memory
from hiresldm.cli.main import main
from hiresldm.core.bundle.weights import weights_file
from hiresldm.core.spec import Array, Arrays
from hiresldm.distill.shortcut import COMPONENT, TwoTimeDenoiser
from hiresldm.families.checkpoints import load, save_component
from hiresldm.families.hiresldm.components import NAMES as COMPONENTS
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE, Restorer
from hiresldm.training.damage.kinds import KINDS

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model as a student folder, with an untrained second time."""
    folder = tmp_path_factory.mktemp("student")
    for component in COMPONENTS:
        shutil.copyfile(
            weights_file(EMBEDDED_BUNDLE, component), folder / f"{component}.safetensors"
        )
    model = load(folder)
    network = TwoTimeDenoiser(model.config)
    network.load_state_dict(model.denoiser.state_dict(), strict=False)
    save_component(network, model.config, folder / f"{COMPONENT}.safetensors", torch.float32)
    return folder


def test_torch_modules_restore_what_the_embedded_bundle_restores(noisy: Array):
    wave = noisy[:RATE_HZ]
    few = {case.steps: case for case in student_cases("student", EMBEDDED_BUNDLE, Memory())}
    bundle = Restorer.load(precision="fp32", threads=1)
    for count in (1, 2):
        wanted = bundle(wave, RATE_HZ, steps=count, seed=3)
        error = few[count].restore(wave, 3) - wanted
        assert 10 * np.log10((wanted**2).sum() / (error**2).sum()) > 60


def test_a_two_time_student_is_also_sampled_with_both_times(student: Path, noisy: Array):
    few = student_cases("b", student, Memory())
    assert [(case.system, case.steps) for case in few[3:]] == [
        ("b, two times", 2),
        ("b, two times", 4),
    ]
    wave = noisy[:RATE_HZ]
    assert np.allclose(few[3].restore(wave, 0), few[1].restore(wave, 0), atol=1e-6)


def test_a_memory_asks_once_for_equal_weights_and_inputs():
    asked: list[float] = []

    def double(arrays: Arrays) -> dict[str, Array]:
        asked.append(float(arrays["x"][0]))
        return {"y": 2 * arrays["x"]}

    layer, memory = torch.nn.Linear(2, 2), Memory()
    one, same = (memory.remembering(double, module) for module in (layer, copy.deepcopy(layer)))
    other = memory.remembering(double, torch.nn.Linear(2, 2))
    for run, value in ((one, 1), (same, 1), (one, 2), (other, 1)):
        assert run({"x": np.array([value], np.float32)})["y"][0] == 2 * value
    assert asked == [1, 2, 1]


def clips(values: list[float], kind: str = "noise", speaker: str = "a") -> list[ClipScores]:
    return [ClipScores("", 1, kind, "x", speaker, {"lsd": value}) for value in values]


def test_seeds_are_averaged_before_clips():
    every = teacher_cases(EMBEDDED_BUNDLE, Memory())
    teacher = [case for case in every if case.steps == 16][:1]
    student = student_cases("s", EMBEDDED_BUNDLE, Memory())[:1]
    tried = seeded([*teacher, *student], range(2))
    scored = [
        clips([1, 3, 5, 5]),
        clips([2, 2, 5, 7], speaker="b"),
    ]
    rows = steps.rows(tried, scored, seed=0)
    assert [row["lsd"]["mean"] for row in rows] == [2.0, 5.5]
    assert [(row["seeds"], row["count"]) for row in rows] == [(2, 2), (2, 2)]
    (difference,) = steps.differences(tried, scored, seed=0)
    assert difference["against"] == {"system": "teacher", "sampler": "ddim", "steps": 16}
    assert difference["lsd"] == {"mean": 3.5, "low": 3.0, "high": 4.0}


def test_a_seed_that_fails_is_counted(noisy: Array):
    case = student_cases("s", EMBEDDED_BUNDLE, Memory())[0]
    pair = Pair("noise", (), "x", "a", 24_000.0, noisy, noisy[: 2 * RATE_HZ])
    watch = SeedWatch(seeded([case], range(5)))

    def faulty(wave: Array, seed: int) -> Array:
        """Seed 1 is silent, seed 2 twice as loud, seed 3 not a number in its last second."""
        made = wave * {1: 0.0, 2: 2.0}.get(seed, 1.0)
        return np.where(np.arange(len(wave)) > RATE_HZ, np.nan, made) if seed == 3 else made

    object.__setattr__(case, "restore", faulty)
    list(watch.watch(render([pair], watch.systems)))
    faults = watch.faults[case]
    assert (faults.not_finite, faults.silent) == (1, 1)
    assert faults.jumps >= 3 and faults.largest_jump_db > 50
    assert levels(np.full(RATE_HZ, 0.1, np.float32)) == pytest.approx([-20.0])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small untrained student of two times."""
    folder = untrained(tmp_path_factory.mktemp("tiny"), torch.float32)
    save_component(TwoTimeDenoiser(TINY), TINY, folder / f"{COMPONENT}.safetensors", torch.float32)
    return folder


def test_the_verb_writes_rows_differences_robustness_and_a_picture(
    tiny: Path, speech: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cases, "TEACHER_STEPS", (1, 16))
    monkeypatch.setattr(cases, "SECOND_ORDER_STEPS", (4,))
    for number in range(20):
        soundfile.write(tmp_path / f"{number}.wav", speech[number * 1000 :][:55_000], RATE_HZ)
    out, plot = tmp_path / "steps.json", tmp_path / "steps.png"
    folders = ["--teacher", tiny, "--regressor", tiny]
    options = ["--student", f"b={tiny}", "--data", tmp_path, "--per-class", "1"]
    options += ["--metrics", "lsd", "--seeds", "2", "--robust-seeds", "2", "--runs", "1"]
    options += ["--threads", "1", "--report", out, "--plot", plot, "--quiet"]
    with pytest.raises(SystemExit) as ended:
        main(["steps", *map(str, folders), *map(str, options)])
    assert ended.value.code == 0
    result = json.loads(out.read_text())
    systems = {row["system"] for row in result["rows"]}
    assert systems == {"teacher", "regressor", "b", "b, two times"}
    assert {row["count"] for row in result["rows"]} == {len(KINDS) + 2}  # talkers, mixed; not clean
    for row in result["rows"]:
        assert row["lsd_hf"]["low"] <= row["lsd_hf"]["mean"] <= row["lsd_hf"]["high"]
        assert 0 < row["denoiser_ms_per_s"]["median"] < 1000 * row["rtf"]["median"]
    assert {row["against"]["system"] for row in result["differences"]} == {"teacher", "regressor"}
    assert [row["not_finite"] for row in result["robustness"]] == [0, 0]
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("student", ["folder", "teacher=folder", "a="])
def test_a_student_has_a_name_of_its_own(student: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["steps", "--teacher", "w", "--data", "d", "--student", student])
    assert ended.value.code == 2
    assert "NAME=DIR" in capsys.readouterr().err
