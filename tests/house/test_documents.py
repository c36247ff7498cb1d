"""The figures in README and docs are those of `benchmarks/results`, and of the embedded model."""

import json
from pathlib import Path

import pytest

from hiresldm.benchmarks import documents, provenance
from hiresldm.benchmarks.reports import builds, quality
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / documents.RESULTS
pytestmark = pytest.mark.skipif(not RESULTS.is_dir(), reason="a wheel carries no results")


def test_the_tables_are_drawn_from_the_results():
    texts = [path.read_text(encoding="utf-8") for path in documents.documents(ROOT)]
    for name in documents.TABLES:
        assert sum(f"<!-- {name} -->\n" in text for text in texts) == 1, name
    assert [documents.fill(text, RESULTS) for text in texts] == texts


def test_a_table_that_is_altered_by_hand_is_drawn_again():
    text = (ROOT / "docs" / "build.md").read_text(encoding="utf-8")
    begin = text.index("<!-- sizes -->")
    altered = text[:begin] + text[begin:].replace("onnx", "onyx", 1)
    assert documents.fill(altered, RESULTS) == text != altered


def test_the_readme_is_a_page():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150


def test_tables_show_the_metrics_that_a_result_holds():
    result = json.loads((RESULTS / "quality.json").read_text(encoding="utf-8"))
    for row in result["rows"]:
        row.pop("dnsmos_sig")
        share = 2.0 if row["system"] == quality.SHIPPED else 3.0
        row["lost"] = {"mean": share, "low": share, "high": share}
    for draw in (quality.overall, quality.targets, quality.noise):
        drawn = draw(result)
        assert "SIG ↑" not in drawn and "BAK ↑" in drawn and "lost speech % ↓" in drawn
    row = next(line for line in quality.targets(result).splitlines() if "lost speech" in line)
    assert row.endswith("| 2.00 (2.00 to 2.00) | yes | yes |")  # less is better


def test_parity_in_short_is_the_worst_of_each_precision():
    about = {"scope": "component, 37 frames", "precision": "int8"}
    rows = [{**about, "format": "onnx", "value": value} for value in (40.0, 30.4, None)]
    rows.append({**about, "format": "coreml", "value": 35.0})
    rows.append({**about, "format": "onnx", "scope": "loop", "value": 1.0})
    drawn = builds.parity_in_short({"rows": rows})
    assert drawn.splitlines()[-1] == "| int8 | 30 | 35 |"


@pytest.mark.parametrize("name", ["quality", "speed", "levels"])
def test_the_results_are_of_the_embedded_model(name: str):
    result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    model = result["models"][quality.SHIPPED] if name == "quality" else result["model"]
    assert model["weights_sha256"] == provenance.model(EMBEDDED_BUNDLE)["weights_sha256"]
