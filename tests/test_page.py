"""The page in a real browser, against the command line's own results."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import web_vectors

from hiresldm.core.metrics import snr_db
from hiresldm.core.spec import Array
from hiresldm.runtimes.restorer import Restorer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="the extra `web` is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium is installed")

RATE_HZ = 48_000
DESKTOP = {"width": 1200, "height": 900}
PHONE = {"width": 360, "height": 740}
OPEN_MS, RESTORE_MS = 60_000, 180_000


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where `hiresldm serve` serves."""
    command = [sys.executable, "-m", "hiresldm", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield server.stdout.readline().split()[0]
        server.terminate()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as driver:
        media = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *media])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with browser.new_context(viewport=DESKTOP) as context:
        yield ready(context.new_page(), address)


def ready(page: Page, address: str) -> Page:
    """The page at the address, its model loaded."""
    page.goto(address)
    says(page, "Ready", OPEN_MS)
    return page


def says(page: Page, words: str, timeout_ms: int = RESTORE_MS) -> None:
    status = page.locator("#status")
    playwright.expect(status).to_contain_text(re.compile(words), timeout=timeout_ms)


def give(page: Page, path: Path) -> None:
    page.set_input_files("#file", path)


def saved(page: Page, folder: Path) -> Array:
    """The samples of what the page saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    wave, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == RATE_HZ
    return np.asarray(wave)


@pytest.mark.parametrize("name", ["noisy", "soft", "long"])
def test_the_browser_restores_as_python_does(
    page: Page, tmp_path: Path, noisy: Array, speech: Array, name: str
) -> None:
    wave = web_vectors.clips(noisy, speech)[name]
    soundfile.write(tmp_path / f"{name}.wav", wave, RATE_HZ, "FLOAT")
    give(page, tmp_path / f"{name}.wav")
    says(page, "Restored")
    assert snr_db(Restorer.load(threads=1)(wave, RATE_HZ), saved(page, tmp_path)) > 60
