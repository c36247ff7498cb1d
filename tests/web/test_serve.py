"""`hiresldm serve`: the files of page and bundle, the headers of isolation, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Thread

import pytest

from hiresldm.cli.main import main
from hiresldm.core.bundle import manifest as bundles
from hiresldm.core.errors import IntegrityError
from hiresldm.export.pack import web
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE
from hiresldm.serving import page


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with page.server(web.files(EMBEDDED_BUNDLE), 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def ask(port: int, path: str, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_page_and_bundle_are_sent_with_the_headers_of_isolation(port: int) -> None:
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/?threads=1", "text/html; charset=utf-8"),
        ("/service-worker.js", "text/javascript"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/bundle/bundle.json", "application/json"),
    ):
        response, body = ask(port, path)
        assert (response.status, response.headers["Content-Type"]) == (200, kind)
        assert len(body) == int(response.headers["Content-Length"]) > 0
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    engine = next(name for name in web.files(EMBEDDED_BUNDLE) if name.endswith(".wasm"))
    response, body = ask(port, f"/{engine}", "HEAD")
    assert (response.headers["Content-Type"], body) == ("application/wasm", b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/bundle/../../LICENSE.md",
        "/bundle/%2e%2e/LICENSE.md",
        "//etc/passwd",
        "/bundle/log.json",
        "/assets",
        "/serving/page.py",
    ],
)
def test_nothing_else_is_sent(port: int, path: str) -> None:
    assert ask(port, path)[0].status == 404
    assert ask(port, path, "POST")[0].status == 501


def test_a_bundle_without_graphs_is_refused(tmp_path: Path) -> None:
    text = (EMBEDDED_BUNDLE / bundles.NAME).read_text()
    for path in EMBEDDED_BUNDLE.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / bundles.NAME).unlink()
    (tmp_path / bundles.NAME).write_text(text.replace('"onnx"', '"another"'))
    with pytest.raises(IntegrityError, match="holds no recovery as onnx"):
        web.files(tmp_path)


def test_a_port_in_use_is_told(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["serve", "--port", str(port)])
    assert stop.value.code == 2
    assert f"port {port} cannot be served: Address already in use" in capsys.readouterr().err
