"""Tables of an evaluation: systems, peers, kinds of damage, speakers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...training.damage.kinds import CLEAN
from .. import report
from ..peers.load import NAMES
from ..quality import per_speaker
from ..quality.evaluation import ALL
from ..quality.metrics.scores import headings
from ..report import Row, interval_text, mean_text, table

SHIPPED = "student"
"""The row of the embedded bundle; its fewest steps are its default."""
SPEECH = ("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "distillmos", "pesq", "estoi", "visqol")
DETAIL = ("lsd", "lsd_hf", "sisdr", "spk", "lost", "wer")
BY_CLASS = ("dnsmos_ovrl", "dnsmos_bak", "pesq", "estoi", "visqol", "lsd_hf", "lost", "wer")
SHORT = ("dnsmos_ovrl", "distillmos", "pesq", "estoi", "visqol", "sisdr")
NOISE = "noise"
_LOWER_IS_BETTER = "↓"


def overall(result: Row) -> str:
    """Two tables: every system over all kinds of damage, with intervals."""
    rows = [row for row in result["rows"] if row["class"] == ALL]
    return "\n\n".join(
        table(
            ["all damage", *_titles(metrics)],
            ([report.system_title(r), *(interval_text(r[m]) for m in metrics)] for r in rows),
        )
        for metrics in (_measured(SPEECH, rows), _measured(DETAIL, rows))
    )


def in_short(result: Row) -> str:
    """What a newcomer looks at first: six metrics of `targets`."""
    return targets(result, SHORT)


def targets(result: Row, metrics: Sequence[str] = (*SPEECH, *DETAIL)) -> str:
    """The embedded model against the input and the best peer, metric by metric."""
    rows = [row for row in result["rows"] if row["class"] == ALL]
    shipped, given = _shipped(rows), next(row for row in rows if row["system"] == "input")
    peers = [row for row in rows if row["system"] in NAMES]
    lines = []
    for metric in _measured(metrics, rows):
        best = _best(peers, metric)
        reached = not _better(given, shipped, metric)
        beaten = _better(shipped, best, metric)
        peer = f"{mean_text(best[metric])} ({best['system']})"
        figures = (mean_text(given[metric]), peer, interval_text(shipped[metric]))
        lines.append([headings()[metric], *figures, *map(_yes, (reached, beaten))])
    titles = ["", "input", "best peer", "embedded model", "input reached", "every peer beaten"]
    return table(titles, lines)


def by_class(result: Row) -> str:
    """The embedded model against the input: each kind of damage, and the less damaged half."""
    metrics = _measured(BY_CLASS, result["rows"])
    lines = []
    for kind in dict.fromkeys(row["class"] for row in result["rows"] if row["class"] != ALL):
        own = [row for row in result["rows"] if row["class"] == kind]
        given, made = next(row for row in own if row["system"] == "input"), _shipped(own)
        cells = (f"{mean_text(given[m])} -> {mean_text(made[m])}" for m in metrics)
        lines.append(["none (clean speech in)" if kind == CLEAN else kind, *cells])
    lines.append(["less damaged half (ESTOI of the input)", *_less_damaged(result, metrics)])
    return table(["embedded model, against input", *_titles(metrics)], lines)


def noise(result: Row) -> str:
    """The embedded model, the input and every peer on noise alone."""
    rows = [row for row in result["rows"] if row["class"] == NOISE]
    peers = [row for row in rows if row["system"] in NAMES]
    shown = [_shipped(rows), *(row for row in rows if row["system"] == "input"), *peers]
    lines = (
        [headings()[metric], *(mean_text(row[metric]) for row in shown)]
        for metric in _measured((*SPEECH, *DETAIL), rows)
    )
    systems = ["embedded model", *(row["system"] for row in shown[1:])]
    return table(["noise alone", *systems], lines)


def speakers(result: Row) -> str:
    """Whose ESTOI the embedded model and every peer lower most, and how often by much."""
    pipeline = report.system_title(_shipped(result["rows"]))
    rows = per_speaker.rows(result["clips"])
    shown = [r for r in rows if r["system"] in NAMES or report.system_title(r) == pipeline]
    return per_speaker.markdown(shown)


def _less_damaged(result: Row, metrics: Sequence[str]) -> list[str]:
    clips = [clip for clip in result["clips"] if clip["class"] != CLEAN]
    given = [clip for clip in clips if clip["system"] == "input"]
    shipped = [clip for clip in clips if clip["system"] == SHIPPED]
    few = min(clip["steps"] for clip in shipped)
    pairs = zip(given, (clip for clip in shipped if clip["steps"] == few), strict=True)
    half = sorted(pairs, key=lambda pair: -pair[0]["estoi"])[: len(given) // 2]
    columns = [[[clip[m] for clip in side] for side in zip(*half, strict=True)] for m in metrics]
    return [" -> ".join(f"{_mean(side):.2f}" for side in column) for column in columns]


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / max(1, len(known))


def _measured(metrics: Iterable[str], rows: Sequence[Row]) -> list[str]:
    """Those of the metrics that the rows hold: a result may be older than a metric."""
    return [metric for metric in metrics if any(row.get(metric) for row in rows)]


def _titles(metrics: Iterable[str]) -> list[str]:
    return [headings()[metric] for metric in metrics]


def _shipped(rows: Sequence[Row]) -> Row:
    return min((row for row in rows if row["system"] == SHIPPED), key=lambda row: row["steps"])


def _best(rows: Sequence[Row], metric: str) -> Row:
    sign = _sign(metric)
    return min(rows, key=lambda row: sign * row[metric]["mean"])


def _better(one: Row, other: Row, metric: str) -> bool:
    sign = _sign(metric)
    return bool(sign * one[metric]["mean"] < sign * other[metric]["mean"])


def _sign(metric: str) -> int:
    return 1 if _LOWER_IS_BETTER in headings()[metric] else -1


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
