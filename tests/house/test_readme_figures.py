"""The figures in the README are those of `benchmarks/results`, and of the embedded model."""

import json
from pathlib import Path

import pytest

from hiresldm.benchmarks import provenance, readme
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / readme.RESULTS
pytestmark = pytest.mark.skipif(not RESULTS.is_dir(), reason="a wheel carries no results")


def test_the_tables_are_drawn_from_the_results():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->\n" in text for name in readme.TABLES)
    assert readme.fill(text, RESULTS) == text


def test_a_table_that_is_altered_by_hand_is_drawn_again():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    begin = text.index("<!-- sizes -->")
    altered = text[:begin] + text[begin:].replace("onnx", "onyx", 1)
    assert readme.fill(altered, RESULTS) == text != altered


def test_tables_show_the_metrics_that_a_result_holds():
    result = json.loads((RESULTS / "quality.json").read_text(encoding="utf-8"))
    for row in result["rows"]:
        row.pop("dnsmos_sig")
        share = 2.0 if row["system"] == readme.SHIPPED else 3.0
        row["lost"] = {"mean": share, "low": share, "high": share}
    for draw in (readme.overall, readme.targets, readme.noise):
        drawn = draw(result)
        assert "SIG ↑" not in drawn and "BAK ↑" in drawn and "lost speech % ↓" in drawn
    row = next(line for line in readme.targets(result).splitlines() if "lost speech" in line)
    assert row.endswith("| 2.00 (2.00 to 2.00) | yes | yes |")  # less is better


@pytest.mark.parametrize("name", ["quality", "speed", "levels"])
def test_the_results_are_of_the_embedded_model(name: str):
    result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    model = result["models"][readme.SHIPPED] if name == "quality" else result["model"]
    assert model["weights_sha256"] == provenance.model(EMBEDDED_BUNDLE)["weights_sha256"]
