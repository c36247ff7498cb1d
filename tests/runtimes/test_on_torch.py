"""The checkpoints of a bundle on PyTorch: the same answer as the module, and errors in words."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import TINY

from hiresldm.core.errors import BackendMissingError, IntegrityError, UsageError
from hiresldm.core.spec import Artifact
from hiresldm.families.checkpoints import save_component
from hiresldm.families.hiresldm.components import components
from hiresldm.families.hiresldm.model import Model
from hiresldm.runtimes import on_torch

ENCODER = next(component for component in components(TINY.host) if component.name == "encoder")


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return Model(TINY).eval()


@pytest.fixture
def artifact(model: Model, tmp_path: Path) -> Artifact:
    save_component(model.encoder, TINY, tmp_path / "encoder.safetensors", torch.float32)
    named = {"component": "encoder", "format": "torch", "precision": "fp32"}
    tensors = {"inputs": ("log_mel",), "outputs": ("latent",)}
    return Artifact(**named, path="encoder.safetensors", sha256="", tools={}, **tensors)


@pytest.mark.parametrize("threads", [0, 1])
def test_a_checkpoint_computes_what_its_module_does(
    model: Model, artifact: Artifact, tmp_path: Path, threads: int
):
    before = torch.get_num_threads()
    sample = ENCODER.sample(5, seed=0)
    got = on_torch.load(artifact, tmp_path, threads=threads)(sample)["latent"]
    wanted = on_torch.runner(ENCODER, model.encoder)(sample)["latent"]
    np.testing.assert_allclose(got, wanted, atol=1e-5)  # other threads add in another order
    assert torch.get_num_threads() == before


def test_what_does_not_fit_is_refused(artifact: Artifact, tmp_path: Path):
    run = on_torch.load(artifact, tmp_path, threads=0)
    sample = ENCODER.sample(5, seed=0)
    with pytest.raises(UsageError, match="float64"):
        run({"log_mel": sample["log_mel"].astype(np.float64)})
    with pytest.raises(UsageError, match=r"takes the inputs \['log_mel'\]"):
        run({"mel": sample["log_mel"]})
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(IntegrityError, match="no readable weights"):
        on_torch.load(replace(artifact, path="bad.safetensors"), tmp_path, threads=0)


def test_without_torch_it_is_told_how_to_get_it(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert on_torch.settings()["engine"] == "torch"
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BackendMissingError, match="pip install 'hiresldm\\[train\\]'"):
        on_torch.load(artifact, tmp_path, threads=0)
