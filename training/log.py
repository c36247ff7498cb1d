"""What a run tells of itself: `log.json` beside its weights, from which the model card is made."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from . import devices, optimizer
from .data.prepared import folders, read_index, shards_of
from .stages import Stage

if TYPE_CHECKING:
    from .loop import State
    from .run import Job

NAME = "log.json"
POINTS = 60
"""Of a curve, at most."""
Record = dict[str, Any]


def earlier(folder: Path | None) -> list[Record]:
    """The runs that led to the weights in a folder, as far as it tells."""
    if folder is None or not (folder / NAME).exists():
        return []
    runs: list[Record] = json.loads((folder / NAME).read_text(encoding="utf-8"))["runs"]
    return runs


def begun(job: Job, stage: Stage, device: torch.device, *, resumed: bool) -> Record:
    """All that is known of a run before its first step, and the runs before it."""
    first = folders(job.cache or job.out / "cache", "train")[0]
    index = read_index(first)
    about = {
        "stage": job.stage,
        "command": job.command,
        "date": date.today().isoformat(),
        "processes": devices.count(),
        "shards": shards_of(first),
        "components": list(stage.components),
        "parameters": {
            n: sum(p.numel() for p in m.parameters()) for n, m in stage.components.items()
        },
        "data": {**index["facts"], "sha256": index["origin"]},
        "optimizer": optimizer.NAMES,
        "learning_rate": job.learning_rate,
        "batch": job.size * devices.count(),
        "crop_s": stage.seconds,
        "seed": job.seed,
        "note": "against a discriminator" if stage.helpers else "",
    }
    before = earlier(job.out) or earlier(job.init)
    # A resumed run has told of itself already; it tells again.
    before = before[:-1] if resumed else before
    return {"before": before, "about": about, "device": device}


def write(record: Record, state: State, out: Path) -> None:
    """Write `log.json` anew, whole or not at all."""
    run = record["about"] | {
        "device": devices.described(record["device"], state.precision),
        "steps": state.step,
        "skipped": state.skipped,
        "seconds": round(state.trained_s, 1),
        "curve": _thinned(state.curve),
        "valid": _thinned(state.valid),
    }
    partial = out / f"{NAME}.partial"
    partial.write_text(json.dumps({"runs": [*record["before"], run]}, indent=1), encoding="utf-8")
    partial.replace(out / NAME)


def _thinned(points: list[Any]) -> list[Any]:
    every = -(-len(points) // POINTS)
    return [_rounded(point) for point in points[:: max(1, every)]]


def _rounded(point: tuple[int, Any]) -> list[Any]:
    step, values = point
    if isinstance(values, dict):
        return [step, {name: round(value, 4) for name, value in values.items()}]
    return [step, round(values, 4)]
