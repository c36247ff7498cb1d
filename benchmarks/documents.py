"""The tables of README and docs, drawn from `benchmarks/results`, and quality against time.

`python -m hiresldm.benchmarks.documents` draws them all. A table stands between `<!-- name -->` and
`<!-- /name -->`; a test holds the documents against this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import figures
from .quality import levels
from .reports import builds, live, quality, scale, speed, steps, tradeoff

ROOT = Path(__file__).resolve().parents[1]
RESULTS = "benchmarks/results"
TRADEOFF = "docs/tradeoff.png"

Tables = Mapping[str, tuple[str, Callable[[Any], str]]]
"""By name: the JSON file that a table is made from, and how."""


def fill(text: str, results: Path, tables: Tables | None = None) -> str:
    """A text with every marked table, by default of `TABLES`, made anew from JSON in `results`."""

    def made(match: re.Match[str]) -> str:
        name = match["name"]
        source, draw = (tables or TABLES)[name]
        drawn = draw(_read(results / source))
        return f"<!-- {name} -->\n{drawn}\n<!-- /{name} -->"

    return re.sub(r"<!-- (?P<name>\w+) -->\n.*?<!-- /(?P=name) -->", made, text, flags=re.DOTALL)


def documents(root: Path = ROOT) -> list[Path]:
    """README and every page of the docs."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


TABLES: Tables = {
    "quality_in_short": ("quality.json", quality.in_short),
    "overall": ("quality.json", quality.overall),
    "targets": ("quality.json", quality.targets),
    "noise": ("quality.json", quality.noise),
    "classes": ("quality.json", quality.by_class),
    "speakers": ("quality.json", quality.speakers),
    "levels": ("levels.json", levels.markdown),
    "sizes": ("build.json", builds.sizes),
    "pipelines": ("build.json", builds.pipelines),
    "trials": ("search.json", builds.trials),
    "nncf": ("nncf.json", builds.trials),
    "parity": ("parity.json", builds.matrix),
    "parity_in_short": ("parity.json", builds.parity_in_short),
    "speed": ("speed.json", speed.markdown),
    "engines": ("engines.json", speed.engines),
    "references": ("references.json", speed.engines),
    "engine_sizes": ("engine-builds.json", builds.sizes),
    "engine_pipelines": ("engine-builds.json", builds.pipelines),
    "speed_in_short": ("speed.json", speed.in_short),
    "ranges": ("calibration.json", builds.ranges),
    "steps": ("steps.json", steps.by_steps),
    "seeds": ("steps.json", steps.by_seed),
    "live": ("live.json", live.settings),
    "streams": ("streaming.json", live.scores),
    "cores": ("cores.json", live.cores),
    "memory": ("cores.json", live.memory),
    "corpus": ("corpus.json", scale.corpus),
    "corpus_plan": ("corpus.json", scale.plan),
    "service": ("service.json", scale.service),
    "service_company": ("service.json", scale.company),
    "service_memory": ("service.json", scale.soak),
}


def main() -> None:
    """Rewrite the tables of the documents beside this checkout's rooms."""
    for path in documents():
        text = path.read_text(encoding="utf-8")
        path.write_text(fill(text, ROOT / RESULTS), encoding="utf-8")
    timed, scored = (_read(ROOT / RESULTS / name) for name in ("speed.json", "quality.json"))
    figures.save(tradeoff.picture(tradeoff.points(timed, scored)), ROOT / TRADEOFF)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
