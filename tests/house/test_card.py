"""The model card is the one that its generator makes, whole, of what the repository holds."""

import json
import re
from pathlib import Path

import pytest

from hiresldm.benchmarks import card
from hiresldm.benchmarks.reports import learning

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / card.LOG).is_file(), reason="a wheel carries no log")
WORDS = {"BUNDLE", "DNSMOS", "ESTOI", "ICASSP", "LICENSE", "NVIDIA", "README"}
"""The only long words in capitals; another is what somebody meant to fill in."""
GAP = re.compile(
    r"\b(?:TODO|TBD|FIXME|XXX|[A-Z]{5,})\b|\{(?:\w*|\.\.\.)\}"
    r"|<!-- (?P<name>\w+) -->\s*<!-- /(?P=name) -->"
)


def gaps(text: str) -> list[str]:
    return [found[0] for found in GAP.finditer(text) if found[0] not in WORDS]


def test_the_card_is_what_the_generator_makes():
    assert (ROOT / card.CARD).read_text(encoding="utf-8") == card.card(ROOT)
    template = (ROOT / card.TEMPLATE).read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->\n<!-- /{name} -->\n" in template for name in card.TABLES)


def test_the_card_has_no_gap_and_its_pictures_are_there():
    text = (ROOT / card.CARD).read_text(encoding="utf-8")
    assert not gaps(text)
    for picture in re.findall(r"!\[\w+\]\(([^)]+)\)", text):
        assert (ROOT / "weights" / picture).is_file(), picture


@pytest.mark.parametrize(
    "gap", ["919 + RECSTEPS", "TODO", "{steps}", "{...}", "<!-- data -->\n<!-- /data -->"]
)
def test_a_gap_is_found(gap: str):
    assert gaps(f"| {gap} |")


def test_a_full_record_is_told_and_nothing_is_made_up():
    known = {
        "stage": "recovery",
        "command": "hiresldm train recovery --data DATA",
        "date": "2026-11-28",
        "device": "cpu: 2 threads, bf16",
        "components": ["recovery"],
        "data": {"speech_minutes": 98.2, "speakers": 324, "sources": {"gc": 31.2, "tux": 45.0}},
        "losses": {"spectrum": 1.0, "quiet": 0.8},
        "seconds": 3901.0,
        "valid": [[0, 0.61], [200, 0.6]],
    }
    log = {"runs": [known, {"stage": "polish"}]}
    _, _, full, bare, *rest = card.lineage(log).splitlines()
    for fact in (
        "2026-11-28",
        "cpu: 2 threads, bf16",
        "spectrum 1, quiet 0.8",
        "65",
        "0.61 to 0.6",
    ):
        assert f"| {fact} |" in full
    assert bare == "| 2 | polish |" + f" {card.UNKNOWN} |" * 6
    assert "Not recorded of any run: processes, steps," in rest[-1]
    assert "| tux | 45.0 |\n| gc | 31.2 |" in card.data(log)
    assert "`hiresldm train recovery --data DATA`" in card.commands(log)
    assert "Minutes by source: not recorded." in card.data({"runs": [{"stage": "polish"}]})


def test_every_stage_of_the_log_is_drawn_and_old_pictures_go(tmp_path: Path):
    runs = json.loads((ROOT / card.LOG).read_text(encoding="utf-8"))["runs"]
    (tmp_path / "learning-forgotten.png").touch()
    learning.draw([*runs, {"stage": "bare"}], tmp_path)
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {learning.file_name(run["stage"]) for run in runs}
