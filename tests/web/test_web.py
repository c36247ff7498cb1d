"""The page's host on Node against what Python computes, and the page as it was built."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import web_vectors

from hiresldm.core.bundle.manifest import sha256_of
from hiresldm.core.spec import Array

WEB = Path(__file__).parents[2] / "web"
needs_web = pytest.mark.skipif(not WEB.is_dir(), reason="web/ is not part of what is tested here")
needs_node = pytest.mark.skipif(
    not (shutil.which("npm") and (WEB / "node_modules").is_dir()),
    reason="the page's packages are not installed: npm install --no-save --prefix web",
)


@needs_web
@needs_node
def test_the_host_computes_as_python_does(tmp_path: Path, noisy: Array, speech: Array) -> None:
    web_vectors.write(tmp_path, web_vectors.clips(noisy, speech))
    _npm("test", HIRESLDM_VECTORS=str(tmp_path))


@needs_web
def test_the_built_page_is_of_these_sources() -> None:
    """`npm run build` in `web/` makes it anew."""
    sums = (WEB / "dist" / "sources.sha256").read_text()
    listed = {name: digest for digest, name in re.findall(r"(\w{64})  (.+)\n", sums)}
    folders = [path for name in ("src", "public") for path in (WEB / name).rglob("*")]
    singles = [WEB / name for name in ("index.html", "package-lock.json", "vite.config.ts")]
    found = {p.relative_to(WEB).as_posix(): sha256_of(p) for p in folders + singles if p.is_file()}
    assert found == listed


@needs_web
@needs_node
def test_the_built_page_is_built_the_same_again(tmp_path: Path) -> None:
    _npm("run", "build", "--", "--outDir", str(tmp_path / "dist"))
    assert sha256_of(tmp_path / "dist") == sha256_of(WEB / "dist")


def _npm(*words: str, **environment: str) -> None:
    env = os.environ | environment
    done = subprocess.run(
        ["npm", *words], cwd=WEB, env=env, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stdout[-4000:] + done.stderr[-2000:]
