"""The result of an evaluation as one HTML page that needs nothing else: tables, sound, pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ..quality.evaluation import ALL
from ..quality.tables import measured
from ..report import Row, data_uri, interval_text, mean_text, system_title
from .gallery import EXCERPT_S, Exhibit, Sound

_LOWER_IS_BETTER = "↓"
_OUTSIDE = ("input", "autoencoder")
_READING = (
    "Means, and 95 % bootstrap intervals over speakers. The best of a column is marked; the input, "
    "and the autoencoder, which is given the clean clip, do not compete."
)
_LISTENING = (
    f"At most {EXCERPT_S:g} s each. All versions of a clip have one gain, and their spectrograms "
    "(0 to 24 kHz from below, 90 dB) one scale."
)
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --mark: #2a9d6a33; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1400px; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
code { background: var(--soft); padding: .15em .4em; border-radius: 4px; overflow-wrap: anywhere }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap }
th, td { padding: .3em .7em; border-bottom: 1px solid var(--line); text-align: right }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: Canvas }
td.best { background: var(--mark); font-weight: 600 }
td small { opacity: .65; display: block }
summary { cursor: pointer; margin: .4em 0 }
.clip { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)) }
figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden }
figure img { display: block; width: 100%; height: 130px; object-fit: fill }
figcaption { padding: .3em .7em; font-weight: 600 }
audio { width: 100%; height: 34px; display: block }
"""
# Starting one player stops the others, so that versions can be compared by ear.
_SCRIPT = """
document.addEventListener("play", event => {
  for (const one of document.querySelectorAll("audio")) if (one !== event.target) one.pause();
}, true);
"""


def page(result: Row, exhibits: Sequence[Exhibit]) -> str:
    """The whole page: how it was measured, a table over all damage and by class, clips to hear."""
    rows = result["rows"]
    kinds = dict.fromkeys(row["class"] for row in rows)
    body = [
        "<h1>Quality of restored speech</h1>",
        f"<p><code>{escape(result['command'])}</code></p>",
        f"<p>{_READING} {_versions(result['versions'])}</p>",
        *(_section(kind, [row for row in rows if row["class"] == kind]) for kind in kinds),
        f"<h2>Clips</h2><p>{_LISTENING}</p>",
        *map(_exhibit, exhibits),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>hiresldm evaluate</title><style>{_STYLE}</style>"
        f"<body>{''.join(body)}<script>{_SCRIPT}</script></body></html>\n"
    )


def _versions(versions: Mapping[str, str | None]) -> str:
    return escape(", ".join(f"{name} {number}" for name, number in versions.items() if number))


def _section(kind: str, rows: Sequence[Row]) -> str:
    if kind == ALL:
        return f"<h2>All damage</h2>{_table(rows)}"
    return f"<details><summary>{escape(kind)}</summary>{_table(rows)}</details>"


def _table(rows: Sequence[Row]) -> str:
    metrics = measured(rows)
    best = {name: _best(rows, name, title) for name, title in metrics.items()}
    head = _line("th", [("system", ""), ("clips", ""), *((t, "") for t in metrics.values())])
    lines = []
    for row in rows:
        marks = ["best" if row[m] and row[m]["mean"] == best[m] else "" for m in metrics]
        cells = zip((_with_interval(row[m]) for m in metrics), marks, strict=True)
        first = (escape(system_title(row)), "")
        lines.append(_line("td", [first, (str(row["count"]), ""), *cells]))
    return f'<div class="wide"><table>{head}{"".join(lines)}</table></div>'


def _best(rows: Sequence[Row], metric: str, title: str) -> Any:
    """The best mean of a column among those that compete, None where nothing was measured."""
    own = [r[metric]["mean"] for r in rows if r[metric] and r["system"] not in _OUTSIDE]
    return (min if _LOWER_IS_BETTER in title else max)(own, default=None)


def _line(tag: str, cells: Iterable[tuple[str, str]]) -> str:
    made = (f'<{tag} class="{mark}">{text}</{tag}>' for text, mark in cells)
    return f"<tr>{''.join(made)}</tr>"


def _with_interval(summary: Row | None) -> str:
    if summary is None:
        return mean_text(None)
    spread = interval_text(summary).removeprefix(mean_text(summary))
    return f"{mean_text(summary)}<small>{spread.strip(' ()')}</small>"


def _exhibit(exhibit: Exhibit) -> str:
    done = " + ".join(exhibit.kinds) or exhibit.kind
    title = (
        f"<h3>{escape(exhibit.kind)}: {escape(exhibit.name)} <small>({escape(done)})</small></h3>"
    )
    return f'{title}<div class="clip">{"".join(map(_figure, exhibit.sounds))}</div>'


def _figure(sound: Sound) -> str:
    title = escape(sound.title)
    picture = f'<img alt="spectrogram, {title}" src="{data_uri("image/webp", sound.picture)}">'
    player = f'<audio controls preload="none" src="{data_uri("audio/ogg", sound.audio)}"></audio>'
    return f"<figure><figcaption>{title}</figcaption>{picture}{player}</figure>"
