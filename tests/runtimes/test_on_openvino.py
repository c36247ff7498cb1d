"""OpenVINO: a component in float32 whatever the CPU offers, and its first divergent operation."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export_jobs import floor_db, job_of

from hiresldm.core import processors
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.errors import BackendMissingError, IntegrityError, UsageError
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Artifact, Component
from hiresldm.export.writers import to_openvino
from hiresldm.families.checkpoints import load
from hiresldm.parity.debugging.locate import locate
from hiresldm.runtimes import on_openvino, on_torch
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE, backends

ALTERED = "coarse.blocks.1.expand"


@pytest.fixture(scope="module")
def component() -> tuple[Component, Any, Any]:
    """The encoder: its component, its module, and the module with one weight gone astray."""
    model = load(EMBEDDED_BUNDLE)
    component = next(c for c in model.components if c.name == "encoder")
    altered = deepcopy(model.encoder)
    with torch.no_grad():
        altered.get_submodule(ALTERED).weight[3, 5] *= 65536  # type: ignore[operator, index]
    return component, model.encoder, altered


@pytest.fixture(scope="module")
def artifact(
    component: tuple[Component, Any, Any], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    return _export(component[0], component[1], tmp_path_factory.mktemp("openvino"))


@pytest.mark.parametrize("frames", [1, 37, 301])
def test_it_computes_what_the_reference_computes(
    component: Any, artifact: Any, frames: int
) -> None:
    declared, module, _ = component
    sample = declared.sample(frames, seed=frames)
    expected = on_torch.runner(declared, module)(sample)["latent"]
    got = on_openvino.load(*artifact, threads=1)(sample)["latent"]
    assert snr_db(expected, got) >= floor_db("encoder", Precision.FP32)


def test_threads_that_call_at_once_take_turns(component: Any, artifact: Any) -> None:
    run, side_by_side = (on_openvino.load(*artifact, threads=count) for count in (1, 3))
    samples = [component[0].sample(frames, seed=frames) for frames in (5, 20, 5, 33, 12, 20)]
    alone = [run(sample)["latent"] for sample in samples]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda sample: side_by_side(sample)["latent"], samples))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


SIGNALLED = """
import gc, os, signal, sys
from pathlib import Path
from hiresldm.runtimes import on_openvino
one, other = (on_openvino.compiled(Path(sys.argv[1])) for _ in range(2))
del one
gc.collect()
del other
gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_is_survived_once_models_are_gone(artifact: Any) -> None:
    """With a core per model it would be the end: see `on_openvino.core`."""
    one, root = artifact
    command = [sys.executable, "-c", SIGNALLED, str(root / one.path)]
    assert subprocess.check_output(command, text=True) == "heard\n"


def test_what_does_not_fit_is_refused(component: Any, artifact: Any) -> None:
    run = on_openvino.load(*artifact, threads=1)
    mel = component[0].sample(4, seed=0)["log_mel"]
    for wrong in ({}, {"mel": mel}, {"log_mel": mel[0]}, {"log_mel": mel.astype(np.float64)},
                  {"log_mel": mel[..., :5]}):  # fmt: skip
        with pytest.raises(UsageError, match="encoder takes"):
            run(wrong)


def test_a_file_that_is_no_graph_is_told(artifact: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.xml").write_text("<net/>")
    with pytest.raises(IntegrityError, match=r"bad\.xml"):
        on_openvino.load(replace(artifact[0], path="bad.xml"), tmp_path, threads=1)


def test_settings_name_the_precision_and_an_absent_engine_is_told(
    artifact: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert on_openvino.settings()["inference_precision"] == "f32"
    assert backends()["openvino"] is on_openvino
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(BackendMissingError, match="pip install"):
        on_openvino.load(*artifact, threads=1)


def test_the_first_bad_operation_is_found(component: Any, artifact: Any, tmp_path: Path) -> None:
    declared, module, altered = component
    sample = declared.sample(37, seed=1)
    broken, root = _export(declared, altered, tmp_path)
    divergent = locate(broken, root, declared, module, sample, 60.0)
    assert divergent is not None
    assert (divergent.module, divergent.type) == (ALTERED, "MatMul")
    assert locate(*artifact, declared, module, sample, 60.0) is None


def _export(component: Component, module: Any, out: Path) -> tuple[Artifact, Path]:
    job = job_of(load(EMBEDDED_BUNDLE), component.name, Precision.FP32, out)
    return to_openvino.export(replace(job, module=module)), out


def test_left_alone_it_starts_no_more_threads_than_it_was_given(
    artifact: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, root = artifact
    monkeypatch.setattr(processors, "limit", lambda: 1)
    model = on_openvino.compiled(root / named.path)
    assert model.get_property("INFERENCE_NUM_THREADS") == 1


WATCHED = """
import socket, sys
from pathlib import Path
def asked(host, *more, **named):
    print(host, flush=True)
    raise OSError("no network here")
socket.getaddrinfo = asked
from hiresldm.core.bundle.schemes import Precision
from hiresldm.calibration.quantize import quantized
from hiresldm.export.writers import to_openvino
from hiresldm.families.checkpoints import load
from hiresldm.runtimes import on_openvino
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE
from export_jobs import job_of
on_openvino.settings()
model, out = load(EMBEDDED_BUNDLE), Path(sys.argv[1])
integers = quantized("encoder", model.encoder, Precision.W8A8, {})
samples = [model.components[1].sample(20, seed=0)]
to_openvino.export(job_of(model, "encoder", Precision.W8A8, out, integers, samples))
"""


def test_neither_openvino_nor_nncf_tells_its_maker(tmp_path: Path) -> None:
    """Both would, over the network and unasked; and a program that ends waits for that."""
    command = [sys.executable, "-c", WATCHED, str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == ""
