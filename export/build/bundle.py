"""Weights in, bundle out: every component exported, gated, hashed and listed, or nothing at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from ...calibration.quantize import quantized
from ...calibration.simulation import fp32_bytes
from ...core.bundle import manifest as bundles
from ...core.bundle.manifest import Manifest
from ...core.bundle.schemes import SCHEMES, Precision
from ...core.bundle.weights import weights_file
from ...core.errors import BackendMissingError, UsageError
from ...core.family import Host, as_json, contract
from ...core.signal import noise
from ...core.spec import Arrays, Artifact, ExportJob
from ...families.checkpoints import Config, Model, load, open_component, save_component
from ...parity import golden, thresholds
from ...runtimes import on_torch
from ..writers.files import content_addressed
from .captured import captured_inputs
from .gate import Measured, dominated, measure
from .plan import Plan, Row

CHECKPOINT = "torch.fp16"
"""How files of weights are called: fp16 on disk; PyTorch computes with them in float32."""
GATED = 8
"""Captured inputs, evenly picked, that an artifact is compared with PyTorch on."""

Started = Callable[[Row], None]


@dataclass(frozen=True)
class Built:
    """The bundle's manifest, every artifact measured, and why some were left out, by path."""

    manifest: Manifest
    measured: Sequence[Measured]
    dropped: Mapping[str, str]
    fp32_bytes: Mapping[str, int]
    """Bytes of each component's weights in float32, to which shares of sizes refer."""

    def as_dict(self) -> dict[str, Any]:
        """The manifest's artifacts, and a row for every file that was measured."""
        rows = [self._row(one) for one in self.measured]
        return {"artifacts": [asdict(row) for row in self.manifest.artifacts], "rows": rows}

    def _row(self, one: Measured) -> dict[str, Any]:
        artifact = one.artifact
        return {
            "component": artifact.component,
            "format": artifact.format,
            "precision": artifact.precision,
            "bytes": one.bytes,
            "of_fp32": one.bytes / self.fp32_bytes[artifact.component],
            "engine": one.engine,
            "parity_db": one.parity_db,
            "ms_per_s": one.ms_per_s,
            "left_out": self.dropped.get(artifact.path),
            "findings": list(one.findings),
        }


def build(
    model: Model,
    plan: Plan,
    out: Path,
    *,
    host: Host,
    overwrite: bool = False,
    started: Started = lambda _: None,
) -> Built:
    """Write the rows of the plan into a new bundle folder `out`; `started` hears of each.

    `host` is the one that the bundle describes: the model's own, or one that offers other steps.

    Weights are rounded to fp16 first and exported from what was rounded, so that every file and
    the reference hold the same numbers. Raises `UsageError` where `out` exists and is not to be
    overwritten, `ParityError` for a file that differs; then nothing is left behind.
    """
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists; give --overwrite to replace it")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".build-") as folder:
        draft = Path(folder) / "bundle"
        draft.mkdir()
        built = _write(model, plan, draft, host, started)
        if out.exists():
            out.rename(Path(folder) / "replaced")
        shutil.move(draft, out)
    return built


def _write(
    model: Model,
    plan: Plan,
    out: Path,
    host: Host,
    started: Started,
) -> Built:
    _store(model, out)
    measured = _measured(model.config, plan, out, started)
    dropped = dominated(measured)
    kept = tuple(m.artifact for m in measured if m.artifact.path not in dropped)
    manifest = Manifest(
        family=model.config.family,
        model=model.config.name,
        host=as_json(host),
        noise_sha256=noise.golden_hash(),
        artifacts=(*kept, *_checkpoints(kept)),
    )
    manifest = golden.write(manifest, out)
    _remove_unlisted(manifest, out)
    bundles.save(manifest, out)
    full = {name: fp32_bytes(module) for name, module in model.named_children()}
    return Built(manifest, measured, dropped, full)


