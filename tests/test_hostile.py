"""Files that somebody else may have written: read, or refused in one sentence, whatever they say.

The fuzzers behind the last test run longer by hand: `python -m tests.fuzz --executions 100000`.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz import graphs
from fuzz.target import Trial
from fuzz.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

import hiresldm
from hiresldm.core import manifest as bundles
from hiresldm.core.errors import IntegrityError, ToolkitError
from hiresldm.core.memory import peak_bytes
from hiresldm.core.weights import stored_tensors, weights_file
from hiresldm.parity import golden
from hiresldm.reference.config import EDGE
from hiresldm.reference.model import open_part
from hiresldm.runtimes import on_mil
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

LITTLE_BYTES = 96 << 20


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A whole bundle of a few kilobytes."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    graphs.write_bundle(folder)
    return folder


def edit(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / bundles.NAME
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def first(values: dict[str, Any], **changes: Any) -> None:
    values["artifacts"][0].update(changes)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda v: v["front"].update(n_fft=10**9), "a n_fft of 1000000000 is not possible"),
        (lambda v: v["front"].update(hop=1), "a hop of 1 is"),
        (lambda v: v["front"].update(hop=True), "front.hop is True, not a whole number"),
        (lambda v: v["front"].update(compression=float("nan")), "NaN is not a number of JSON"),
        (lambda v: v["front"].update(loudness_lufs=1e309), "Infinity is not a number"),
        (lambda v: v["front"].update(mel_bands=2**64), "front.mel_bands is 18446744073709551616"),
        (lambda v: v["front"].update(sample_rate_hz=16_000), "sample_rate_hz of 16000"),
        (lambda v: v.update(sampler=[[1.0]]), "sampler is .* not an object"),
        (lambda v: v.update(sampler={"one": [1.0]}), "'one', not a whole number"),
        (lambda v: v.update(sampler={"1": [0.0]}), r"sampler\.1 is not 1 times that fall"),
        (lambda v: v.update(sampler={"1": [1.0, 0.5]}), r"sampler\.1 is not 1 times"),
        (lambda v: v.update(sampler={"1": [1.0], "0": []}), r"sampler\.0 is not 0 times"),
        (lambda v: first(v, buckets=[10**9]), "do not rise from 1 to 10000"),
        (lambda v: first(v, buckets=[64, 32]), "do not rise"),
        (lambda v: first(v, inputs="spectrum"), r"artifacts\[0\].inputs is 'spectrum', not a list"),
        (lambda v: first(v, tools={"torch": None}), "tools.torch is None, not text"),
        (lambda v: first(v, data=nested(900)), r"artifacts\[0\].data"),
        (lambda v: first(v, path="C:/windows"), "leads out"),
        (lambda v: first(v, path="a\\..\\b"), "leads out"),
        (lambda v: first(v, path="."), "leads out"),
        (lambda v: first(v, path="a\0b"), "not a name of a file"),
        (lambda v: first(v, path="\ud800"), "not a name of a file"),
        (lambda v: first(v, path="x" * 300), "cannot be read: File name too long"),
        (lambda v: first(v, path="encoder.onnx/x"), "cannot be read: Not a directory"),
        (lambda v: first(v, sha256="0" * 63), "64 hexadecimal digits"),
        (lambda v: first(v, sha256="0" * 64), "altered or truncated"),
        (lambda v: v.update(version=True), "version True; this reader knows 1"),
        (lambda v: v.update(version="1"), "version '1'"),
        (lambda v: v.update(artifacts=[]), "holds no recovery"),
    ],
)
def test_a_manifest_whose_values_cannot_be_is_refused_by_name(
    bundle: Path, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    edit(bundle, change)
    with pytest.raises(IntegrityError, match=sentence) as caught:
        hiresldm.Restorer.load(bundle)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("9" * 5000, "Exceeds the limit"),
        ("[]", "version None"),
        ("", "Expecting value"),
        ("\ufeff{}", "BOM"),
        ('{"version": 1, "version": 1}', "'version' stands twice"),
    ],
)
def test_text_that_is_no_manifest_is_refused(bundle: Path, text: str, sentence: str) -> None:
    (bundle / bundles.NAME).write_text(text, encoding="utf-8")
    with pytest.raises(IntegrityError, match=sentence):
        bundles.load(bundle)


def test_hashes_put_in_each_others_places_are_found(bundle: Path) -> None:
    def swap(values: dict[str, Any]) -> None:
        one, other = values["artifacts"][:2]
        one["sha256"], other["sha256"] = other["sha256"], one["sha256"]

    edit(bundle, swap)
    with pytest.raises(IntegrityError, match="altered or truncated"):
        hiresldm.Restorer.load(bundle)


@pytest.mark.parametrize("file", [bundles.NAME, graphs.ENCODER, "encoder.bin"])
def test_a_bundle_cut_at_any_tenth_is_refused(bundle: Path, file: str) -> None:
    whole = (bundle / file).read_bytes()
    for tenth in range(10):
        (bundle / file).write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(IntegrityError, match=file):
            hiresldm.Restorer.load(bundle)


@pytest.mark.skipif("os.name == 'nt'", reason="Windows has no such files")
def test_links_are_taken_by_what_they_hold_and_never_followed_into_folders(bundle: Path) -> None:
    encoder, elsewhere = bundle / graphs.ENCODER, bundle.parent / "elsewhere"
    encoder.rename(elsewhere)
    os.link(elsewhere, encoder)
    hiresldm.Restorer.load(bundle)
    encoder.unlink()
    for target, sentence in ((encoder, "cannot be read"), (Path("/dev/zero"), "neither a file")):
        encoder.symlink_to(target)
        with pytest.raises(IntegrityError, match=sentence):
            hiresldm.Restorer.load(bundle)
        encoder.unlink()
    encoder.mkdir()
    (encoder / "inside").symlink_to(bundle.parent)
    with pytest.raises(IntegrityError, match="neither a file"):
        hiresldm.Restorer.load(bundle)


@pytest.mark.skipif("os.name == 'nt'", reason="Windows has no such files")
def test_a_pipe_in_the_place_of_a_file_does_not_stop_the_program(bundle: Path) -> None:
    for name in (graphs.ENCODER, bundles.NAME):
        (bundle / name).unlink()
        os.mkfifo(bundle / name)
        with pytest.raises(IntegrityError, match="neither a file"):
            hiresldm.Restorer.load(bundle)


def test_a_graph_that_gives_something_else_is_an_integrity_error(bundle: Path) -> None:
    wave = np.full(960, 0.1, np.float32)
    assert hiresldm.Restorer.load(bundle)(wave, 48_000).shape == (960,)
    (bundle / "denoiser.onnx").write_bytes((bundle / "decoder.onnx").read_bytes())
    graphs.write_manifest(bundle)
    with pytest.raises(ToolkitError, match="denoiser takes"):
        hiresldm.Restorer.load(bundle)(wave, 48_000)
    graphs.write_bundle(bundle)
    graph = (bundle / graphs.ENCODER).read_bytes()
    (bundle / graphs.ENCODER).write_bytes(graph.replace(b"latent", b"patent"))
    graphs.write_manifest(bundle)
    with pytest.raises(IntegrityError, match=r"encoder gives \['patent'\]; latent is needed"):
        hiresldm.Restorer.load(bundle)(wave, 48_000)


def test_weights_outside_of_the_bundle_are_not_read(bundle: Path) -> None:
    (bundle / "encoder.bin").rename(bundle.parent / "encoder.bin")
    (bundle / "encoder.bin").write_bytes(b"")
    model = graphs.message()
    model.ParseFromString((bundle / graphs.ENCODER).read_bytes())
    (weight,) = [w for w in model.graph.initializer if w.external_data]
    weight.external_data[0].value = "../encoder.bin"
    (bundle / graphs.ENCODER).write_bytes(model.SerializeToString())
    graphs.write_manifest(bundle)
    with pytest.raises(IntegrityError, match=r"cannot be opened by onnxruntime"):
        hiresldm.Restorer.load(bundle)


def safetensors(header: Any, data: bytes = b"", *, told: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if told is None else told) + text + data


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no readable weights"),
        (b"\x01\x02", "no readable weights"),
        (safetensors({}, told=10**9), "a header of 1000000000 bytes in a file of 10"),
        (safetensors({}, told=2**64 - 1), "a header of 18446744073709551615 bytes"),
        (safetensors([]), "the header is no object"),
        (safetensors(nested(900)), "the header is no object"),
        (safetensors({"a": {}}), "a.dtype is missing"),
        (
            safetensors({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}),
            "to 4000000087 of a file of 87",
        ),
        (safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}), "a tensor"),
        (safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}), "2 offsets"),
    ],
)
def test_weights_are_believed_as_far_as_the_file_reaches(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "part.safetensors"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=sentence):
        stored_tensors(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"decoder": {"dim": 10**12, "hidden": 10**12, "dilations": [1]}},
        {"encoder": {"dim": 10**6, "hidden": 10**6, "dilations": [1]}},
        {"encoder": {"dim": -1, "hidden": 8, "dilations": [1]}},
        {"encoder": {"dim": 8, "hidden": 8, "dilations": [10**9]}},
        {"encoder": [8]},
        {"encoder": None},
        {"name": 5},
        {"front": {"n_fft": 10**9}},
        {"recovery_low": {"count": 10**12, "bins": 0}},
    ],
)
def test_sizes_that_a_checkpoint_claims_take_no_memory(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    content = weights_file(EMBEDDED_BUNDLE, "encoder").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    config = json.loads(EDGE.to_json()) | changes
    header["__metadata__"]["config"] = json.dumps(config)
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(safetensors(header, content[8 + length :]))
    before = peak_bytes() or 0
    with pytest.raises(IntegrityError, match=r"encoder\.safetensors: "):
        open_part(path, "encoder")
    assert (peak_bytes() or 0) - before < LITTLE_BYTES


def npz(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return made.getvalue()


def npy(shape: str, dtype: str = "'<i2'", data: bytes = b"") -> bytes:
    words = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words + data


@pytest.mark.parametrize(
    "content",
    [
        b"no archive",
        npz(),
        npz(wave=b"no array"),
        npz(wave=npy("(1000000000,)")),
        npz(wave=npy("(10000000000000000,)")),
        npz(wave=npy("(-1,)")),
        npz(wave=npy("(" * 200)),
        npz(wave=npy("(2,)", "'|O'", b"\x80\x04N.")),
        npz(wave=npy("(2,)", "'<c8'", bytes(16))),
        npz(wave=npy("(1,)", data=b"\0\0"), x=npy("(1, 1)", "'<f4'", bytes(4))),
        npz(wave=npy("(35000000,)", data=bytes(70_000_000))),
    ],
)
def test_golden_vectors_take_the_memory_of_what_is_there(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "golden.npz"
    path.write_bytes(content)
    before = peak_bytes() or 0
    with pytest.raises(IntegrityError, match=r"golden\.npz: not golden vectors: "):
        golden.read(path)
    assert (peak_bytes() or 0) - before < LITTLE_BYTES


def test_a_core_ml_package_is_not_led_out_of_itself(tmp_path: Path) -> None:
    """Its list of contents may name any file; the program lies where it always lies."""
    package = tmp_path / "toy.mlpackage"
    graphs.write_package(package)
    listed = package / "Manifest.json"
    listed.write_text(listed.read_text().replace("com.apple.CoreML/model.mlmodel", "../../x"))
    artifact = graphs.packaged(package)
    x = np.ones(graphs.PACKAGE_INPUT, np.float32)
    assert on_mil.load(artifact, tmp_path, threads=1)({"x": x})["y"].shape == x.shape


@pytest.fixture(scope="session")
def trials(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Trial, list[bytes]]]:
    """A trial of every target and its seeds, made when first asked for."""
    made: dict[str, tuple[Trial, list[bytes]]] = {}
    for name, target in TARGETS.items():
        folder = tmp_path_factory.mktemp(name)
        made[name] = Trial(target, folder, folder / "findings"), list(target.seeds())
    return made


@pytest.mark.parametrize("name", TARGETS)
def test_a_file_that_is_whole_is_read(
    trials: dict[str, tuple[Trial, list[bytes]]], name: str
) -> None:
    trial, seeds = trials[name]
    assert [trial(data) for data in seeds] == ["read"] * len(seeds)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(drawn=st.integers(0, 2**32 - 1))
def test_whatever_a_file_holds_ends_in_a_result_or_in_one_sentence(
    trials: dict[str, tuple[Trial, list[bytes]]], name: str, drawn: int
) -> None:
    trial, seeds = trials[name]
    rng = random.Random(drawn)
    outcome = trial(trial.target.mutate(rng.choice(seeds), rng))
    assert outcome, trial.found
