"""Bundles that somebody else may have written: opened, or refused in one sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz import graphs

import hiresldm
from hiresldm.core.bundle import manifest as bundles
from hiresldm.core.errors import IntegrityError, ToolkitError


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


def host(values: dict[str, Any], **changes: Any) -> None:
    values["host"].update(changes)


def front(values: dict[str, Any], **changes: Any) -> None:
    values["host"]["front"].update(changes)


def first(values: dict[str, Any], **changes: Any) -> None:
    values["artifacts"][0].update(changes)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda v: front(v, n_fft=10**9), "a n_fft of 1000000000 is not possible"),
        (lambda v: front(v, hop=1), "a hop of 1 is"),
        (lambda v: front(v, hop=True), "front.hop is True, not a whole number"),
        (
            lambda v: front(v, compression=float("nan")),
            "NaN is not a number of JSON",
        ),
        (lambda v: front(v, loudness_lufs=1e309), "Infinity is not a number"),
        (
            lambda v: front(v, mel_bands=2**63),
            "front.mel_bands is 9223372036854775808",
        ),
        (lambda v: front(v, sample_rate_hz=16_000), "sample_rate_hz of 16000"),
        (lambda v: host(v, schedules=[[1.0]]), "schedules is .* not an object"),
        (lambda v: host(v, schedules={"one": [1.0]}), "'one', not a whole number"),
        (
            lambda v: host(v, schedules={"1": [0.0]}),
            r"schedules\.1 is not 1 times that fall",
        ),
        (lambda v: host(v, schedules={"1": [1.0, 0.5]}), r"schedules\.1 is not 1 times"),
        (
            lambda v: host(v, schedules={"1": [1.0], "0": []}),
            r"schedules\.0 is not 0 times",
        ),
        (lambda v: first(v, enumerated_frames=[10**9]), "do not rise from 1 to 10000"),
        (lambda v: first(v, enumerated_frames=[64, 32]), "do not rise"),
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
        (lambda v: v.update(version=True), "version True; this reader knows 2"),
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