def _store(model: Model, out: Path) -> None:
    """Write the model's fp16 checkpoints."""
    for name, component in model.named_children():
        path = out / f"{name}.safetensors"
        save_component(component, model.config, path, torch.float16)
        content_addressed([path], f"{name}.{CHECKPOINT}")


def _measured(config: Config, plan: Plan, out: Path, started: Started) -> list[Measured]:
    """Every row written and measured, against the model as its checkpoints in `out` hold it.

    Only the component whose turn it is stays in memory: models can be gigabytes.
    """
    seen = {} if plan.calibration else _captured(out)
    measured = []
    for name, rows in groupby(plan.rows, lambda row: row.component.name):
        captured = plan.calibration.samples(name) if plan.calibration else seen[name]
        _, module = open_component(weights_file(out, name), name)
        for row in rows:
            started(row)
            measured.append(_row(row, module, config, plan, out, captured))
    return measured


def _captured(out: Path) -> dict[str, list[Arrays]]:
    model = load(out)
    return captured_inputs(on_torch.runners(model), model.config.host)


def _row(
    row: Row, module: Any, config: Config, plan: Plan, out: Path, captured: Sequence[Arrays]
) -> Measured:
    few = captured[:: -(-len(captured) // GATED)]
    samples = captured if SCHEMES[row.precision].activations else few
    job = _job(row, module, config, plan, out, samples)
    artifact = _exported(row, job, plan.sources)
    measured = measure(
        artifact,
        out,
        row.component,
        on_torch.runner(row.component, module),
        few,
        floor_db=job.floor_db,
        frame_s=row.component.hops * config.host.hop / config.host.sample_rate_hz,
    )
    return replace(measured, findings=_findings(row, artifact, out))


def _job(
    row: Row, module: Any, config: Config, plan: Plan, out: Path, samples: Sequence[Arrays]
) -> ExportJob:
    name = row.component.name
    return ExportJob(
        row.component,
        module,
        row.precision,
        out,
        contract(config.family, name, config.host),
        _floor_db(row),
        weights_file(out, name),
        quantized(name, module, row.precision, plan.precision_config),
        samples,
    )


def _floor_db(row: Row) -> float:
    """How near to PyTorch the thresholds want the file."""
    about = {"component": row.component.name, "format": row.exporter.FORMAT}
    return thresholds.load().floor("component_db", precision=row.precision, **about)


def _findings(row: Row, artifact: Artifact, out: Path) -> list[str]:
    """What keeps the file off the device that it is for, where its writer can tell."""
    lint = getattr(row.exporter, "lint", None)
    return list(lint(out / artifact.path)) if lint and artifact.enumerated_frames else []


def _exported(row: Row, job: ExportJob, sources: Mapping[str, str]) -> Artifact:
    try:
        artifact = row.exporter.export(job)
    except ModuleNotFoundError as error:
        raise BackendMissingError(
            f"{row}: {error.name} is missing; install it with: pip install 'hiresldm[export]'"
        ) from error
    needs = SCHEMES[row.precision].needs
    used = {name: sha for name, sha in sources.items() if name == needs}
    return replace(artifact, tools={**artifact.tools, **used})


def _checkpoints(artifacts: Sequence[Artifact]) -> list[Artifact]:
    """The checkpoints that graphs read their weights from, as artifacts of their own."""
    found = {}
    for artifact in artifacts:
        stem = f"{artifact.component}.{CHECKPOINT}."
        for file in artifact.data:
            if file.path.startswith(stem):
                found[file.path] = replace(
                    artifact,
                    format="torch",
                    precision=Precision.FP32,
                    path=file.path,
                    sha256=file.sha256,
                    tools={name: version(name) for name in ("torch", "safetensors")},
                    data=(),
                    gate={},
                )
    return list(found.values())


def _remove_unlisted(manifest: Manifest, out: Path) -> None:
    """Checkpoints that no graph reads, and what was not worth keeping."""
    listed = {file.path for file in bundles.files(manifest)}
    for path in out.iterdir():
        if path.name not in listed:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
