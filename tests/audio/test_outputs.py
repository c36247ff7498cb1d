"""Every form that is accepted is written, and what cannot be written is refused before the work."""

from __future__ import annotations

from pathlib import Path

import av
import made_files as made
import numpy as np
import pytest
from command_line import Run

from hiresldm.audio.files import Wanted, opened
from hiresldm.audio.formats import WRITE_FORMATS
from hiresldm.audio.reading.reader import AudioReader
from hiresldm.audio.writing.writer import AudioWriter, Form, check_form
from hiresldm.core.errors import ToolkitError, UsageError
from hiresldm.core.spec import Array

RATE_HZ = 48_000


def _hum(channels: int) -> Array:
    """A hum in every channel, each one louder than the one before it."""
    wave = np.sin(2 * np.pi * 50 * np.arange(RATE_HZ // 4) / RATE_HZ)
    levels = 0.9 * np.arange(1, channels + 1) / channels
    return np.asarray(wave[:, None] * levels, np.float32)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("suffix", WRITE_FORMATS)
def test_channels_keep_their_places(tmp_path: Path, suffix: str, channels: int) -> None:
    if channels > WRITE_FORMATS[suffix].channels:
        pytest.skip("more than it holds")
    wave, out = _hum(channels), tmp_path / f"out{suffix}"
    with AudioWriter(out, channels=channels) as writer:
        writer.write(wave)
    read = np.concatenate(list(AudioReader(out)))
    loud, wanted = (np.square(x[4800:9600]).mean(axis=0) ** 0.5 for x in (read, wave))
    assert loud == pytest.approx(wanted, rel=0.25)  # codecs have their way with the bass channel
    assert list(loud) == sorted(loud)


@pytest.mark.parametrize("channels", [1, 8])
@pytest.mark.parametrize("suffix", [s for s, form in WRITE_FORMATS.items() if form.bitrates_kbps])
def test_every_accepted_bit_rate_is_written(tmp_path: Path, suffix: str, channels: int) -> None:
    low, high = WRITE_FORMATS[suffix].bitrates_kbps or (0, 0)
    wave, out = _hum(min(channels, WRITE_FORMATS[suffix].channels)), tmp_path / f"out{suffix}"
    written = []
    for kbps in (low, 64, 256, 257, high):
        form = Form(bitrate_kbps=kbps)
        try:
            check_form(out, wave.shape[1], form)
        except UsageError:
            continue
        with AudioWriter(out, channels=wave.shape[1], overwrite=True, form=form) as writer:
            writer.write(wave)
        written.append(kbps)
    assert written[:3] == [low, 64, 256]


@pytest.mark.parametrize("suffix", [s for s, form in WRITE_FORMATS.items() if form.muxed])
def test_a_moment_is_written_at_another_rate(tmp_path: Path, suffix: str) -> None:
    """A resampler gives nothing yet for so little, and encoders take no block of nothing."""
    out = tmp_path / f"out{suffix}"
    with AudioWriter(out, channels=1, form=Form(24_000)) as writer:
        writer.write(_hum(1)[:100])
    assert sum(map(len, AudioReader(out))) > 0


@pytest.mark.parametrize(
    ("suffix", "most_hz"), [(".ogg", 200_000), (".flac", 655_350), (".wav", 768_000)]
)
def test_rates_past_what_a_codec_takes_are_refused(
    tmp_path: Path, suffix: str, most_hz: int
) -> None:
    """Past its highest rate libvorbis ends the process."""
    out = tmp_path / f"out{suffix}"
    with AudioWriter(out, channels=1, form=Form(most_hz)) as writer:
        writer.write(_hum(1))
    assert AudioReader(out).sample_rate_hz == most_hz
    if suffix != ".wav":
        with pytest.raises(UsageError, match=f"accepted: up to {most_hz}"):
            check_form(out, 1, Form(most_hz + 10))


def _vp9(path: Path, speech: Array) -> None:
    with av.open(str(path), "w") as out:
        seen = out.add_stream("libvpx-vp9", rate=10)
        seen.width, seen.height, seen.pix_fmt = 64, 48, "yuv420p"
        heard = out.add_stream("libopus", rate=RATE_HZ, layout="mono")
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
        sound = av.AudioFrame.from_ndarray(speech[None], "flt", "mono")
        sound.sample_rate = RATE_HZ
        for stream, shown in ((seen, frame), (seen, None), (heard, sound), (heard, None)):
            for packet in stream.encode(shown):
                out.mux(packet)


def test_a_picture_that_does_not_fit_is_told_before_the_work(tmp_path: Path, noisy: Array) -> None:
    made.video(tmp_path / "in.mp4", noisy[:4800])
    _vp9(tmp_path / "in.webm", noisy[:4800])
    refused = {}
    for source in ("in.mp4", "in.webm"):
        for suffix in (".mp4", ".mov", ".mkv", ".webm"):
            try:
                opened(tmp_path / source, tmp_path / f"out{suffix}", Wanted())
            except UsageError as error:
                refused[source, suffix] = str(error)
    assert refused.keys() == {("in.mp4", ".webm"), ("in.webm", ".mov")}
    assert all("does not take the picture of" in sentence for sentence in refused.values())


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_film_keeps_its_title_and_the_time_and_place_it_was_taken(
    run: Run, noisy: Array, tmp_path: Path, suffix: str
) -> None:
    made.video(tmp_path / "plain.mp4", noisy[:4800])
    noted = {"title": "A talk", "creation_time": "2020-01-02T03:04:05.000000Z",
             "location": "+48.1000+011.5000/"}  # fmt: skip
    with (
        av.open(str(tmp_path / "plain.mp4")) as given,
        av.open(str(tmp_path / "in.mp4"), "w") as out,
    ):
        out.metadata.update(noted)
        streams = [out.add_stream_from_template(stream) for stream in given.streams]
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    assert run(tmp_path / "in.mp4", tmp_path / f"out{suffix}").code == 0
    with av.open(str(tmp_path / f"out{suffix}")) as file:
        found = {name.lower(): words for name, words in file.metadata.items()}
    assert found.items() >= noted.items()


def test_subtitles_that_are_left_out_are_told(run: Run, noisy: Array, tmp_path: Path) -> None:
    made.video(tmp_path / "plain.mkv", noisy[:4800])
    with (
        av.open(str(tmp_path / "plain.mkv")) as given,
        av.open(str(tmp_path / "in.mkv"), "w") as out,
    ):
        streams = [out.add_stream_from_template(stream) for stream in given.streams]
        words = av.Packet(b"hello")
        words.stream, words.pts, words.dts, words.duration = out.add_mux_stream("subrip"), 0, 0, 9
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
        out.mux(words)
    assert "has subtitles, which were left out" in run(tmp_path / "in.mkv", tmp_path / "o.mp4").err
    assert "subtitles" not in run(tmp_path / "in.mkv", tmp_path / "o.wav").err


@pytest.mark.parametrize("name", ["n" * 300 + ".wav", "a\0b.wav"])
def test_names_that_no_system_takes_are_refused(tmp_path: Path, name: str) -> None:
    for source, target in ((name, "o.wav"), ("in.wav", name)):
        with pytest.raises(ToolkitError):
            opened(tmp_path / source, tmp_path / target, Wanted())


def test_forms_are_taken_as_people_write_them(tmp_path: Path, noisy: Array) -> None:
    (tmp_path / "in.wav").write_bytes(made.wav(noisy[:480]))
    paths = tmp_path / "in.wav", tmp_path / "o.wav"
    depth, rate, share = 16, "128", "a"
    assert opened(*paths, Wanted(form=Form(depth=depth)))[1].depth == "16"  # type: ignore[arg-type]
    for wanted in (Wanted(form=Form(bitrate_kbps=rate)), Wanted(strength=share)):  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="of type str; accepted are"):
            opened(*paths, wanted)
