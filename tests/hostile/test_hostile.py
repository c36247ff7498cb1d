"""Files that somebody else may have written: read, or refused in one sentence, whatever they say.

The fuzzers behind the last test run longer by hand: `python -m tests.fuzz --executions 100000`.
"""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz import graphs
from fuzz.memory import Meter
from fuzz.target import Target, Trial
from fuzz.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

from hiresldm.core.bundle.weights import stored_tensors, weights_file
from hiresldm.core.errors import IntegrityError, ToolkitError
from hiresldm.families.checkpoints import open_component
from hiresldm.families.hiresldm.config import EDGE
from hiresldm.parity import golden
from hiresldm.runtimes import on_mil
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

LITTLE_BYTES = 96 << 20


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


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
    path = tmp_path / "component.safetensors"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=sentence):
        stored_tensors(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"decoder": {"dim": 10**12, "hidden": 10**12, "dilations": [1]}},
        {"encoder": {"dim": 10**6, "hidden": 10**6, "dilations": [1]}},
        {"encoder": {"dim": 2**63 - 1, "hidden": 2**62, "dilations": [1]}},
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
    meter = Meter()
    with pytest.raises(IntegrityError, match=r"encoder\.safetensors: "):
        open_component(path, "encoder")
    assert meter.taken_bytes() < LITTLE_BYTES


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
    meter = Meter()
    with pytest.raises(IntegrityError, match=r"golden\.npz: not golden vectors: "):
        golden.read(path)
    assert meter.taken_bytes() < LITTLE_BYTES


def test_a_core_ml_package_is_not_led_out_of_itself(tmp_path: Path) -> None:
    """Its list of contents may name any file; the program lies where it always lies."""
    package = tmp_path / "toy.mlpackage"
    graphs.write_package(package)
    listed = package / "Manifest.json"
    listed.write_text(listed.read_text().replace("com.apple.CoreML/model.mlmodel", "../../x"))
    artifact = graphs.packaged(package)
    x = np.ones(graphs.PACKAGE_INPUT, np.float32)
    assert on_mil.load(artifact, tmp_path, threads=1)({"x": x})["y"].shape == x.shape


def main(model: Any) -> Any:
    """The operations of the program."""
    (block,) = model.mlProgram.functions["main"].block_specializations.values()
    return block.operations


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda model: setattr(model.description.output[0], "name", "z"), "z is the result of no"),
        (lambda model: setattr(main(model)[-1], "type", "re\nlu"), r"type re\\nlu; known"),
        (lambda model: setattr(main(model)[-1], "type", "non_zero"), "type non_zero; known"),
        (lambda model: main(model)[0].ClearField("outputs"), "cannot be read"),
    ],
)
def test_a_program_that_does_not_add_up_is_refused_when_it_is_opened(
    tmp_path: Path, change: Callable[[Any], None], sentence: str
) -> None:
    package = tmp_path / "toy.mlpackage"
    graphs.write_package(package)
    path = package / "Data/com.apple.CoreML/model.mlmodel"
    model = graphs.specification()
    model.ParseFromString(path.read_bytes())
    change(model)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ToolkitError, match=sentence):
        on_mil.load(graphs.packaged(package), tmp_path, threads=1)


def test_an_error_is_one_line_whatever_a_file_is_called() -> None:
    assert str(IntegrityError("a\nb\udc80.wav é")) == r"a\nb\udc80.wav é"


def _greedy(path: Path) -> None:
    np.ones(1 << 28, np.uint8)


def _ends(path: Path) -> None:
    raise KeyError(path)


def _says_it_twice(path: Path) -> None:
    raise IntegrityError(f"{path}: {path} is wrong")


@pytest.mark.parametrize(
    ("read", "fault"),
    [(_ends, "KeyError in"), (_says_it_twice, "a path twice"), (_greedy, "takes 25")],
)
def test_the_judge_sees_what_is_not_as_it_should_be(
    tmp_path: Path, read: Callable[[Path], object], fault: str
) -> None:
    trial = Trial(Target("bad", "input", list, read), tmp_path, tmp_path / "findings")
    assert trial(b"x") == "" and trial.outcomes == {"finding": 1}
    ((told, kept),) = trial.found.items()
    assert told.startswith(fault) and (tmp_path / "findings" / kept).read_bytes() == b"x"


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
