"""What the site shows of files outside `docs`: README, model card, results, examples.

Read by `mkdocs build` (mkdocs.yml); links keep working in the repository and on the site alike.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "model-card.md": "weights/README.md",
    "weights-licence.md": "weights/LICENSE.md",
    "examples/about.md": "examples/README.md",
}
"""Page of the site by the file that it shows."""
FOLDERS = {"results": "benchmarks/results", "examples": "examples"}
SHOWN = {".json", ".wav", ".flac", ".png"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and the raw files."""
    from mkdocs.structure.files import File

    for page, source in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_linked(text, source, page)))
    for folder, source in FOLDERS.items():
        for path in sorted((ROOT / source).iterdir()):
            if path.suffix in SHOWN:
                made = File.generated(config, f"{folder}/{path.name}", abs_src_path=str(path))
                files.append(made)
    return files


def on_page_markdown(markdown: str, page: object, config: MkDocsConfig, files: Files) -> str:
    """Links of the docs' own pages to what lies outside of them, as the site has it."""
    return markdown.replace("](../benchmarks/results/", "](results/").replace(
        "](../examples/", "](examples/"
    )


def _linked(text: str, source: str, page: str) -> str:
    """The text with its links as they lead from the page instead of from the file."""
    folder, up = Path(source).parent, "../" * page.count("/")
    sites = {source: shown for shown, source in PAGES.items()}
    sites |= {raw: name for name, raw in FOLDERS.items()}

    def led(match: re.Match[str]) -> str:
        target = match[1]
        if target.startswith(("http", "#")):
            return match[0]
        path = (ROOT / folder / target).resolve().relative_to(ROOT).as_posix()
        for begin, shown in ({"docs/": ""} | sites).items():
            if path.startswith(begin):
                return f"]({up}{shown}{path[len(begin) :]})"
        return match[0]

    return re.sub(r"\]\(([^)\s]+)\)", led, text)
