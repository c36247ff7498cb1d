"""What `evaluate` found, as markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..report import Row, interval_text, mean_text, system_title, table
from .evaluation import ALL
from .metrics.scores import headings


def markdown(rows: Sequence[Row]) -> str:
    """Two tables: means with intervals over all damage, and means by class."""
    metrics = measured(rows)
    overall = [row for row in rows if row["class"] == ALL]
    by_class = sorted((row for row in rows if row["class"] != ALL), key=_class_order(rows))
    first = table(
        ["system", "clips", *metrics.values()],
        ([system_title(r), r["count"], *(interval_text(r[m]) for m in metrics)] for r in overall),
    )
    second = table(
        ["damage", "system", *metrics.values()],
        ([r["class"], system_title(r), *(mean_text(r[m]) for m in metrics)] for r in by_class),
    )
    return f"{first}\n\n{second}"


def measured(rows: Sequence[Row]) -> dict[str, str]:
    """The table heading of every metric that the rows hold, by name."""
    return {name: text for name, text in headings().items() if name in rows[0]}


def _class_order(rows: Sequence[Row]) -> Any:
    order = list(dict.fromkeys(row["class"] for row in rows))
    return lambda row: order.index(row["class"])
