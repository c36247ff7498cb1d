"""Files in and out: exact lengths, no clipping, whole files or none, faults told in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from hiresldm.audio.reading.reader import AudioReader
from hiresldm.audio.writing.writer import PEAK_LIMIT, AudioWriter, Form, check_output, check_space
from hiresldm.core.errors import AudioError, UsageError
from hiresldm.core.signal.rates import RATE_HZ, check_rate, output_frames, resample
from hiresldm.core.spec import Array


@settings(max_examples=25, deadline=None)
@given(
    rate_hz=st.sampled_from([1000, 8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]),
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=6),
    channels=st.integers(1, 3),
)
def test_resampling_ignores_blocks_and_is_exact_in_length(
    rate_hz: int, sizes: list[int], channels: int
) -> None:
    wave = np.random.default_rng(0).standard_normal((sum(sizes), channels)).astype(np.float32)
    blocks = np.split(wave, np.cumsum(sizes)[:-1])
    parted = np.concatenate(list(resample(blocks, rate_hz, channels)))
    assert len(parted) == output_frames(len(wave), rate_hz)
    assert np.array_equal(parted, np.concatenate(list(resample([wave], rate_hz, channels))))


def test_resampling_keeps_a_tone_in_place() -> None:
    def tone(rate_hz: int) -> Array:
        seconds = np.arange(rate_hz) / rate_hz
        return np.sin(2 * np.pi * 1000 * seconds).astype(np.float32)[:, None]

    made = np.concatenate(list(resample([tone(16_000)], 16_000, 1)))
    inside = slice(2000, -2000)
    assert np.abs(made - tone(RATE_HZ))[inside].max() < 1e-4


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".opus", ".aiff"])
def test_formats_are_read_more_than_once(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in{suffix}"
    wave = 0.1 * np.random.default_rng(0).standard_normal((16_000, 2))
    soundfile.write(path, wave, 16_000, format="OGG" if suffix == ".opus" else None,
                    subtype="OPUS" if suffix == ".opus" else None)  # fmt: skip
    reader = AudioReader(path)
    lengths = [sum(len(block) for block in reader) for _ in range(2)]
    rate_hz = RATE_HZ if suffix == ".opus" else 16_000  # Opus decodes to 48 kHz
    assert (reader.channels, reader.sample_rate_hz) == (2, rate_hz)
    assert reader.duration_s == pytest.approx(1.0, abs=0.03 if suffix == ".mp3" else 1e-9)
    assert lengths == [output_frames(round(reader.duration_s * rate_hz), rate_hz)] * 2


def test_unreadable_inputs_are_told(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not audio")
    (tmp_path / "bytes.raw").write_bytes(b"1234")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE_HZ)
    faults = {"absent.wav": "does not exist", ".": "is not a file", "text.wav": "no audio",
              "bytes.raw": "no audio", "empty.wav": "no samples"}  # fmt: skip
    for name, fault in faults.items():
        with pytest.raises(AudioError, match=fault):
            list(AudioReader(tmp_path / name))


def test_zero_hz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zero.wav"
    soundfile.write(path, np.zeros(100), RATE_HZ)
    header = bytearray(path.read_bytes())
    header[24:28] = bytes(4)
    path.write_bytes(header)
    with pytest.raises(AudioError):
        AudioReader(path)
    with pytest.raises(AudioError, match="0 Hz"):
        check_rate(0, "the wave")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "bad.wav"
    wave = np.zeros(RATE_HZ)
    wave[24_000] = bad
    soundfile.write(path, wave, RATE_HZ, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"0\.500 s"):
        list(AudioReader(path))


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_written_audio_is_what_was_given(tmp_path: Path, suffix: str) -> None:
    wave = np.random.default_rng(0).uniform(-0.9, 0.9, (30_000, 2)).astype(np.float32)
    with AudioWriter(tmp_path / f"out{suffix}", channels=2) as writer:
        for block in np.split(wave, [10, 20_000]):
            writer.write(block)
    made, rate_hz = soundfile.read(tmp_path / f"out{suffix}", dtype="float32")
    assert (rate_hz, writer.attenuation_db) == (RATE_HZ, 0.0)
    assert np.abs(made - wave).max() < 2**-23
    assert [path.name for path in tmp_path.iterdir()] == [f"out{suffix}"]


def test_a_peak_is_turned_down_and_told(tmp_path: Path) -> None:
    wave = np.array([[0.5], [-2.0], [1.0]], np.float32)
    with AudioWriter(tmp_path / "out.wav", channels=1) as writer:
        writer.write(wave)
    made, _ = soundfile.read(tmp_path / "out.wav", always_2d=True)
    assert np.allclose(made, wave * PEAK_LIMIT / 2, atol=1e-6)
    assert writer.attenuation_db == pytest.approx(6.03, abs=0.01)


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(tmp_path: Path, fault: type[BaseException]) -> None:
    with pytest.raises(fault), AudioWriter(tmp_path / "out.wav", channels=1) as writer:
        writer.write(np.zeros((100, 1), np.float32))
        raise fault
    assert not list(tmp_path.iterdir())


def test_output_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    bad = np.full((1, 1), np.nan, np.float32)
    with (
        pytest.raises(AudioError, match="not finite"),
        AudioWriter(tmp_path / "o.wav", channels=1) as w,
    ):
        w.write(bad)
    assert not list(tmp_path.iterdir())


def test_impossible_outputs_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    here = tmp_path / "here.wav"
    here.write_bytes(b"kept")
    (tmp_path / "folder.wav").mkdir()
    faults = {"out.txt": "accepted endings", "here.wav": "exists", "folder.wav": "is a folder",
              "none/out.wav": "not a folder", "here.wav/out.wav": "not a folder"}  # fmt: skip
    for name, fault in faults.items():
        with pytest.raises(UsageError, match=fault):
            AudioWriter(tmp_path / name, channels=1)
    with pytest.raises(UsageError, match="the input"):
        check_output(here, source=here, overwrite=True)
    with pytest.raises(UsageError, match=r"2 channels at most and there are 6; choose \.wav"):
        AudioWriter(tmp_path / "out.mp3", channels=6)
    assert here.read_bytes() == b"kept"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "form", "fault"),
    [
        ("o.mp3", Form(depth="16"), "bit depth of 16; accepted: none"),
        ("o.flac", Form(depth="float"), "accepted: 16, 24"),
        ("o.mp3", Form(bitrate_kbps=5), "accepted: 32 to 320 kbit/s"),
        ("o.wav", Form(bitrate_kbps=64), "a bit rate have .mp3 .opus"),
        ("o.opus", Form(sample_rate_hz=44_100), "accepted: 8000, 12000"),
    ],
)
def test_forms_that_a_file_cannot_have_are_refused(
    tmp_path: Path, name: str, form: Form, fault: str
) -> None:
    with pytest.raises(UsageError, match=fault):
        AudioWriter(tmp_path / name, channels=1, form=form)


@pytest.mark.parametrize(
    ("name", "form", "subtype", "rate_hz"),
    [
        ("o.wav", Form(depth="16"), "PCM_16", 48_000),
        ("o.wav", Form(16_000, "float"), "FLOAT", 16_000),
        ("o.flac", Form(44_100), "PCM_24", 44_100),
        ("o.mp3", Form(bitrate_kbps=64), "MPEG_LAYER_III", 48_000),
    ],
)
def test_results_have_the_form_asked_for(
    tmp_path: Path, name: str, form: Form, subtype: str, rate_hz: int
) -> None:
    wave = 0.1 * np.random.default_rng(0).standard_normal((48_000, 1)).astype(np.float32)
    with AudioWriter(tmp_path / name, channels=1, form=form) as writer:
        writer.write(wave)
    made = soundfile.info(tmp_path / name)
    assert (made.subtype, made.samplerate) == (subtype, rate_hz)
    assert made.duration == pytest.approx(1.0, abs=1e-6)
    if form.bitrate_kbps:
        assert (tmp_path / name).stat().st_size == pytest.approx(8000, rel=0.1)


def test_a_result_past_4_gib_is_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hiresldm.audio.writing.writer.LARGEST_WAV", 1000)
    with AudioWriter(tmp_path / "long.wav", channels=1) as writer:
        writer.write(np.zeros((2000, 1), np.float32))
    assert (tmp_path / "long.wav").read_bytes()[:4] == b"RF64"
    assert sum(len(block) for block in AudioReader(tmp_path / "long.wav")) == 2000


def test_a_link_stays_a_link_and_a_file_keeps_its_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "real.wav", tmp_path / "link.wav"
    real.write_bytes(b"old")
    real.chmod(0o600)
    link.symlink_to(real)
    with AudioWriter(link, channels=1, overwrite=True) as writer:
        writer.write(np.zeros((100, 1), np.float32))
    assert link.is_symlink() and soundfile.info(real).frames == 100
    assert real.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"MB are needed on the way and \d+ MB are free"):
        check_space(tmp_path / "o.wav", 10**15, 2)
