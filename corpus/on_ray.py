"""Workers on the machines of a Ray cluster, fed by Ray Data.

All machines see the corpus and the output under the same paths, and have the same toolkit.
"""

from __future__ import annotations

import logging
import pickle
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, redirect_stdout
from typing import Any

import numpy as np
import ray
from ray.data import ActorPoolStrategy, DataContext

from ..core.quiet import refuse_telemetry
from .clip import Clip, Outcome
from .worker import Worker

BATCH = 8
"""Clips that go to a worker at a time: what is tried anew where a machine is lost."""
_COLUMN = "item"


class _Cleaner:
    """What Ray Data keeps on a worker: the model is loaded once."""

    def __init__(self, worker: Worker) -> None:
        self._outcome = worker.opened()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return _batch(self._outcome(pickle.loads(one)) for one in batch[_COLUMN])  # noqa: S301


def outcomes(
    worker: Worker,
    clips: Iterable[Clip],
    *,
    address: str,
    count: int | None = None,
    gpus: float = 0.0,
) -> Iterator[Outcome]:
    """What becomes of the clips as they end, by up to `count` workers of the cluster (None: all).

    Each takes a CPU, or `gpus` of a GPU. Raises ConnectionError where no cluster answers.
    """
    with redirect_stdout(sys.stderr), ExitStack() as connected:  # Ray tells of lost nodes there
        refuse_telemetry()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        connected.callback(ray.shutdown)
        DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        waiting = [{_COLUMN: pickle.dumps(clip)} for clip in clips]
        blocks = max(1, -(-len(waiting) // BATCH))
        told = ray.data.from_items(waiting, override_num_blocks=blocks).map_batches(
            _Cleaner,
            fn_constructor_args=(worker,),
            batch_size=BATCH,
            compute=ActorPoolStrategy(min_size=1, max_size=count or _room(gpus)),
            num_cpus=0 if gpus else 1,
            num_gpus=gpus,
        )
        for row in told.iter_rows():
            yield pickle.loads(row[_COLUMN])  # noqa: S301 - from a worker of this run


def _room(gpus: float) -> int:
    """As many workers as the cluster has room for now."""
    own = ray.cluster_resources().get("GPU" if gpus else "CPU", 1.0)  # type: ignore[no-untyped-call]
    return max(1, int(own / (gpus or 1.0)))


def _batch(items: Iterable[object]) -> dict[str, Any]:
    held = [pickle.dumps(item) for item in items]
    column = np.empty(len(held), object)
    column[:] = held
    return {_COLUMN: column}
