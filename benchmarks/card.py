"""The model card `weights/README.md`, drawn by `python -m hiresldm.benchmarks.card`.

Its words stand in `weights/card.md`; what is between marks comes from the log of the training, the
bundle and the results. What a log does not hold is "not recorded".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.bundle.weights import stored_tensors, weights_file
from ..core.outputs import write_text
from ..families.hiresldm.components import NAMES
from ..runtimes.restorer import EMBEDDED_BUNDLE
from . import documents
from .documents import RESULTS, ROOT
from .report import Row, table
from .reports import learning, quality

LOG, TEMPLATE, CARD = "weights/edge/log.json", "weights/card.md", "weights/README.md"
UNKNOWN = "not recorded"
_BYTES = {"F32": 4, "F16": 2}


def card(root: Path = ROOT) -> str:
    """The text of the card of the checkout `root`."""
    return documents.fill((root / TEMPLATE).read_text(encoding="utf-8"), root, TABLES)


def components(bundle: Row) -> str:
    """The four networks, their parameters, and the numbers of steps that the bundle offers."""
    counts = {
        component: _parameters(weights_file(EMBEDDED_BUNDLE, component)) for component in NAMES
    }
    lines = [*counts.items(), ("all", sum(counts.values()))]
    sizes = table(["component", "parameters"], ([name, f"{n / 1e6:.2f} M"] for name, n in lines))
    host = bundle["host"]
    steps, usual = ", ".join(host["schedules"]), host["default_steps"]
    return f"{sizes}\n\nSteps offered: {steps}; {usual} unless asked otherwise."


def lineage(log: Row) -> str:
    """Every run that led to the weights, the first one first."""
    return _recorded([_run(run) for run in log["runs"]])


def data(log: Row) -> str:
    """How much every run learned from, then the minutes of each source."""
    return f"{_recorded([_material(run) for run in log['runs']])}\n\n{_sources(log['runs'])}"


def commands(log: Row) -> str:
    """The command line of every run."""
    given = [run.get("command") for run in log["runs"]]
    return _recorded([{"command": text and f"`{text}`"} for text in given])


def curves(log: Row) -> str:
    """The pictures that `learning.draw` makes of the log, one of each stage."""
    drawn = learning.stages(log["runs"])
    return "\n".join(f"![{stage}](../docs/{learning.file_name(stage)})" for stage in drawn)


def speed(result: Row) -> str:
    """Real-time factors of the bundle, and the machine that they were measured on."""
    rows = (
        [r["threads"], r["steps"], f"{r['rtf']['median']:.3f}"]
        for r in result["rows"]
        if r["backend"]
    )
    factors = table(["threads", "steps", "real-time factor"], rows)
    return f"{factors}\n\nMeasured on: {result['machine']['cpu']}."


TABLES: documents.Tables = {
    "components": ("weights/edge/bundle.json", components),
    "lineage": (LOG, lineage),
    "data": (LOG, data),
    "commands": (LOG, commands),
    "curves": (LOG, curves),
    "scores": (f"{RESULTS}/quality.json", quality.targets),
    "speed": (f"{RESULTS}/speed.json", speed),
}


def main() -> None:
    """Write the card and its pictures beside this checkout's rooms."""
    log = json.loads((ROOT / LOG).read_text(encoding="utf-8"))
    learning.draw(log["runs"], ROOT / "docs")
    write_text(card(), ROOT / CARD)


def _run(run: Row) -> dict[str, Any]:
    """What the table of runs tells of one, by title."""
    seconds, valid = run.get("seconds"), run.get("valid")
    return {
        **{
            key: run.get(key)
            for key in ("stage", "components", "date", "device", "processes", "steps")
        },
        "skipped steps": run.get("skipped"),
        "minutes": None if seconds is None else round(seconds / 60, 1),
        "batch": run.get("batch"),
        "crop in s": run.get("crop_s"),
        "learning rate": run.get("learning_rate"),
        "optimizer": run.get("optimizer"),
        "losses and their weights": run.get("losses"),
        "loss on validation voices": f"{valid[0][1]:.4g} to {valid[-1][1]:.4g}" if valid else None,
        **{key: run.get(key) for key in ("seed", "note")},
    }


def _material(run: Row) -> dict[str, Any]:
    """What the table of data tells of one run, by title."""
    held = run.get("data", {})
    digest = held.get("sha256")
    return {
        "minutes of speech": held.get("speech_minutes"),
        "speakers": held.get("speakers"),
        "minutes of noise": held.get("noise_minutes"),
        **{key: held.get(key) for key in ("noises", "rooms")},
        "sha256": digest and digest[:12],
    }


def _sources(runs: Sequence[Row]) -> str:
    """Minutes of speech by source, of the last run that tells them."""
    told = [(number, of) for number, run in enumerate(runs, 1) if (of := _source_minutes(run))]
    if not told:
        return f"Minutes by source: {UNKNOWN}."
    number, minutes = told[-1]
    lines = sorted(minutes.items(), key=lambda item: -item[1])
    return table([f"source (run {number})", "minutes"], ([k, f"{v:.1f}"] for k, v in lines))


def _source_minutes(run: Row) -> Mapping[str, float]:
    found: Mapping[str, float] = run.get("data", {}).get("sources", {})
    return found


def _recorded(runs: Sequence[Mapping[str, Any]]) -> str:
    """A line for every run, without the columns that no run fills, which are named below it."""
    filled = [title for title in runs[0] if any(run[title] is not None for run in runs)]
    missing = [title for title in runs[0] if title not in filled]
    lines = (
        [number, *(_text(run[title]) for title in filled)] for number, run in enumerate(runs, 1)
    )
    shown = [table(["run", *filled], lines)] if filled else []
    told = [f"{UNKNOWN.capitalize()} of any run: {', '.join(missing)}."] if missing else []
    return "\n\n".join(shown + told)


def _text(value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parameters(path: Path) -> int:
    return sum(tensor.length // _BYTES[tensor.dtype] for tensor in stored_tensors(path).values())


if __name__ == "__main__":
    main()
