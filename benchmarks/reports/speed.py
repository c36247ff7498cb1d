"""Tables and page of `bench`: variants and peers in turns, start-up, memory, lengths, operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from ...core.errors import UsageError
from ..figures import png
from ..report import Row, data_uri, table
from . import tradeoff

OPERATORS = 15
"""Rows of a profile that are shown."""
YARDSTICK = "rnnoise"
"""The peer that people know as fast."""
_STYLE = """
:root { color-scheme: light dark; --bar: #2a9d6a; --line: #8884 }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 900px; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
td, th { padding: .3em .6em; border-bottom: 1px solid var(--line); text-align: left }
img { max-width: 100%; background: white }
td.bar { width: 45% } td.bar div { background: var(--bar); height: 1em; border-radius: 3px }
"""


def markdown(result: Row) -> str:
    """Every table that the result holds."""
    told = [_rounds(result["rows"]), table(["measure", "value"], _measures(result))]
    if "scaling" in result:
        told.append(_scaling(result["scaling"]))
    if "profile" in result:
        told.append(_profile(result["profile"]))
    return "\n\n".join(told)


def engines(result: Row) -> str:
    """The rounds alone: engines and precisions, and peers beside them."""
    return _rounds(result["rows"])


def in_short(result: Row) -> str:
    """What a newcomer asks: how fast on one core, how soon, how much memory, how large."""
    own = [row for row in result["rows"] if row["backend"]]
    first = min(own, key=lambda row: (row["threads"], row["steps"]))
    rtf, machine = first["rtf"]["median"], result["machine"]
    lines = [("one thread, real-time factor", f"{rtf:.3f} (a minute in {60 * rtf:.1f} s)")]
    for row in result["rows"]:
        if row["system"] == YARDSTICK:
            lines.append((f"of the time of {YARDSTICK}", f"{rtf / row['rtf']['median']:.2f}"))
    shown = ("fresh process to a restored", "model files", "peak memory")
    lines += [line for line in _measures(result) if line[0].startswith(shown)]
    return table([f"{machine['cpu']}, {machine['cores']} cores", ""], lines[:6])


def page(result: Row, quality: Row | None = None) -> str:
    """One HTML page that needs nothing else: bars of real-time factors, then other figures.

    With the result of an evaluation it also draws quality against time, or tells why not. Raises
    `BackendMissingError` without matplotlib.
    """
    slowest = max(row["rtf"]["median"] for row in result["rows"])
    lines = "".join(_bar(row, slowest) for row in result["rows"])
    measures = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>"
        for name, value in _measures(result)
    )
    machine = result["machine"]
    about = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Speed</title>'
        f"<style>{_STYLE}</style><h1>Speed</h1><p><code>{escape(result['command'])}</code></p>"
        f"<p>{escape(about)}. Seconds of work for a second of audio, shorter is faster.</p>"
        f"<table>{lines}</table>{_tradeoff(result, quality)}"
        f"<h2>Measures</h2><table>{measures}</table></html>"
    )


def _tradeoff(result: Row, quality: Row | None) -> str:
    if quality is None:
        return ""
    title = "<h2>Quality, time, size</h2>"
    try:
        drawn = png(tradeoff.picture(tradeoff.points(result, quality)))
    except UsageError as error:  # after minutes of measuring, no reason to lose them
        return f"{title}<p>No picture: {escape(str(error))}.</p>"
    return f'{title}<img alt="quality against time" src="{data_uri("image/png", drawn)}">'


def _bar(row: Row, slowest: float) -> str:
    share = 100 * row["rtf"]["median"] / slowest
    return (
        f"<tr><td>{escape(title(row))}</td><td>{row['rtf']['median']:.4f}</td>"
        f'<td class="bar"><div style="width:{share:.1f}%"></div></td></tr>'
    )


def title(row: Row) -> str:
    """What a row was measured of: system, engine, precision."""
    return " ".join(str(row[name]) for name in ("system", "backend", "precision") if row[name])


def _rounds(rows: Sequence[Row]) -> str:
    components = list(dict.fromkeys(name for row in rows for name in row["components"]))
    heads = ["system", "threads", "steps", "MB", "real-time factor (IQR)", "of the first (95 %)"]
    return table([*heads, *components], (_round(row, components) for row in rows))


def _round(row: Row, components: Sequence[str]) -> list[object]:
    ratio, size = row["ratio"], row["bytes"]
    return [
        title(row),
        row["threads"],
        row["steps"] or "-",
        "-" if size is None else f"{size / 1e6:.1f}",
        _spread(row["rtf"]),
        f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})",
        *(_median(row["components"].get(name)) for name in components),
    ]


def _measures(result: Row) -> list[tuple[str, str]]:
    startup, latency = result["startup"], result["latency"]
    quantiles = " / ".join(f"{latency[f'{name}_ms']:.0f}" for name in ("p50", "p95", "p99"))
    return [
        ("fresh process to loaded model, s (IQR)", _spread(startup["load_s"])),
        ("fresh process to a restored 3 s file, s (IQR)", _spread(startup["first_s"])),
        ("`hiresldm --version`, s (IQR)", _spread(startup["version_s"])),
        ("a second of audio alone, ms (p50 / p95 / p99)", quantiles),
        ("model files, MB", f"{result['model']['bytes'] / 1e6:.1f}"),
        *_memory(result["memory"]),
    ]


def _memory(memory: Row) -> Iterator[tuple[str, str]]:
    if memory["ratio"] is None:
        yield "peak memory", memory["reason"]
        return
    for peak in memory["peaks"]:
        yield f"peak memory, {peak['audio_s']:g} s file, MB", f"{peak['peak_bytes'] / 1e6:.0f}"
    yield "peak memory, long over short", f"{memory['ratio']:.2f}"


def _scaling(scaling: Row) -> str:
    lines = (
        [f"{r['audio_s']:g}", f"{r['seconds']:.2f}", f"{r['peak_bytes'] / 1e6:.0f}"]
        for r in scaling["rows"]
    )
    told = table(["file, s", "seconds", "peak memory, MB"], lines)
    if scaling["per_s"] is None:
        return told
    line = f"{scaling['start_s']:.2f} s and {scaling['per_s']:.4f} s for a second of audio"
    return f"{told}\n\nThe line through them: {line}; farthest from it {scaling['residual']:.1%}."


def _profile(profile: Row) -> str:
    variants = dict.fromkeys((row["backend"], row["precision"]) for row in profile["rows"])
    told = [_operators(profile["rows"], *variant) for variant in variants]
    peaks = ", ".join(
        f"{rate / 1e9:.0f} billion in {kind}" for kind, rate in profile["peaks_macs_per_s"].items()
    )
    peaks = peaks or "not measured, without the package onnx"
    return "\n\n".join([*told, f"MACs a second of a plain matrix product, one thread: {peaks}."])


def _operators(rows: Sequence[Row], backend: str, precision: str) -> str:
    own = [row for row in rows if (row["backend"], row["precision"]) == (backend, precision)]
    total = sum(row["seconds"] for row in own)
    lines = (
        [
            row["component"],
            row["operator"],
            f"{row['seconds']:.4f}",
            f"{row['seconds'] / total:.1%}",
            "-" if row["macs"] is None else f"{row['macs'] / 1e6:.0f}",
            "-" if row["bytes"] is None else f"{row['bytes'] / 1e6:.0f}",
            "-" if row["of_peak"] is None else f"{row['of_peak']:.0%}",
        ]
        for row in own[:OPERATORS]
    )
    name = f"{backend} {precision}"
    heads = [name, "operator", "s per s", "share", "million MACs", "MB moved", "of peak"]
    return table(heads, lines)


def _median(spread: Row | None) -> str:
    return "-" if spread is None else f"{spread['median']:.4f}"


def _spread(spread: Row) -> str:
    return f"{spread['median']:.3f} ({spread['q1']:.3f} to {spread['q3']:.3f})"
