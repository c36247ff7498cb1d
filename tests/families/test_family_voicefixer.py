"""VoiceFixer as a family: its host and weights against the package's own steps."""

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hiresldm import families
from hiresldm.cli.main import main
from hiresldm.core.errors import BackendMissingError, IntegrityError, UsageError
from hiresldm.core.family import Options
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Array, Arrays
from hiresldm.families.voicefixer import package
from hiresldm.families.voicefixer.host import ADVANCE, HOP, MELS, Host, mel_of, normalized
from hiresldm.families.voicefixer.weights import VOCODER, drawn
from hiresldm.parity import inputs
from hiresldm.runtimes import on_torch

RATE_HZ = 44_100
FAMILY = families.find("voicefixer")
MISSING = [name for name in ("voicefixer", "torchlibrosa", "librosa") if find_spec(name) is None]
needs_package = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed")
nightly = pytest.mark.nightly(reason="minutes")


def noise(frames: int) -> Array:
    wave = np.random.default_rng(frames).standard_normal(frames * HOP)
    return np.asarray(0.1 * wave, np.float32)


def states() -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of both checkpoints, as they are published, with a number each."""
    with torch.device("meta"):
        restorer, vocoder = package.originals()
    ones = {f"generator.{key}": torch.zeros(1) for key in restorer.state_dict()}
    return ones, {"generator": {old(key): torch.zeros(1) for key in vocoder.state_dict()}}


def old(key: str) -> str:
    """The key of a weight norm as the published checkpoint has it."""
    for end, name in (("original0", "weight_g"), ("original1", "weight_v")):
        key = key.replace(f"parametrizations.weight.{end}", name)
    return key


def code_of(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([*map(str, arguments)])
    return int(stop.value.code or 0)


@pytest.mark.parametrize("frames", [1, 64, 65, 200])
def test_the_host_gives_networks_whole_mels_and_gives_back_as_many_samples(frames: int):
    seen: list[tuple[int, ...]] = []

    def analysis(arrays: Arrays) -> dict[str, Array]:
        seen.append(arrays["mel"].shape)
        return {"restored": np.log10(np.maximum(arrays["mel"], 1e-8))}

    def vocoder(arrays: Arrays) -> dict[str, Array]:
        count = arrays["mel"].shape[1] * HOP
        return {"wave": np.arange(count, dtype=np.float32).reshape(1, -1, HOP)}

    run = {"analysis": analysis, "vocoder": vocoder}
    made = Host().process(run, noise(frames), 0, Options(1))
    assert seen == [(1, 1 + max(frames, 64), MELS)]
    np.testing.assert_array_equal(made, np.arange(frames * HOP) + ADVANCE)


def test_what_the_vocoder_takes_is_level_in_decibels_between_minus_4_and_4():
    loud, silent = normalized(np.full((3, MELS), 9.0)), normalized(np.full((3, MELS), -9.0))
    assert loud.shape == (8, MELS)  # an even number, and four of silence
    assert loud[:3].max() == 4.0
    assert (silent == -4.0).all()


@needs_package
def test_the_hosts_mels_are_the_packages():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchlibrosa.stft import STFT

        with package._doors_closed():
            from voicefixer.tools.mel_scale import MelScale
    wave = inputs.speech(RATE_HZ)["noisy"]
    with torch.no_grad():
        real, imaginary = STFT(2048, HOP, 2048, "hann", True, "reflect", True)(
            torch.from_numpy(wave)[None]
        )
        magnitude = torch.sqrt(torch.clamp(real**2 + imaginary**2, 1e-8))
        basis = MelScale(n_mels=MELS, sample_rate=RATE_HZ, n_stft=1025).fb
        wanted = torch.matmul(magnitude, basis)[0, 0].numpy()
    assert snr_db(wanted, mel_of(wave)) >= 100.0


@needs_package
def test_a_checkpoint_that_lacks_a_weight_is_told_by_its_name(tmp_path: Path):
    assert FAMILY.published
    path, (analysis, vocoder) = tmp_path / "vf.ckpt", states()
    torch.save(vocoder, tmp_path / VOCODER)
    torch.save(analysis, path)
    with pytest.raises(IntegrityError, match="of another network"):
        FAMILY.published(path)  # as many keys, of other shapes
    del analysis["generator.unet.after_conv2.weight"]
    torch.save(analysis, path)
    with pytest.raises(IntegrityError, match=r"lacks the weight generator\.unet\.after_conv2\.w"):
        FAMILY.published(path)


@needs_package
def test_the_vocoders_checkpoint_must_lie_beside_the_other(tmp_path: Path):
    assert FAMILY.published
    path = tmp_path / "vf.ckpt"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(UsageError, match=VOCODER):
        FAMILY.published(path)
    (tmp_path / VOCODER).write_bytes(b"no checkpoint")
    with pytest.raises(IntegrityError, match="not a checkpoint"):
        FAMILY.published(path)


@needs_package
def test_an_outline_takes_no_memory_and_no_values():
    model = FAMILY.outline("{}")
    assert {value.device.type for value in model.state_dict().values()} == {"meta"}
    with pytest.raises(ValueError, match="no sizes"):
        FAMILY.outline('{"dim": 3}')


def test_without_the_package_the_command_that_installs_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(package, "find_spec", lambda _: None)
    with pytest.raises(BackendMissingError, match=r"pip install 'hiresldm\[families\]'"):
        FAMILY.untrained(None)


@nightly
@needs_package
def test_checkpoints_and_the_host_compute_what_the_package_computes(tmp_path: Path):
    restorer, vocoder = (module.eval() for module in drawn())
    path, published = tmp_path / "vf.ckpt", FAMILY.published
    assert published
    torch.save({f"generator.{key}": value for key, value in restorer.state_dict().items()}, path)
    held = {old(key): value for key, value in vocoder.state_dict().items()}
    torch.save({"generator": held}, tmp_path / VOCODER)
    frames = 129  # an odd number: the package then cuts off as much as the host does
    wave = noise(frames)
    with package._doors_closed():
        from voicefixer.tools.pytorch_util import from_log
        from voicefixer.vocoder.config import Config
        from voicefixer.vocoder.model.util import tr_amp_to_db, tr_normalize, tr_pre
    with torch.no_grad():
        mel = torch.from_numpy(mel_of(wave))[None, None]
        log_mel = restorer(None, mel)["mel"]
        weighted = torch.abs(from_log(log_mel) / Config.get_mel_weight_torch(percent=1.0))
        made = vocoder(tr_pre(tr_normalize(tr_amp_to_db(weighted) - 20.0)[:, 0]))[0, 0].numpy()
    half = (len(made) - len(wave)) // 2
    model = published(path)
    ours = model.config.host.process(on_torch.runners(model), wave, 0, Options(1))
    assert half == ADVANCE
    assert snr_db(made[half:][: len(wave)], ours) >= 100.0


@nightly
@needs_package
def test_random_weights_of_full_size_pass_in_every_format(tmp_path: Path):
    arguments = ("--family", "voicefixer", "--untrained", "--formats", "onnx,openvino,coreml")
    out = tmp_path / "out"
    assert code_of("build", out, *arguments, "--precisions", "fp32,int8", "--quiet") == 0
    assert code_of("selftest", out, "--quiet") == 0
    restored = tmp_path / "restored.wav"
    assert code_of("restore", inputs.EXAMPLES / "noisy.wav", restored, "--bundle", out) == 0
