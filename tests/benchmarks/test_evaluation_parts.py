"""Recorded clips, word errors, cepstra, and the page with clips to hear."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from PIL import Image

from hiresldm.benchmarks.experiments import ablations
from hiresldm.benchmarks.quality.metrics import cepstra, transcripts
from hiresldm.benchmarks.quality.sources import RECORDED, source_of
from hiresldm.cli.main import main
from hiresldm.core.errors import UsageError
from hiresldm.core.signal.metrics import bandwidth_hz
from hiresldm.core.spec import Array
from hiresldm.families.hiresldm.frontend import FrontEnd, istft, mel_centres_hz, stft

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def folders(speech: Array, noisy: Array, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips in `clean` and in `degraded`, one of them in a folder `street`."""
    root = tmp_path_factory.mktemp("recorded")
    for side, wave in (("clean", speech), ("degraded", noisy)):
        (root / side / "street").mkdir(parents=True)
        soundfile.write(root / side / "a.flac", wave[: 2 * RATE_HZ], RATE_HZ)
        soundfile.write(root / side / "street" / "b.flac", wave[RATE_HZ : 3 * RATE_HZ], RATE_HZ)
    return root


def test_recorded_clips_are_paired_by_name(folders: Path, speech: Array) -> None:
    source = source_of(
        None, "test", seed=0, per_class=1, degraded=folders / "degraded", clean=folders / "clean"
    )
    made = list(source.pairs)
    assert (source.count, source.referenced) == (2, True)
    assert [(pair.kind, pair.name) for pair in made] == [(RECORDED, "a"), ("street", "b")]
    assert np.allclose(made[0].reference, speech[: 2 * RATE_HZ], atol=1e-4)
    assert not np.array_equal(made[0].damaged, made[0].reference)
    assert made[0].bandwidth_hz > 20_000


def test_unsuitable_folders_are_refused(folders: Path, speech: Array, tmp_path: Path) -> None:
    def clips(**folder: Path) -> list[object]:
        return list(source_of(None, "test", seed=0, per_class=1, **folder).pairs)

    with pytest.raises(UsageError, match="no audio files"):
        clips(degraded=tmp_path)
    with pytest.raises(UsageError, match=r"has no a\.flac"):
        clips(degraded=folders / "degraded", clean=tmp_path)
    soundfile.write(tmp_path / "a.flac", speech[: 3 * RATE_HZ], RATE_HZ)
    with pytest.raises(UsageError, match="144000 samples at 48 kHz and its clean version 96000"):
        clips(degraded=tmp_path, clean=folders / "clean")
    soundfile.write(tmp_path / "a.flac", speech[:1000], RATE_HZ)
    with pytest.raises(UsageError, match="shorter than the 1 s"):
        clips(degraded=tmp_path)
    with pytest.raises(UsageError, match="either as --data, or as --degraded"):
        clips()


def test_bandwidth_is_where_the_sound_ends(speech: Array) -> None:
    assert bandwidth_hz(speech) > 20_000
    narrow = soxr.resample(soxr.resample(speech, RATE_HZ, 16_000), 16_000, RATE_HZ)
    assert 7000 < bandwidth_hz(narrow) <= 8000


def test_edits_are_counted_as_few_as_can_be() -> None:
    assert transcripts.edits("kitten", "kitten") == 0
    assert transcripts.edits("kitten", "") == transcripts.edits("", "kitten") == 6
    assert transcripts.edits("kitten", "sitting") == 3  # two letters for others, one more
    assert transcripts.edits(["the", "club"], ["club", "the"]) == 2


def test_the_cepstral_distance_of_a_tilt_is_known(speech: Array) -> None:
    # A filter whose log response is one cosine over the bands moves one cepstrum alone.
    centres = mel_centres_hz(FrontEnd(mel_bands=80))
    ripple_db = 3 * np.cos(np.pi * 2 * (np.arange(80) + 0.5) / 80)
    hz = np.fft.rfftfreq(len(speech), 1 / RATE_HZ)
    gain = 10 ** (np.interp(hz, centres, ripple_db) / 20)
    made = np.fft.irfft(np.fft.rfft(speech) * gain, len(speech)).astype(np.float32)
    distance = cepstra.mcd(speech, made, bandwidth_hz=24_000.0)
    assert distance == pytest.approx(3 / np.sqrt(2), rel=0.1)  # the ripple's RMS


def test_the_page_holds_every_version_to_hear_and_to_see(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html, out = tmp_path / "report.html", tmp_path / "result.json"
    with pytest.raises(SystemExit) as stop:
        main(
            ["evaluate", "--degraded", str(folders / "degraded"), "--clean", str(folders / "clean"),
             "--metrics", "lsd", "--steps", "1", "--threads", "1", "--listen", "1",
             "--html", str(html), "--report", str(out), "--quiet"]
        )  # fmt: skip
    assert stop.value.code == 0 and not capsys.readouterr().out
    text = html.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=.(?!data:)", text)
    titles = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert titles == 2 * ["input", "recovery", "autoencoder", "pipeline, 1 step", "clean"]
    sounds = [base64.b64decode(one) for one in re.findall(r"audio/ogg;base64,([^\"]+)", text)]
    wave, rate = soundfile.read(io.BytesIO(sounds[0]))
    assert (len(sounds), rate, len(wave)) == (10, RATE_HZ, 2 * RATE_HZ)
    picture = base64.b64decode(re.findall(r"image/webp;base64,([^\"]+)", text)[0])
    assert Image.open(io.BytesIO(picture)).size == (420, 210)
    rows = json.loads(out.read_text())["rows"]
    assert {row["class"] for row in rows} == {"all", RECORDED, "street"}
    assert f"{rows[1]['lsd']['mean']:.2f}" in text


def test_other_phases_keep_the_magnitudes(speech: Array) -> None:
    front = FrontEnd()
    spectrum = stft(speech[:48_000], front)
    noise = stft(np.random.default_rng(0).standard_normal(48_000).astype(np.float32), front)

    def level(x: Array) -> Array:
        return np.hypot(*np.split(x, 2, axis=1))

    as_noise = ablations.as_recovered(spectrum, noise, front)
    assert np.allclose(level(as_noise), level(spectrum), atol=1e-3)
    found = ablations.from_magnitude(spectrum, noise, front)
    # What has found its phases sounds as its magnitudes say; random ones do not.
    errors = [level(stft(istft(x, front), front)) - level(spectrum) for x in (found, as_noise)]
    assert np.square(errors[0]).mean() < 0.3 * np.square(errors[1]).mean()


def test_a_share_of_the_damaged_speech_is_left_in(speech: Array, noisy: Array) -> None:
    front = FrontEnd()
    damaged, recovered = (stft(wave[:48_000], front) for wave in (noisy, speech))
    half = istft(ablations.left_in(0.5, damaged, recovered, front), front)
    assert np.allclose(half, (noisy[:48_000] + speech[:48_000]) / 2, atol=1e-4)


def test_a_post_filter_turns_down_what_is_turned_down_already(speech: Array) -> None:
    front = FrontEnd()
    spectrum = stft(speech[:48_000], front)
    for gain, expected in ((1.0, 1.0), (0.1, 0.1 * np.sin(0.05 * np.pi)), (0.0, 0.0)):
        recovered = stft(np.float32(gain) * speech[:48_000], front)
        made = istft(ablations.post_filtered(1.0, spectrum, recovered, front), front)
        assert np.allclose(made, expected * speech[:48_000], atol=1e-4)
        kept = ablations.post_filtered(0.0, spectrum, recovered, front)
        assert np.array_equal(kept, recovered)
