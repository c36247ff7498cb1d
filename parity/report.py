"""The gate's rows for machines and for people: JSON, JUnit, HTML, Markdown, one line each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..benchmarks import provenance
from ..core.errors import BackendMissingError
from ..runtimes.restorer import backends
from .rows import END_TO_END, GOLDEN, PIPELINE, Row, Status
from .thresholds import VERSION

_STYLE = (
    "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}"
    "td,th{border:1px solid #ccc;padding:2px 8px;text-align:left}"
    ".PASS{background:#dfd}.FAIL{background:#fcc}.NOT_RUN{background:#eee}"
)
_COLUMNS = ("component", "format", "precision", "runtime", "scope", "value", "floor", "status")


def to_json(rows: Sequence[Row], bundle: Path) -> str:
    """The rows, engines and machine as JSON."""
    return json.dumps(as_dict(rows, bundle), indent=1, allow_nan=False)


def as_dict(rows: Sequence[Row], bundle: Path) -> dict[str, Any]:
    """The rows, and what they were measured with: engines and their hints, machine, model."""
    return {
        "rows": [asdict(row) for row in rows],
        "matrix": markdown(rows),
        "thresholds": VERSION,
        "engines": {name: _settings(engine) for name, engine in backends().items()},
        "machine": provenance.machine(),
        "versions": provenance.versions(("torch",)),
        "model": provenance.model(bundle),
    }


def line(row: Row) -> str:
    """A row on one line."""
    about = f"{row.component} {row.format} {row.precision} on {row.runtime}, {row.scope}"
    figures = "" if row.value is None else f" {row.value:.2f} (floor {_figure(row.floor)})"
    return f"{row.status:8}{about}:{figures} {row.reason}".rstrip()


def junit(rows: Sequence[Row]) -> str:
    """The rows as JUnit XML: a case each, FAIL a failure, NOT_RUN skipped."""
    counts = {status: sum(row.status is status for row in rows) for status in Status}
    suite = ElementTree.Element(
        "testsuite",
        name="hiresldm parity",
        tests=str(len(rows)),
        failures=str(counts[Status.FAIL]),
        skipped=str(counts[Status.NOT_RUN]),
    )
    for row in rows:
        group = f"{row.format}.{row.precision}.{row.runtime}"
        name = f"{row.component}: {row.scope}"
        case = ElementTree.SubElement(suite, "testcase", classname=group, name=name)
        if row.status is Status.FAIL:
            ElementTree.SubElement(case, "failure", message=line(row))
        elif row.status is Status.NOT_RUN:
            ElementTree.SubElement(case, "skipped", message=row.reason)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def html(rows: Sequence[Row]) -> str:
    """The rows as one page."""
    heads = "".join(f"<th>{escape(name)}</th>" for name in (*_COLUMNS, "reason"))
    lines = "".join(_html_line(row) for row in rows)
    return (
        f'<!doctype html><meta charset="utf-8"><title>Parity</title><style>{_STYLE}</style>'
        f"<h1>Parity</h1><table><tr>{heads}</tr>{lines}</table>\n"
    )


def markdown(rows: Sequence[Row]) -> str:
    """The matrix: a line per format, precision and engine, the worst figure of each component."""
    measured = [row for row in rows if row.scope != GOLDEN]
    groups = dict.fromkeys((row.format, row.precision, row.runtime) for row in measured)
    names = list(dict.fromkeys(row.component for row in measured if row.component != PIPELINE))
    titles = ["format", "precision", "engine", *(f"{name}, dB" for name in names), END_TO_END]
    lines = [_matrix_line(key, rows, names) for key in groups]
    return "\n".join(
        f"| {' | '.join(cells)} |" for cells in (titles, ["---"] * len(titles), *lines)
    )


def _matrix_line(key: tuple[str, str, str], rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    own = [row for row in rows if (row.format, row.precision, row.runtime) == key]
    cells = [_cell([row for row in own if row.component == name]) for name in names]
    return [*key, *cells, _pipeline_cell([row for row in own if row.component == PIPELINE])]


def _cell(rows: Sequence[Row]) -> str:
    """The worst of a component's figures on the reference's own inputs."""
    if any(row.status is Status.NOT_RUN for row in rows):
        return "not run"
    values = [row.value for row in rows if row.value is not None and row.scope != GOLDEN]
    mark = " FAIL" if any(row.status is Status.FAIL for row in rows) else ""
    return (f"{min(values):.0f}" if values else "-") + mark


def _pipeline_cell(rows: Sequence[Row]) -> str:
    texts = []
    for row in rows:
        scope, _, metric = row.scope.partition(", ")
        if row.value is not None and scope == END_TO_END:
            texts.append(f"{metric} {row.value:+.3f}" if metric else f"{row.value:.0f} dB")
    failed = any(row.status is Status.FAIL for row in rows)
    return (", ".join(texts) or "-") + (" FAIL" if failed else "")


def _html_line(row: Row) -> str:
    values = [getattr(row, name) for name in _COLUMNS]
    shown = [_figure(v) if isinstance(v, float) else str("" if v is None else v) for v in values]
    cells = "".join(f"<td>{escape(text)}</td>" for text in (*shown, row.reason))
    return f'<tr class="{row.status}">{cells}</tr>'


def _settings(engine: Any) -> dict[str, str]:
    try:
        return dict(engine.settings())
    except BackendMissingError as error:
        return {"absent": str(error)}


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
