"""The search for a recipe: the order of its moves, what it finds, and what it hears."""

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

from hiresldm.benchmarks.experiments import nncf_baseline as rival
from hiresldm.benchmarks.experiments.accuracy_aware import controlled_part
from hiresldm.benchmarks.quality.testset import CLASSES, Pair
from hiresldm.calibration import mixed_precision as recipe
from hiresldm.calibration.layers import quantizable
from hiresldm.calibration.search import HEARD, descent, search
from hiresldm.calibration.sensitivity import Sensitivity, choices
from hiresldm.calibration.simulation import Layers, model_bytes, uniform
from hiresldm.calibration.store import Calibration, Origin, Sample
from hiresldm.cli.main import main
from hiresldm.core.errors import BudgetError, UsageError
from hiresldm.core.metrics import snr_db
from hiresldm.core.schemes import Precision
from hiresldm.core.spec import Array
from hiresldm.families.checkpoints import load, save_part
from hiresldm.families.hiresldm.components import components
from hiresldm.families.hiresldm.model import Model
from hiresldm.parity.evaluator import Budget, Listener, Mix
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


def hearing(
    model: Model, sensitivities: list[Sensitivity], limit: float
) -> Callable[[str, Layers], Mix]:
    """Hears the noise of the layers, added up."""
    noise = {(s.layer, s.precision): s.noise for s in sensitivities}

    def hear(name: str, layers: Layers) -> Mix:
        total = sum(noise.get(choice, 0.0) for choice in layers.items())
        deltas = {"lsd": {"mean": total}}
        return Mix(name, layers, model_bytes(model, layers), deltas, total <= limit)

    return hear


def test_the_descent_goes_from_fp16_to_int4_in_ever_smaller_steps(
    model: Model, sensitivities: list[Sensitivity]
) -> None:
    path = descent(model, sensitivities)
    assert path[0] == uniform(model, Precision.FP16)
    assert path[-1] == uniform(model, Precision.INT4)
    sizes = [model_bytes(model, layers) for layers in path]
    assert all(larger > smaller for larger, smaller in pairwise(sizes))
    hear = hearing(model, sensitivities, 0.0)
    noises = [hear("", layers).deltas["lsd"]["mean"] for layers in path]
    prices = [
        (b - a) / (large - small)
        for (a, b), (large, small) in zip(pairwise(noises), pairwise(sizes), strict=True)
    ]
    assert prices == sorted(prices)


@pytest.mark.parametrize("place", [0.1, 0.35, 0.6, 0.8, 1.0])
def test_the_search_finds_nearly_the_smallest_mix_that_holds(
    model: Model, sensitivities: list[Sensitivity], place: float
) -> None:
    path = descent(model, sensitivities)
    wanted = path[round(place * (len(path) - 1))]
    limit = hearing(model, sensitivities, 0.0)("", wanted).deltas["lsd"]["mean"]
    found = search(model, sensitivities, hearing(model, sensitivities, limit))
    assert len(found.heard) <= HEARD
    assert found.chosen.holds and found.recipe.layers == found.chosen.layers
    assert all(mix.bytes >= found.chosen.bytes for mix in found.heard if mix.holds)
    span = model_bytes(model, path[0]) - model_bytes(model, path[-1])
    assert found.chosen.bytes <= model_bytes(model, wanted) + 0.1 * span


def test_accuracy_control_takes_layers_back_until_a_part_is_near_enough(model: Model) -> None:
    part = next(part for part in components(TINY.host) if part.name == "denoiser")
    module, captured = (
        model.get_submodule(part.name),
        [part.sample(8, seed=seed) for seed in range(6)],
    )
    meant = on_torch.runner(part, module)(captured[1])["clean"]
    near, coarse = (controlled_part(part, module, captured, floor) for floor in (50.0, 0.0))
    assert snr_db(meant, near[0](captured[1])["clean"]) > 45
    assert snr_db(meant, coarse[0](captured[1])["clean"]) < 45
    assert near[1] > coarse[1]


def test_nncf_chooses_among_the_same_layers(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rival, "HALVINGS", 1)
    captured = [
        Sample(Origin(part.name, "a", "noise", 0.0), part.sample(8, seed=1))
        for part in components(TINY.host)
    ]
    sizes = [model_bytes(model, uniform(model, p)) for p in (Precision.INT8, Precision.INT4)]
    layers = rival.nncf_mix(model, Calibration("", {}, captured), sum(sizes) // 2)
    assert layers.keys() == quantizable(model).keys()
    assert set(layers.values()) == {Precision.INT8, Precision.INT4}
    assert sizes[1] < model_bytes(model, layers) < sizes[0]


def test_a_budget_that_fp16_breaks_has_its_own_exit_code(
    model: Model, sensitivities: list[Sensitivity]
) -> None:
    with pytest.raises(BudgetError, match="not even fp16 holds the budget") as failure:
        search(model, sensitivities, hearing(model, sensitivities, -1.0))
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
    listener = Listener(embedded, [pair], Budget.usual(), steps=1, seed=0)
    int8 = listener("int8", uniform(embedded, Precision.INT8))
    assert int8.holds and int8.deltas["lsd"]["mean"] != 0.0
    with torch.no_grad():
        embedded.decoder.head.weight.neg_()
    ruined = listener("ruined", {})
    assert not ruined.holds and ruined.deltas["lsd"]["mean"] > 0.05


def test_the_verbs_make_a_recipe_from_weights_and_speech(
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
    for name, part in model.named_children():
        save_part(part, TINY, weights / f"{name}.safetensors", torch.float16)
    common = ["--data", str(data), "--weights", str(weights)]
    captured, out, told = (tmp_path / name for name in ("c.safetensors", "r.json", "told.json"))
    run(["calibrate", *common, "--out", str(captured), "--clips", "2", "--quiet"])
    words = ["search", *common, "--calibration", str(captured), "--out", str(out)]
    budget = "lsd=9,estoi=1,dnsmos=5"
    run([*words, "--per-class", "1", "--budget", budget, "--report", str(told), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads(told.read_text(encoding="utf-8"))
    assert result["chosen"] == "int4" and result["clips"] == len(CLASSES)
    names = [mix["name"] for mix in result["mixes"]]
    assert names[0] == "fp16" and names[-1] == "int4"
    assert len(result["sensitivities"]) == len(choices(model))
    made = recipe.load(out)
    assert made == recipe.Recipe("tiny", uniform(model, Precision.INT4))


def run(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
