"""The page in headless Chromium as a contestant of `bench`: the same rounds, the same machine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import soundfile

from .. import families
from ..benchmarks.speed.contest import Contestant
from ..benchmarks.speed.timing import RTF
from ..core.bundle import manifest as bundles
from ..core.errors import BackendMissingError
from ..core.signal.rates import RATE_HZ
from ..core.spec import Array
from ..export.pack import subset, web
from . import page

CHROMIUM = ("chromium", "google-chrome")
_OPEN_MS, _RESTORE_MS = 60_000, 3_600_000
_LAST_MS = "performance.getEntriesByName('restore').at(-1).duration"


@contextmanager
def contestants(bundle: Path, threads: Sequence[int]) -> Iterator[list[Contestant]]:
    """The page at each number of threads, open as long as the context.

    Raises `IntegrityError` as `web.files` does, `BackendMissingError` without a browser.
    """
    with ExitStack() as stack:
        address = stack.enter_context(_served(bundle))
        browser = stack.enter_context(_browser())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        about = _about(bundle) | {"backend": f"chromium {browser.version.split('.')[0]}"}
        yield [
            Contestant(about | {"threads": count}, _restoring(browser, address, count, folder))
            for count in threads
        ]


@contextmanager
def _served(bundle: Path) -> Iterator[str]:
    with page.server(web.files(bundle), 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


@contextmanager
def _browser() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        raise BackendMissingError(
            "the page is timed in Chromium; install it, and: pip install 'hiresldm[web]'"
        )
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def _about(bundle: Path) -> dict[str, Any]:
    manifest = subset.chosen(bundle, web.FORMAT)
    _, host = families.of(manifest)
    paths = {file.path for artifact in manifest.artifacts for file in artifact.files}
    size = sum(bundles.bytes_of(bundle / path) for path in paths)
    return {
        "system": manifest.model,
        "precision": manifest.artifacts[0].precision,
        "steps": host.default_steps,
        "bytes": size,
    }


def _restoring(
    browser: Any, address: str, threads: int, folder: Path
) -> Callable[[Array], Mapping[str, float]]:
    opened = browser.new_page()
    opened.goto(f"{address}?threads={threads}")
    status = opened.locator("#status")
    _wait(status, "Ready", _OPEN_MS)

    def run(speech: Array) -> Mapping[str, float]:
        path = folder / "speech.wav"
        soundfile.write(path, speech, RATE_HZ, "FLOAT")
        opened.set_input_files("#file", path)
        _wait(status, "Restoring", _OPEN_MS)
        _wait(status, "Restored", _RESTORE_MS)
        return {RTF: opened.evaluate(_LAST_MS) / 1000 * RATE_HZ / len(speech)}

    return run


def _wait(status: Any, words: str, timeout_ms: int) -> None:
    status.filter(has_text=words).wait_for(timeout=timeout_ms)
