"""The readers that are fuzzed. A new one is one more `Target`, in `TARGETS`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from made_files import encoded, flac_of_open_length, ogg, wav

from hiresldm.audio.reading.reader import AudioReader
from hiresldm.calibration import store
from hiresldm.core.bundle import manifest as bundles
from hiresldm.core.bundle.weights import stored_tensors
from hiresldm.core.errors import AudioError, ToolkitError
from hiresldm.corpus.clip import Kept
from hiresldm.corpus.layouts import sink_of, source_of
from hiresldm.families.checkpoints import open_component, save_component
from hiresldm.families.hiresldm.model import Model
from hiresldm.parity import golden
from hiresldm.runtimes.mil import program
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE, Restorer

from . import graphs
from .mutations import either, on_archive, on_bytes, on_json, on_message, on_safetensors
from .target import Target

_WAVE = np.full(960, 0.1, np.float32)
_PACKAGE = "toy.mlpackage"
_PROGRAM = f"{_PACKAGE}/Data/com.apple.CoreML/model.mlmodel"
_BLOBS = f"{_PACKAGE}/Data/com.apple.CoreML/weights/weight.bin"


def _manifests() -> Sequence[bytes]:
    return [(EMBEDDED_BUNDLE / bundles.NAME).read_bytes()]


def _tiny_manifests() -> Sequence[bytes]:
    with TemporaryDirectory() as folder:
        graphs.write_bundle(Path(folder))
        return [(Path(folder) / bundles.NAME).read_bytes()]


def _graphs() -> Sequence[bytes]:
    with TemporaryDirectory() as folder:
        graphs.write_bundle(Path(folder))
        return [(Path(folder) / graphs.ENCODER).read_bytes()]


def _run_graph(path: Path) -> None:
    """Such as anyone may write who also writes the hashes."""
    graphs.write_manifest(path.parent)
    Restorer.load(path.parent, threads=1)(_WAVE, 48_000)


@cache
def _checkpoint() -> bytes:
    import torch
    from tiny import TINY

    torch.manual_seed(0)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.safetensors"
        save_component(Model(TINY).encoder, TINY, path, torch.float16)
        return path.read_bytes()


def _calibrations() -> Sequence[bytes]:
    origin = store.Origin("encoder", "clip", "noise", 3.0)
    sample = store.Sample(origin, {"log_mel": np.zeros((1, 4, 8), np.float32)})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "calibration.safetensors"
        store.save(path, [sample] * 3, facts={"config": "{}"})
        return [path.read_bytes()]


def _goldens() -> Sequence[bytes]:
    return [next(EMBEDDED_BUNDLE.glob("golden.*.npz")).read_bytes()]


@cache
def _packaged(file: str) -> bytes:
    with TemporaryDirectory() as folder:
        graphs.write_package(Path(folder) / _PACKAGE)
        return (Path(folder) / file).read_bytes()


def _run_package(path: Path) -> None:
    package = next(parent for parent in path.parents if parent.suffix == ".mlpackage")
    program.load(package, "toy").run({"x": np.ones(graphs.PACKAGE_INPUT, np.float32)})


@cache
def _recordings() -> Sequence[bytes]:
    """A tenth of a second in every kind of file, whole and as they come."""
    wave = (0.1 * np.sin(np.arange(4800) / 20)).astype(np.float32)
    kinds = (("flac", "flac"), ("mp3", "libmp3lame"), ("ogg", "libopus"), ("ipod", "aac"),
             ("matroska", "flac"), ("adts", "aac"))  # fmt: skip
    coded = [encoded(wave, muxer, codec) for muxer, codec in kinds]
    return [wav(wave), ogg(wave), flac_of_open_length(wave), *coded]


def _heard(path: Path) -> float:
    """Every sample is looked at, as a restorer would."""
    reader = AudioReader(path)
    return sum(float(np.abs(block).sum()) for block in reader) + len(reader.warnings)


def _package(folder: Path) -> None:
    graphs.write_package(folder / _PACKAGE)


def _corpora(layout: str, name: str) -> Sequence[bytes]:
    """Two clips in a file of a layout, and a manifest of them."""
    with TemporaryDirectory() as folder:
        out, audio = Path(folder), Path(folder) / "clip.wav"
        audio.write_bytes(wav(_WAVE))
        records = [{"key": f"a/{n}", "fields": {"txt": "words", "n": n}} for n in range(2)]
        sink_of(layout, out).write(0, [Kept(record, audio) for record in records])
        return [(out / name).read_bytes()]


def _read_corpus(path: Path) -> None:
    for clip in source_of(path, path.parent):
        with suppress(OSError, pa.ArrowException):  # of a worker, which puts it into quarantine
            clip.read()


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            "tar",
            "corpus.tar",
            lambda: _corpora("webdataset", "00000.tar"),
            _read_corpus,
            error=ToolkitError,
        ),
        Target(
            "parquet",
            "corpus.parquet",
            lambda: _corpora("parquet", "00000.parquet"),
            _read_corpus,
            error=ToolkitError,
        ),
        Target(
            "clips",
            "corpus.jsonl",
            lambda: [b'{"path": "a.wav", "text": "words"}\n{"audio": "b.wav", "n": 1}\n'],
            _read_corpus,
            error=ToolkitError,
        ),
        Target(
            "manifest",
            bundles.NAME,
            _manifests,
            lambda path: bundles.load(path.parent),
            either(on_json, on_json, on_bytes),
        ),
        Target(
            "bundle",
            bundles.NAME,
            _tiny_manifests,
            lambda path: Restorer.load(path.parent, threads=1),
            either(on_json, on_json, on_bytes),
            surround=graphs.write_bundle,
        ),
        Target(
            "graph",
            graphs.ENCODER,
            _graphs,
            _run_graph,
            either(on_message(graphs.message), on_bytes),
            error=ToolkitError,
            surround=graphs.write_bundle,
        ),
        Target(
            "weights",
            "component.safetensors",
            lambda: [_checkpoint()],
            stored_tensors,
            either(on_safetensors, on_bytes),
        ),
        Target(
            "checkpoint",
            "encoder.safetensors",
            lambda: [_checkpoint()],
            lambda path: open_component(path, "encoder"),
            either(on_safetensors, on_safetensors, on_bytes),
        ),
        Target(
            "calibration",
            "calibration.safetensors",
            _calibrations,
            store.load,
            either(on_safetensors, on_safetensors, on_bytes),
        ),
        Target("golden", "golden.npz", _goldens, golden.read, either(on_archive, on_bytes)),
        Target(
            "mil",
            _PROGRAM,
            lambda: [_packaged(_PROGRAM)],
            _run_package,
            either(on_message(graphs.specification), on_bytes),
            error=ToolkitError,
            surround=_package,
        ),
        Target(
            "mil-weights",
            _BLOBS,
            lambda: [_packaged(_BLOBS)],
            _run_package,
            error=ToolkitError,
            surround=_package,
        ),
        Target("audio", "recording", _recordings, _heard, error=AudioError),
    )
}
