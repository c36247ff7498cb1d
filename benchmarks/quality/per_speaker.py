"""ESTOI speaker by speaker, against the input's: whose words does a system take away?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...training.damage.kinds import CLEAN
from ..report import Row, system_title, table
from .evaluation import ALL

NEAR_CLEAN = "clean and near-clean"
"""The class of rows over clips that a system can only harm: untouched, or of a high ESTOI."""
HARM = 0.02
"""A speaker's loss of ESTOI above which the system is said to harm."""

_NEAR_CLEAN_ESTOI = 0.95
_INPUT = "input"
_SHOWN = 4


def rows(clips: Sequence[Row]) -> list[dict[str, Any]]:
    """One row per system, speaker and class, over all damage and over clean and near-clean input.

    `clips` are the rows of `quality.clip_row`, every system's in one order; without ESTOI there
    are none.
    """
    given = [clip for clip in clips if clip["system"] == _INPUT]
    made = []
    for name, steps in dict.fromkeys((clip["system"], clip["steps"]) for clip in clips):
        own = [clip for clip in clips if (clip["system"], clip["steps"]) == (name, steps)]
        both = [pair for pair in zip(given, own, strict=True) if _measured(pair)]
        for kind in (ALL, NEAR_CLEAN) if name != _INPUT else ():
            pairs = [pair for pair in both if _belongs(pair[0], kind)]
            about = {"system": name, "steps": steps, "class": kind}
            made += [about | line for line in _by_speaker(pairs)]
    return made


def markdown(lines: Sequence[Row]) -> str:
    """A table of the speakers who lose most, and a sentence on clean and near-clean input."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for line in sorted(lines, key=lambda line: line["class"] == NEAR_CLEAN):
        groups.setdefault((_input(line), system_title(line)), []).append(line)
    cells = ([*about, len(own), *_worst(own)] for about, own in groups.items())
    titles = ["input", "system", "speakers", "ESTOI falls most for", *[""] * (_SHOWN - 1)]
    counts = "; ".join(
        f"{sum(line['difference'] < -HARM for line in own)} of {len(own)} by {title}"
        for (kind, title), own in groups.items()
        if kind == NEAR_CLEAN
    )
    told = f"Speakers who lose more than {HARM:g} of ESTOI on {NEAR_CLEAN} input: {counts}."
    return f"{table(titles, cells)}\n\n{told}"


def _input(line: Row) -> str:
    return "all damage" if line["class"] == ALL else str(line["class"])


def _by_speaker(pairs: Sequence[tuple[Row, Row]]) -> Iterable[dict[str, Any]]:
    for speaker in dict.fromkeys(given["speaker"] for given, _ in pairs):
        own = [pair for pair in pairs if pair[0]["speaker"] == speaker]
        before, after = (_mean(clip["estoi"] for clip in side) for side in zip(*own, strict=True))
        lost = [made["lost"] for _, made in own if made.get("lost") is not None]
        yield {
            "speaker": speaker,
            "count": len(own),
            "input_estoi": before,
            "estoi": after,
            "difference": round(after - before, 4),
            "lost": _mean(lost) if lost else None,
        }


def _measured(pair: tuple[Row, Row]) -> bool:
    return all(clip.get("estoi") is not None for clip in pair)


def _belongs(given: Row, kind: str) -> bool:
    if kind == ALL:
        return bool(given["class"] != CLEAN)
    return bool(given["class"] == CLEAN or given["estoi"] >= _NEAR_CLEAN_ESTOI)


def _worst(lines: Sequence[Row]) -> list[str]:
    chosen = sorted(lines, key=lambda line: line["difference"])[:_SHOWN]
    texts = [f"{one['speaker']} {one['input_estoi']:.3f} -> {one['estoi']:.3f}" for one in chosen]
    return texts + ["-"] * (_SHOWN - len(texts))


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return round(sum(known) / len(known), 4)
