"""`hiresldm inspect`: what a bundle holds, and what about it is not as listed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from hiresldm.cli.main import main
from hiresldm.core.bundle import manifest as bundles
from hiresldm.families.hiresldm.components import NAMES as COMPONENTS
from hiresldm.families.hiresldm.frontend import FrontEnd
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE


def _inspect(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["inspect", *arguments])
    return int(stop.value.code or 0)


def test_the_embedded_model_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert _inspect("--json") == 0
    found = json.loads(capsys.readouterr().out)
    manifest, front = bundles.load(EMBEDDED_BUNDLE), FrontEnd()
    assert {file["path"] for file in found["files"]} == {f.path for f in bundles.files(manifest)}
    assert all(file["fault"] is None and file["bytes"] > 0 for file in found["files"])
    assert found["bytes"] == sum(
        (EMBEDDED_BUNDLE / file.path).stat().st_size for file in bundles.files(manifest)
    )
    kinds = {(one["component"], one["format"], one["precision"]) for one in found["artifacts"]}
    assert kinds == {
        (component, *kind)
        for component in COMPONENTS
        for kind in (("onnx", "int8-dynamic"), ("onnx", "fp32"), ("torch", "fp32"))
    }
    # ONNX Runtime and PyTorch read the same contract from different files.
    for one in found["artifacts"]:
        if one["component"] == "decoder":
            assert one["inputs"] == {
                "latent": [1, None, front.latent_channels],
                "recovered": [1, None, 2 * front.bins],
            }
            assert one["outputs"] == {"restored": [1, None, 2 * front.bins]}


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert _inspect() == 0
    text = capsys.readouterr().out
    assert re.search(r"\| decoder \| onnx \| fp32 \| \d+\.", text)
    assert "latent (1 x T x 64)" in text
    assert "golden vectors: golden." in text


def test_what_is_altered_or_missing_is_told_of_every_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shutil.copytree(EMBEDDED_BUNDLE, tmp_path / "bundle")
    (altered,) = root.glob("encoder.torch.*")
    altered.write_bytes(altered.read_bytes()[:-1])
    (missing,) = root.glob("recovery.onnx.fp32.*")
    missing.unlink()
    assert _inspect(str(root), "--json") == 6
    printed = capsys.readouterr()
    faults = {file["path"]: file["fault"] for file in json.loads(printed.out)["files"]}
    told = {path: fault.split()[0] for path, fault in faults.items() if fault}
    assert told == {altered.name: "altered", missing.name: "missing"}
    assert printed.err.startswith("error: 2 of 13 files") and printed.err.count("\n") == 1


def test_what_is_no_bundle_ends_with_6(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _inspect(str(tmp_path)) == 6
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ")
