"""The page in a real browser, against the command line's own results."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import web_vectors

from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Array
from hiresldm.export.pack import subset
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE, Restorer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="the extra `web` is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="as above")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium is installed")

RATE_HZ = 48_000
DESKTOP = {"width": 1200, "height": 900}
PHONE = {"width": 360, "height": 740}
OPEN_MS, RESTORE_MS = 60_000, 180_000


@contextmanager
def served(*bundle: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address that `hiresldm serve` tells, and its process."""
    command = [sys.executable, "-m", "hiresldm", "serve", *map(str, bundle), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().split()[0], server
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the embedded bundle is served, in fp32: two engines round integers apart."""
    folder = tmp_path_factory.mktemp("fp32")
    subset.write(subset.chosen(EMBEDDED_BUNDLE, "onnx", "fp32"), EMBEDDED_BUNDLE, folder)
    with served(folder) as (where, _):
        yield where


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as driver:
        media = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        plain = "--host-resolver-rules=MAP pocket.test 127.0.0.1"
        args = ["--no-sandbox", plain, *media]
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=args)
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


@pytest.mark.parametrize("name", ["soft", "long"])
def test_the_browser_restores_as_python_does(
    page: Page, tmp_path: Path, noisy: Array, speech: Array, name: str
) -> None:
    wave = web_vectors.clips(noisy, speech)[name]
    soundfile.write(tmp_path / f"{name}.wav", wave, RATE_HZ, "FLOAT")
    give(page, tmp_path / f"{name}.wav")
    says(page, "Restored")
    assert snr_db(restored(wave, "fp32"), saved(page, tmp_path)) > 60


def restored(wave: Array, precision: str) -> Array:
    """What Python makes of the wave."""
    return Restorer.load(precision=precision, threads=1)(wave, RATE_HZ)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_drop_compare_save(
    browser: Browser, address: str, tmp_path: Path, noisy_path: Path, noisy: Array, viewport: Any
) -> None:
    """A stereo file is dropped, compared by keyboard, and saved at half strength."""
    scheme: Any = "dark" if viewport is PHONE else "light"
    with browser.new_context(viewport=viewport, color_scheme=scheme) as context:
        page = ready(context.new_page(), address)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        accessible(page)
        drop(page, noisy_path)
        says(page, "Restored")
        page.get_by_role("button", name="Play").press("Space")
        playwright.expect(page.get_by_role("button", name="Pause")).to_be_focused()
        playwright.expect(page.locator("#time")).not_to_contain_text(re.compile(r"^0\.0 s /"))
        page.get_by_role("radio", name="After").press("ArrowLeft")
        playwright.expect(page.get_by_role("radio", name="Before")).to_be_checked()
        page.get_by_role("slider", name="Position").press("Home")
        strength = page.get_by_role("slider", name="Strength")
        strength.press("PageDown")
        accessible(page)
        share = float(strength.input_value()) / 100
        assert share < 1
        mixed = noisy + share * (restored(noisy, "fp32") - noisy)
        assert snr_db(mixed, saved(page, tmp_path)) > 60
        assert not errors


def drop(page: Page, path: Path) -> None:
    """Let the file fall onto the page."""
    content = base64.b64encode(path.read_bytes()).decode()
    transfer = page.evaluate_handle(
        """async ([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], name));
            return data;
        }""",
        [content, path.name],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def accessible(page: Page) -> None:
    """Axe finds nothing serious, and nothing sticks out on the right."""
    found = axe.Axe().run(page).response["violations"]
    assert not [one["id"] for one in found if one["impact"] in ("serious", "critical")], found
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_is_no_speech(page: Page, tmp_path: Path) -> None:
    """A text file is refused by name, silence stays silence, the microphone is recorded."""
    (tmp_path / "notes.txt").write_text("not a recording")
    give(page, tmp_path / "notes.txt")
    says(page, "notes.txt holds no sound")
    soundfile.write(tmp_path / "silence.wav", np.zeros((30_000, 2)), RATE_HZ)
    give(page, tmp_path / "silence.wav")
    says(page, "Restored")
    silence = saved(page, tmp_path)
    assert silence.shape == (30_000, 2) and not silence.any()
    page.get_by_role("button", name="Record").click()
    says(page, "Recording")
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop").click()
    says(page, "Restored")
    assert np.abs(saved(page, tmp_path)).max() > 0


def test_the_device_checks_itself_with_the_golden_vectors(page: Page) -> None:
    page.get_by_role("button", name="Check this device").click()
    says(page, "This device computes what PyTorch computed")
    told = page.locator("#status").inner_text()
    assert min(map(float, re.findall(r"(\d+) dB", told))) > 60


def test_an_address_without_https_is_told(browser: Browser, address: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(address.replace("localhost", "pocket.test"))
        says(page, "by https or at localhost alone", OPEN_MS)


def most_megabytes(browser: Browser | None) -> float:
    """The largest peak of resident memory of a process that shows a page."""
    assert browser
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    shown = [Path(f"/proc/{one['id']}/status") for one in found if one["type"] == "renderer"]
    peaks = [re.search(r"VmHWM:\s+(\d+) kB", path.read_text()) for path in shown]
    return max(int(peak[1]) for peak in peaks if peak) / 1e3


def test_a_long_file_leaves_the_page_free(page: Page, tmp_path: Path, noisy: Array) -> None:
    """Ten minutes of stereo: memory is bounded, no task over 200 ms, and cancel acts at once."""
    stereo = np.tile(noisy, 120)[: 600 * RATE_HZ, None].repeat(2, axis=1)
    soundfile.write(tmp_path / "long.flac", stereo, RATE_HZ)
    page.evaluate(
        """() => {
            window.tasks = [];
            const noted = (list) => window.tasks.push(...list.getEntries().map((t) => t.duration));
            new PerformanceObserver(noted).observe({ entryTypes: ["longtask"] });
        }"""
    )
    give(page, tmp_path / "long.flac")
    says(page, "Restoring")
    bar = page.get_by_role("progressbar")
    deadline = time.monotonic() + 120
    while not float(bar.evaluate("(bar) => bar.value")) > 0.01 and time.monotonic() < deadline:
        page.wait_for_timeout(250)
    assert 0.01 < float(bar.evaluate("(bar) => bar.value")) < 1
    # The engine's 400 MB; what came in and what comes out, 460; chunks and what is decoded at once.
    assert 500 < most_megabytes(page.context.browser) < 1400
    began = time.monotonic()
    page.get_by_role("button", name="Cancel").click()
    says(page, "Cancelled")
    assert time.monotonic() - began < 1
    assert max(page.evaluate("window.tasks"), default=0) < 200


def test_offline_and_shared(
    browser: Browser, tmp_path: Path, noisy_path: Path, noisy: Array
) -> None:
    """After one visit the page restores without its server; a file comes by the share sheet."""
    with served() as (address, server), browser.new_context() as context:
        page = ready(context.new_page(), address)
        server.terminate()
        server.wait()
        page.evaluate(
            """async (address) => {
                const body = new FormData();
                body.append("recording", new File([new Blob(["no sound"])], "shared.m4a"));
                await fetch(address + "share", { method: "POST", body, redirect: "manual" });
            }""",
            address,
        )
        page.goto(address + "?shared")
        says(page, "shared.m4a holds no sound", OPEN_MS)
        give(page, noisy_path)
        says(page, "Restored")
        assert page.evaluate("crossOriginIsolated")
        assert snr_db(restored(noisy, "int8-dynamic"), saved(page, tmp_path)) > 30


def test_bundles_that_are_refused(browser: Browser, tmp_path: Path) -> None:
    """An altered file is named, and once it is right again the page works; so is another family."""
    bundle = tmp_path / "bundle"
    shutil.copytree(EMBEDDED_BUNDLE, bundle)
    graph = next(bundle.glob("encoder.onnx.int8-dynamic.*"))
    right = graph.read_bytes()
    with served(bundle) as (address, _), browser.new_context() as context:
        graph.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
        page = context.new_page()
        page.goto(address)
        says(page, f"{re.escape(graph.name)} is altered or truncated", OPEN_MS)
        graph.write_bytes(right)
        page.reload()
        says(page, "Ready", OPEN_MS)
        manifest = bundle / "bundle.json"
        manifest.write_text(manifest.read_text().replace('"hiresldm"', '"gtcrn"'))
        page.reload()
        says(page, "family is gtcrn; this host plays hiresldm alone", OPEN_MS)


def test_static_files_on_any_host_are_isolated_by_the_page_itself(
    browser: Browser, tmp_path: Path, noisy_path: Path
) -> None:
    """A host that sends no header: the service worker does, so threads are there all the same."""
    site = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "hiresldm", "pack", "--web", site, "-q"], check=True)
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, browser.new_context() as context:
        Thread(target=server.serve_forever, daemon=True).start()
        page = ready(context.new_page(), f"http://localhost:{server.server_port}/")
        playwright.expect(page.locator("#engine")).to_contain_text("threads")
        assert page.evaluate("crossOriginIsolated")
        give(page, noisy_path)
        says(page, "Restored")
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Files of a folder, and nothing on standard error."""

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.mark.nightly(reason="a bench of two engines and a browser")
def test_bench_times_the_page_beside_the_engines(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    short = ["--threads", "1", "--runs", "1", "--seconds", "2", "--long-seconds", "2"]
    command = ["bench", "--browser", *short, "--quiet", "--report", out]
    subprocess.run([sys.executable, "-m", "hiresldm", *command], check=True)
    own, page = json.loads(out.read_text())["rows"]
    assert (own["backend"], page["backend"].split()[0]) == ("ort", "chromium")
    assert page["rtf"]["median"] > 0 and page["bytes"] > 0
