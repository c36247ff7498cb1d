"""`hiresldm doctor`: what is here, what would be used, and what stands in the way."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from packaging.requirements import Requirement

from hiresldm.cli.main import main
from hiresldm.core import processors
from hiresldm.core.bundle import manifest as bundles
from hiresldm.families.hiresldm.components import NAMES as COMPONENTS
from hiresldm.runtimes import doctor
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE, backends

ROOT = Path(__file__).parents[2]


def _doctor(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["doctor", *arguments])
    return int(stop.value.code or 0)


def test_what_would_be_used_is_told_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert _doctor("--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["problem"] is None and found["threads"]["used"] == processors.usable()
    chosen = found["choice"]
    assert (chosen["engine"], chosen["bundle"]) == ("ort", str(EMBEDDED_BUNDLE))
    assert "none is asked for" in chosen["why_bundle"] + chosen["why_engine"]
    assert chosen["components"] == dict.fromkeys(COMPONENTS, "onnx int8-dynamic")
    versions = {package["name"]: package["installed"] for package in found["packages"]}
    assert versions["numpy"] == np.__version__
    engines = {engine["name"]: engine for engine in found["engines"]}
    assert engines.keys() == backends().keys()
    assert engines["ort"]["settings"]["version"] == onnxruntime.__version__
    assert "CPUExecutionProvider" in engines["ort"]["settings"]["providers_here"]
    assert all(engine["present"] != bool(engine["reason"]) for engine in engines.values())


def test_what_cannot_run_is_told_after_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundles.save(replace(bundles.load(EMBEDDED_BUNDLE), artifacts=(), golden=None), tmp_path)
    assert _doctor("--bundle", str(tmp_path)) == 6
    printed = capsys.readouterr()
    assert "| ort | onnx, ort | version" in printed.out and "engine: " not in printed.out
    assert "hiresldm build NEW" in printed.err and printed.err.count("\n") == 1
    assert _doctor("--backend", "abacus") == 2
    assert _doctor("--threads", "0") == 2


def test_threads_asked_for_are_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HIRESLDM_THREADS", "3")
    assert _doctor() == 0
    assert "threads: 3, as asked for\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("here", "needed", "verdict"),
    [
        (None, ">=2.0", "not installed"),
        ("2.4.6", ">=2.0", "as tested"),
        ("2.4.6+cpu", "==2.4.6", "as tested"),
        ("2.0.0", ">=2.0", "older than tested, accepted"),
        ("2.10", ">=2.0", "newer than tested"),
        ("1.9", ">=2.0", "not accepted; install another with: pip install 'numpy>=2.0'"),
        ("2.4.6", "", "as tested"),
    ],
)
def test_a_version_is_judged(here: str | None, needed: str, verdict: str) -> None:
    assert doctor.verdict_on("numpy", here, needed, "2.4.6") == verdict


def test_the_tested_versions_are_of_what_the_package_asks_for() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base = [Requirement(line) for line in project["dependencies"]]
    assert {one.name for one in base} <= doctor.TESTED.keys()
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    for one in (*base, *map(Requirement, extras)):
        if one.name in doctor.TESTED:
            assert one.specifier.contains(doctor.TESTED[one.name]), one
