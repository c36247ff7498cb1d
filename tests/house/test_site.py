"""The documentation builds as a site: every page is in its menu, every link leads somewhere."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (ROOT / "mkdocs.yml").is_file(), reason="a wheel carries no documentation")
def test_the_site_builds_without_a_warning(tmp_path: Path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    quality = (tmp_path / "quality" / "index.html").read_text(encoding="utf-8")
    assert 'href="../results/quality.json"' in quality
    assert (tmp_path / "results" / "quality.json").is_file()
    assert (tmp_path / "restored.flac").is_file()
    assert "Restorer" in (tmp_path / "api" / "index.html").read_text(encoding="utf-8")
