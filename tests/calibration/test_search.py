"""The search for a mixed-precision config: its moves, what it finds, and what it evaluates."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile
import torch
from tiny import TINY

from hiresldm.benchmarks.experiments import nncf_baseline
from hiresldm.benchmarks.experiments.accuracy_aware import accuracy_aware_component
from hiresldm.benchmarks.quality.testset import CLASSES, Pair
from hiresldm.calibration import mixed_precision
from hiresldm.calibration.layers import quantizable
from hiresldm.calibration.search import MOST_TRIALS, descent, search
from hiresldm.calibration.sensitivity import Sensitivity, choices
from hiresldm.calibration.simulation import Layers, model_bytes, uniform
from hiresldm.calibration.store import Calibration, Origin, Sample
from hiresldm.cli.main import main
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.errors import BudgetError, UsageError
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Array
from hiresldm.families.checkpoints import load, save_component
from hiresldm.families.hiresldm.components import components
from hiresldm.families.hiresldm.model import Model
from hiresldm.parity.evaluator import Budget, Trial, TrialEvaluator
from hiresldm.runtimes import on_torch
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return Model(TINY).eval()


@pytest.fixture(scope="module")
def sensitivities(model: Model) -> list[Sensitivity]:
    """As if each layer in turn mattered ten times more than the one before, and int4 1000 times."""
    worse = {Precision.INT8: 1.0, Precision.INT4: 1000.0}
    return [
        Sensitivity(layer, precision, 0.0, worse[precision] * 10.0 ** (number % 5))
        for number, (layer, precision) in enumerate(choices(model))
    ]


def evaluating(
    model: Model, sensitivities: list[Sensitivity], limit: float
) -> Callable[[str, Layers], Trial]:
    """Evaluates the noise of the layers, added up."""
    noise = {(s.layer, s.precision): s.noise for s in sensitivities}

    def evaluate(name: str, layers: Layers) -> Trial:
        total = sum(noise.get(choice, 0.0) for choice in layers.items())
        deltas = {"lsd": {"mean": total}}
        return Trial(name, layers, model_bytes(model, layers), deltas, total <= limit)

    return evaluate


def test_the_descent_goes_from_fp16_to_int4_in_ever_smaller_steps(
    model: Model, sensitivities: list[Sensitivity]
) -> None:
    path = descent(model, sensitivities)
    assert path[0] == uniform(model, Precision.FP16)
    assert path[-1] == uniform(model, Precision.INT4)
    sizes = [model_bytes(model, layers) for layers in path]
    assert all(larger > smaller for larger, smaller in pairwise(sizes))
    evaluate = evaluating(model, sensitivities, 0.0)
    noises = [evaluate("", layers).deltas["lsd"]["mean"] for layers in path]
    ratios = [
        (b - a) / (large - small)
        for (a, b), (large, small) in zip(pairwise(noises), pairwise(sizes), strict=True)
    ]
    assert ratios == sorted(ratios)


@pytest.mark.parametrize("place", [0.1, 0.35, 0.6, 0.8, 1.0])
def test_the_search_finds_nearly_the_smallest_mix_that_holds(
    model: Model, sensitivities: list[Sensitivity], place: float
) -> None:
    path = descent(model, sensitivities)
    wanted = path[round(place * (len(path) - 1))]
    limit = evaluating(model, sensitivities, 0.0)("", wanted).deltas["lsd"]["mean"]
    found = search(model, sensitivities, evaluating(model, sensitivities, limit))
    assert len(found.trials) <= MOST_TRIALS
    assert found.chosen.holds and found.config.layers == found.chosen.layers
    assert all(trial.bytes >= found.chosen.bytes for trial in found.trials if trial.holds)
    span = model_bytes(model, path[0]) - model_bytes(model, path[-1])
    assert found.chosen.bytes <= model_bytes(model, wanted) + 0.1 * span


@pytest.mark.nightly(reason="an experiment of benchmarks/")
def test_accuracy_control_takes_layers_back_until_a_component_is_near_enough(model: Model) -> None:
    component = next(
        component for component in components(TINY.host) if component.name == "denoiser"
    )
    module, captured = (
        model.get_submodule(component.name),
        [component.sample(8, seed=seed) for seed in range(6)],
    )
    meant = on_torch.runner(component, module)(captured[1])["clean"]
    near, coarse = (
        accuracy_aware_component(component, module, captured, floor) for floor in (50.0, 0.0)
    )
    assert snr_db(meant, near[0](captured[1])["clean"]) > 45
    assert snr_db(meant, coarse[0](captured[1])["clean"]) < 45
    assert near[1] > coarse[1]


@pytest.mark.nightly(reason="an experiment of benchmarks/")
def test_nncf_chooses_among_the_same_layers(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nncf_baseline, "HALVINGS", 1)
    captured = [
        Sample(Origin(component.name, "a", "noise", 0.0), component.sample(8, seed=1))
        for component in components(TINY.host)
    ]
    sizes = [model_bytes(model, uniform(model, p)) for p in (Precision.INT8, Precision.INT4)]
    layers = nncf_baseline.nncf_mix(model, Calibration("", {}, captured), sum(sizes) // 2)
    assert layers.keys() == quantizable(model).keys()
    assert set(layers.values()) == {Precision.INT8, Precision.INT4}
    assert sizes[1] < model_bytes(model, layers) < sizes[0]


def test_a_budget_that_fp16_breaks_has_its_own_exit_code(
    model: Model, sensitivities: list[Sensitivity]
) -> None:
    with pytest.raises(BudgetError, match="not even fp16 holds the budget") as failure:
        search(model, sensitivities, evaluating(model, sensitivities, -1.0))
    assert failure.value.exit_code == 4


def test_a_budget_is_read_strictly() -> None:
    assert Budget.parse("lsd=0.1, dnsmos=0") == replace(Budget.usual(), lsd=0.1, dnsmos=0.0)
    for text in ("pesq=1", "lsd", "lsd=-1", "lsd=much", "lsd=nan"):
        with pytest.raises(UsageError, match="accepted: lsd=NUMBER,estoi=NUMBER,dnsmos=NUMBER"):
            Budget.parse(text)


def test_int8_is_not_heard_and_a_ruined_layer_is(speech: Array, noisy: Array) -> None:
    embedded = load(EMBEDDED_BUNDLE)
    second = slice(RATE_HZ, 3 * RATE_HZ)
    pair = Pair("noise", ("noise",), "example", "a", RATE_HZ / 2, speech[second], noisy[second])
    evaluator = TrialEvaluator(embedded, [pair], Budget.usual(), steps=1, seed=0)
    int8 = evaluator("int8", uniform(embedded, Precision.INT8))
    assert int8.holds and int8.deltas["lsd"]["mean"] != 0.0
    with torch.no_grad():
        embedded.decoder.head.weight.neg_()
    ruined = evaluator("ruined", {})
    assert not ruined.holds and ruined.deltas["lsd"]["mean"] > 0.05


@pytest.mark.nightly(reason="its parts are tested above")
def test_the_verbs_make_a_mixed_precision_config_from_weights_and_speech(
    model: Model,
    speech: Array,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, weights = tmp_path / "data", tmp_path / "weights"
    data.mkdir(), weights.mkdir()
    for number in range(19):  # the last is the valid split
        clip = speech[number * 2000 :][: round(1.2 * RATE_HZ)]
        soundfile.write(data / f"{number:02}.wav", clip, RATE_HZ)
    for name, component in model.named_children():
        save_component(component, TINY, weights / f"{name}.safetensors", torch.float16)
    common = ["--data", str(data), "--weights", str(weights)]
    captured, out, told = (tmp_path / name for name in ("c.safetensors", "r.json", "told.json"))
    run(["calibrate", *common, "--out", str(captured), "--clips", "2", "--quiet"])
    words = ["search", *common, "--calibration", str(captured), "--out", str(out)]
    budget = "lsd=9,estoi=1,dnsmos=5"
    run([*words, "--per-class", "1", "--budget", budget, "--report", str(told), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads(told.read_text(encoding="utf-8"))
    assert result["chosen"] == "int4" and result["clips"] == len(CLASSES)
    names = [trial["name"] for trial in result["trials"]]
    assert names[0] == "fp16" and names[-1] == "int4"
    assert len(result["sensitivities"]) == len(choices(model))
    made = mixed_precision.load(out)
    assert made == mixed_precision.PrecisionConfig("tiny", uniform(model, Precision.INT4))


def run(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
