"""Quality against time against size, as a picture: what a second costs, and what it buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...core.errors import UsageError
from ...runtimes.restorer import DEFAULT_BACKEND
from ..figures import blank
from ..report import Row, system_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = ("dnsmos_ovrl", "pesq", "estoi")
"""Metrics that are drawn, where they were measured."""
AREA_PER_MB, LEAST_AREA = 12, 10
NAMES_ROOM = 1.35
"""Width of a panel as a multiple of the longest time, so that names fit in."""


@dataclass(frozen=True)
class Point:
    """A system that was timed, and what an evaluation says of its sound."""

    speed: Row
    quality: Row

    @property
    def title(self) -> str:
        """Its name beside its mark."""
        own = [self.speed[name] for name in ("backend", "precision") if self.speed[name]]
        variant = own if own != [DEFAULT_BACKEND] else []
        return " ".join((system_title(self.speed), *variant))


def points(speed: Row, quality: Row) -> list[Point]:
    """Rows of a bench, at its fewest threads, of which an evaluation tells the quality.

    Peers are known by name, a bundle's variants by its weights. Raises `UsageError` as `names_of`.
    """
    names = names_of(speed["model"], quality)
    scored = {
        (row["system"], row["steps"]): row for row in quality["rows"] if row["class"] == "all"
    }
    fewest = min(row["threads"] for row in speed["rows"])
    timed = (row for row in speed["rows"] if row["threads"] == fewest)
    found = ((row, _scored(row, names, scored)) for row in timed)
    return [Point(row, own) for row, own in found if own is not None]


def names_of(model: Row, quality: Row) -> list[str]:
    """What an evaluation calls bundles of these weights; raises `UsageError` for no such one."""
    held = quality["models"].items()
    names = [name for name, other in held if _identity(other) == _identity(model)]
    if not names:
        raise UsageError("the evaluation is of other weights than are timed; evaluate these")
    return names


def _identity(model: Row) -> str:
    """The hash of the weights, or of the bundle where it has no checkpoints."""
    return str(model["weights_sha256"] or model["sha256"])


def picture(shown: Sequence[Point]) -> Figure:
    """One panel for each metric: time to the right, quality upwards, size as area.

    Raises `BackendMissingError` without matplotlib, `UsageError` where nothing is to be drawn.
    """
    from ..quality.metrics.scores import headings  # which a bench without a picture does not need

    metrics = [name for name in PANELS if all(point.quality.get(name) for point in shown)]
    if not shown or not metrics:
        raise UsageError(f"the evaluation has nothing timed here by any of {', '.join(PANELS)}")
    slowest = max(point.speed["rtf"]["median"] for point in shown)
    figure = blank(5 * len(metrics), 4.6)
    for axes, metric in zip(
        figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True
    ):
        for point in shown:
            _mark(axes, point, metric)
        axes.set_xlim(0, NAMES_ROOM * slowest)
        axes.margins(y=0.15)
        axes.set(title=headings()[metric], xlabel="seconds of work for a second of audio")
    figure.suptitle("area: megabytes of model files; bars: 95 % intervals over speakers")
    return figure


def _scored(row: Row, names: Sequence[str], scored: Mapping[Any, Row]) -> Row | None:
    """What an evaluation says of the system that was timed.

    Its names end in engine and precision where these were asked for, see `systems.variants`.
    """
    if row["backend"] is None:
        return scored.get((row["system"], None))
    precision = [row["precision"]] if row["precision"] else []
    variants = [[row["backend"], *precision]]
    if row["backend"] == DEFAULT_BACKEND:
        variants.append(precision)
    own = (name for name in names if name.split("/")[1:] in variants)
    return next(
        (scored[key] for key in ((name, row["steps"]) for name in own) if key in scored), None
    )


def _mark(axes: Any, point: Point, metric: str) -> None:
    value, seconds = point.quality[metric], point.speed["rtf"]["median"]
    bars = [[value["mean"] - value["low"]], [value["high"] - value["mean"]]]
    colour = "tab:gray" if point.speed["backend"] is None else "tab:green"
    axes.errorbar([seconds], [value["mean"]], bars, color=colour, lw=0.8)
    area = max(LEAST_AREA, AREA_PER_MB * point.speed["bytes"] / 1e6)
    axes.scatter([seconds], [value["mean"]], s=area, color=colour, alpha=0.5)
    axes.annotate(
        point.title, (seconds, value["mean"]), (7, 4), textcoords="offset points", fontsize=8
    )
