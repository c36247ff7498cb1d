"""A worker: one restorer, loaded once, and what becomes of each clip that it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import AudioError, reason
from ..core.restorer import Restorer
from ..runtimes.model import Model
from .cleaning import Cleaning, clean, named
from .clip import Clip, Outcome
from .spool import Spool

ATTEMPTS = 3
"""How often a clip is tried that ends its worker, or meets a fault of the machine."""


@dataclass(frozen=True)
class Worker:
    """Cleans clips into a spool; goes to other processes by pickling, and loads there."""

    model: Model
    how: Cleaning
    spool: Path

    def opened(self) -> Callable[[Clip], Outcome]:
        """The function that gives a clip's outcome, with the model loaded."""
        restorer, spool = self.model.load(), Spool(self.spool)

        def outcome(clip: Clip) -> Outcome:
            return spool.outcome(clip) or _outcome(clip, restorer, self.how, spool)

        return outcome


def _outcome(clip: Clip, restorer: Restorer, how: Cleaning, spool: Spool) -> Outcome:
    said = f"{clip.key} ended its worker {ATTEMPTS} times"
    for _ in spool.attempts(clip, ATTEMPTS):
        with spool.workplace() as folder:
            try:
                return spool.keep(clip, clean(clip, restorer, how, folder))
            except AudioError as error:  # of the clip, and so the same each time
                return spool.quarantine(clip, named(str(error), folder, clip))
            except Exception as error:  # a disk, memory, a fault that a decoder was not made for
                said = named(f"{clip.key}: {reason(error)}", folder, clip)
    return spool.quarantine(clip, said)
