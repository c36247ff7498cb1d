"""A bundle is read strictly: whatever is not as written is refused by name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hiresldm import families
from hiresldm.core.bundle import manifest as bundles
from hiresldm.core.bundle.weights import digest
from hiresldm.core.errors import IntegrityError
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EMBEDDED_BUNDLE, tmp_path / "bundle"))


def edit(bundle: Path, change) -> None:
    path = bundle / "bundle.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_what_is_saved_is_read_back(tmp_path: Path):
    manifest = bundles.load(EMBEDDED_BUNDLE)
    bundles.verify(manifest, EMBEDDED_BUNDLE)
    bundles.save(manifest, tmp_path)
    assert bundles.load(tmp_path) == manifest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(version=99), "version 99"),
        (lambda v: v.update(surprise=1), "surprise"),
        (lambda v: v["artifacts"][0].update(surprise=1), "surprise"),
        (lambda v: v.pop("host"), "host"),
        (lambda v: v["artifacts"][0].update(path="../outside.onnx"), "leads out"),
        (lambda v: v["artifacts"][0]["data"][0].update(path="/etc/passwd"), "leads out"),
    ],
)
def test_a_manifest_that_is_off_is_refused(bundle: Path, change, message: str):
    edit(bundle, change)
    with pytest.raises(IntegrityError, match=message):
        bundles.load(bundle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(family="abacus"), "no family 'abacus'; accepted: .*hiresldm"),
        (lambda v: v.update(family="../hiresldm"), "no family"),
        (lambda v: v["host"].update(default_steps=3), "default_steps 3"),
        (lambda v: v["host"].pop("front") and v["host"].update(back=1), "host.back is unknown"),
    ],
)
def test_a_host_that_is_off_is_refused(bundle: Path, change, message: str):
    edit(bundle, change)
    with pytest.raises(IntegrityError, match=message):
        families.of(bundles.load(bundle))


@pytest.mark.parametrize("pattern", ["decoder.onnx.int8*", "denoiser.torch*", "golden*"])
def test_one_flipped_bit_or_a_missing_file_is_found(bundle: Path, pattern: str):
    manifest = bundles.load(bundle)
    (path,) = bundle.glob(pattern)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=path.name):
        bundles.verify(manifest, bundle)
    path.unlink()
    with pytest.raises(IntegrityError, match="missing"):
        bundles.verify(manifest, bundle)


def test_weights_are_known_by_their_tensors_however_they_are_packed(tmp_path: Path):
    made = {}
    for name, facts, value in (("a", {}, 1.0), ("b", {"told": "more"}, 1.0), ("c", {}, 1.5)):
        path = tmp_path / name / "component.x.safetensors"
        path.parent.mkdir()
        tensors = {"first": np.full(3, value, np.float16), "second": np.zeros((2, 2), np.float16)}
        save_file(tensors, path, metadata=facts)
        made[name] = digest([path])
    assert made["a"] == made["b"] != made["c"]
