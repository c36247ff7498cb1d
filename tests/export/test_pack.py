"""Packs for apps: what the platform opens, proven by selftest; a note drawn from the bundle."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import untrained

from hiresldm.cli.main import main
from hiresldm.core.bundle import manifest as bundles
from hiresldm.core.signal import noise
from hiresldm.export.pack import note
from hiresldm.export.pack.device import NOTE, PLATFORMS
from hiresldm.parity import golden
from hiresldm.parity.rows import PIPELINE

WEB = Path(__file__).parents[2] / "web"
FORMATS = {"ios": "coreml", "android": "ort"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained model in both formats of phones."""
    folder = untrained(tmp_path_factory.mktemp("tiny"))
    out = folder / "bundle"
    words = ["--formats", "ort,coreml", "--precisions", "fp16", "--quiet"]
    assert run("build", out, "--weights", folder, *words) == 0
    return out


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


@pytest.mark.parametrize("platform", FORMATS)
def test_a_pack_is_whole_and_proven_by_selftest(
    bundle: Path, tmp_path: Path, platform: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pack"
    assert run("pack", f"--{platform}", out, "--bundle", bundle) == 0
    packed = bundles.load(out)
    assert {a.format for a in packed.artifacts} == {FORMATS[platform]}
    listed = {out / file.path for file in bundles.files(packed)}
    inside = {path for folder in listed if folder.is_dir() for path in folder.rglob("*")}
    found = {path for path in out.rglob("*") if path.is_file()}
    assert found - listed - inside == {out / bundles.NAME}
    capsys.readouterr()
    assert run("selftest", out) == 0
    assert "5 rows: 5 PASS" in capsys.readouterr().out
    (out / NOTE).write_text("another note")
    assert run("selftest", out) == 6
    assert f"{NOTE}: altered" in capsys.readouterr().err
    assert run("pack", f"--{platform}", out, "--bundle", bundle) == 2


@pytest.mark.parametrize("platform", FORMATS)
def test_vectors_are_the_golden_ones_and_the_note_tells_of_this_bundle(
    bundle: Path, tmp_path: Path, platform: str
) -> None:
    out = tmp_path / "pack"
    assert run("pack", f"--{platform}", out, "--bundle", bundle) == 0
    packed = bundles.load(out)
    index = json.loads((out / "vectors" / "vectors.json").read_text())
    speech = index["speech"]
    outputs = golden.read(out / packed.golden.path).outputs[speech["latent_frames"]]
    for name, told in {**speech["components"], PIPELINE: speech["restored"]}.items():
        np.testing.assert_array_equal(values(out, told), outputs[name])
    for told in index["noise"]:
        call = [int(told[k]) for k in ("seed", "step", "first_frame", "frames", "channels")]
        np.testing.assert_array_equal(values(out, told), noise.normals(*call))
    # Another front end in the manifest, and the note says other numbers.
    text, about = (out / NOTE).read_text(), PLATFORMS[platform]
    opening = about.openings[FORMATS[platform]]
    assert text == note.text(packed, out, about.title, opening)
    front = {**packed.host["front"], "loudness_lufs": -23.0}
    other = replace(packed, host={**packed.host, "front": front})
    assert "to -23 LUFS" in note.text(other, out, about.title, opening)


@pytest.mark.nightly(reason="a build for ExecuTorch")
def test_a_bundle_for_executorch_is_packed_for_either(tmp_path: Path) -> None:
    weights, bundle = untrained(tmp_path), tmp_path / "bundle"
    words = ["--formats", "executorch", "--precisions", "int8", "--quiet"]
    assert run("build", bundle, "--weights", weights, *words) == 0
    for platform in PLATFORMS:
        out = tmp_path / platform
        assert run("pack", f"--{platform}", out, "--bundle", bundle) == 0
        assert {a.format for a in bundles.load(out).artifacts} == {"executorch"}
        note_text = (out / NOTE).read_text()
        assert "XnnpackBackend" in note_text and "aten::native_layer_norm.out" in note_text
    assert run("selftest", tmp_path / "ios") == 0


@pytest.mark.skipif(
    not (WEB / "node_modules").is_dir(),
    reason="the page's packages are not installed: npm install --no-save --prefix web",
)
def test_a_host_that_is_not_python_plays_the_pack(bundle: Path, tmp_path: Path) -> None:
    """TypeScript on ONNX Runtime's WebAssembly, by manifest and vectors alone."""
    out = tmp_path / "pack"
    assert run("pack", "--android", out, "--bundle", bundle) == 0
    command = ["npm", "test", "--prefix", WEB, "--", "tests/pack.test.ts"]
    env = os.environ | {"HIRESLDM_PACK": str(out)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout[-4000:]
    assert "1 passed" in done.stdout


def values(out: Path, told: dict) -> np.ndarray:
    return np.fromfile(out / told["file"], "<f4").reshape(told["shape"])


def test_the_page_is_packed_with_a_bundle_that_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "site"
    assert run("pack", "--web", out) == 0
    assert "Cross-Origin-Embedder-Policy: require-corp" in capsys.readouterr().out
    assert "  Cross-Origin-Opener-Policy: same-origin\n" in (out / "_headers").read_text()
    assert (out / "index.html").is_file()
    assert {a.format for a in bundles.load(out / "bundle").artifacts} == {"onnx"}
    assert run("selftest", out / "bundle") == 0


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--ios", "OUT"], 6, "holds no recovery as coreml; make one that does: hiresldm build"),
        (["--web", "OUT", "--precision", "int4"], 6, "holds no recovery as onnx int4"),
        ([], 2, "nothing to pack; name a folder with --web, --ios or --android"),
    ],
)
def test_what_cannot_be_packed_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, sentence: str
) -> None:
    named = [str(tmp_path / "out") if word == "OUT" else word for word in words]
    assert run("pack", *named) == code
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
