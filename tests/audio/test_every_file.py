"""What people really have: every format in, headers that lie, files joined, cut and damaged."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import av
import made_files as made
import mutagen
import numpy as np
import pytest
import soundfile
from command_line import Clip, Run
from fuzz.memory import Meter
from mutagen.flac import FLAC, Picture

from hiresldm.audio.formats import READ_SUFFIXES, WRITE_FORMATS
from hiresldm.audio.reading.reader import AudioReader
from hiresldm.core.errors import AudioError
from hiresldm.core.spec import Array

RATE_HZ = 48_000


@pytest.fixture
def two_s(noisy: Array) -> Array:
    """Two seconds of speech at 48 kHz."""
    return noisy[: 2 * RATE_HZ]


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "wanted_s", "told"),
    [
        ("variable-rate.mp3", 3.0, ""),
        ("open-length.flac", 2.0, ""),
        ("size-zero.wav", 2.0, "its header tells 0.00 s"),
        ("size-unknown.wav", 2.0, "its header tells 0.00 s"),
        ("joined.mp3", 4.0, "its header tells 2.04 s"),
        ("joined.ogg", 4.0, "its header tells 2.00 s"),
        ("joined.opus", 4.0, "its header tells 2.00 s"),
        ("joined.flac", 4.0, "its header tells 2.00 s"),
        ("joined.wav", 2.0, "is followed by another WAV file, which was not read"),
        ("cut.wav", 1.0, "its header tells 2.00 s"),
        ("cut.ogg", 1.5, "ends in the middle of a page"),
    ],
)
def test_what_a_file_holds_is_read_whatever_its_header_says(
    two_s: Array, tmp_path: Path, name: str, wanted_s: float, told: str
) -> None:
    contents = {
        "variable-rate.mp3": lambda: made.variable_rate_mp3(two_s),
        "open-length.flac": lambda: made.flac_of_open_length(two_s),
        "size-zero.wav": lambda: made.wav_of_size(two_s, 0),
        "size-unknown.wav": lambda: made.wav_of_size(two_s, 0xFFFFFFFF),
        "joined.mp3": lambda: 2 * made.encoded(two_s, "mp3", "libmp3lame"),
        "joined.ogg": lambda: 2 * made.ogg(two_s),
        "joined.opus": lambda: 2 * made.encoded(two_s, "ogg", "libopus"),
        "joined.flac": lambda: 2 * made.encoded(two_s, "flac", "flac"),
        "joined.wav": lambda: 2 * made.wav(two_s),
        "cut.wav": lambda: made.wav(two_s)[: 44 + RATE_HZ * 2],
        "cut.ogg": lambda: made.ogg(two_s)[:-3000],
    }
    reader = AudioReader(written(tmp_path, name, contents[name]()))
    read_s = sum(len(block) for block in reader) / RATE_HZ
    assert read_s == pytest.approx(wanted_s, abs=0.07) == reader.duration_s
    assert (told in " ".join(reader.warnings)) and bool(reader.warnings) == bool(told)


@pytest.mark.parametrize(
    ("name", "muxer", "codec", "rate_hz", "bits"),
    [
        ("phone.m4a", "ipod", "aac", 48_000, "64000"),
        ("film.mp4", "mp4", "aac", 44_100, "64000"),
        ("old.3gp", "3gp", "libopencore_amrnb", 8000, "12200"),
        ("memo.amr", "amr", "libopencore_amrnb", 8000, "12200"),
        ("call.webm", "webm", "libopus", 48_000, "32000"),
        ("studio.mka", "matroska", "flac", 96_000, "0"),
        ("office.wma", "asf", "wmav2", 44_100, "64000"),
        ("radio.aac", "adts", "aac", 48_000, "64000"),
        ("message.opus", "ogg", "libopus", 16_000, "24000"),
    ],
)
def test_what_phones_and_messengers_make_is_restored(
    run: Run,
    two_s: Array,
    tmp_path: Path,
    name: str,
    muxer: str,
    codec: str,
    rate_hz: int,
    bits: str,
) -> None:
    content = made.encoded(two_s[:RATE_HZ], muxer, codec, rate_hz=rate_hz, coding={"b": bits})
    outcome = run(written(tmp_path, name, content), tmp_path / "out.wav", "--json")
    (file,) = json.loads(outcome.out)["files"]
    assert (outcome.code, file["warnings"]) == (0, [])
    assert file["duration_s"] == pytest.approx(1.0, abs=0.05)
    assert soundfile.info(tmp_path / "out.wav").duration == pytest.approx(
        file["duration_s"], abs=1e-3
    )


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".opus", ".m4a"])
def test_every_format_is_written_in_the_length_of_the_input(
    run: Run,
    clip: Clip,
    tmp_path: Path,
    suffix: str,
) -> None:
    assert run(clip(channels=2), tmp_path / f"out{suffix}").code == 0
    reader = AudioReader(tmp_path / f"out{suffix}")
    frames = sum(len(block) for block in reader)
    assert reader.channels == 2
    assert 0 <= frames - 24_000 < (1024 if suffix == ".m4a" else 1)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_video_keeps_its_picture_and_its_sound_stays_in_time(
    run: Run,
    two_s: Array,
    tmp_path: Path,
    suffix: str,
) -> None:
    made.video(tmp_path / "in.mp4", two_s[: 3 * RATE_HZ // 2])
    assert run(tmp_path / "in.mp4", tmp_path / f"out{suffix}").code == 0

    def packets(path: Path) -> tuple[list[bytes], float]:
        with av.open(str(path)) as file:
            seen = [bytes(packet) for packet in file.demux(video=0) if packet.size]
        with av.open(str(path)) as file:
            return seen, float(next(file.decode(audio=0)).time or 0)

    assert "does not take the picture" in run(tmp_path / "in.mp4", tmp_path / "out.webm").err
    (given, given_s), (got, got_s) = (
        packets(tmp_path / "in.mp4"),
        packets(tmp_path / f"out{suffix}"),
    )
    assert given == got and len(got) == 20
    assert got_s == pytest.approx(given_s, abs=0.05)


def test_tags_cover_and_time_reference_are_carried_over(
    run: Run,
    clip: Clip,
    tmp_path: Path,
) -> None:
    source = clip("in.flac")
    file = FLAC(source)
    file["title"], file["artist"] = "A talk", "Someone"
    cover = Picture()
    cover.type, cover.mime, cover.data = 3, "image/png", b"picture"
    file.add_picture(cover)
    file.save()
    for suffix in (".flac", ".mp3", ".m4a"):
        assert run(source, tmp_path / f"out{suffix}").code == 0
        tags = mutagen.File(tmp_path / f"out{suffix}", easy=True)
        assert (tags["title"], tags["artist"]) == (["A talk"], ["Someone"])
        assert b"picture" in (tmp_path / f"out{suffix}").read_bytes()
    broadcast = made.wav(np.zeros(4800, np.float32))
    reference = bytes(338) + (48_000 * 3600).to_bytes(8, "little") + bytes(256)
    chunk = b"bext" + len(reference).to_bytes(4, "little") + reference
    size = (len(broadcast) - 8 + len(chunk)).to_bytes(4, "little")
    content = broadcast[:4] + size + broadcast[8:36] + chunk + broadcast[36:]
    assert run(written(tmp_path, "bwf.wav", content), tmp_path / "bwf-out.wav").code == 0
    assert reference in (tmp_path / "bwf-out.wav").read_bytes()
    assert soundfile.info(tmp_path / "bwf-out.wav").frames == 4800


def test_several_inputs_become_files_of_their_names(
    run: Run,
    clip: Clip,
    tmp_path: Path,
) -> None:
    first, second = clip("a.wav", frames=4800), clip("b.flac", frames=4800)
    assert run(first, second, tmp_path / "out").code == 0
    assert run(first, second, "-o", tmp_path / "again", "--jobs", 2, "-q").code == 0
    assert run(first, f"{tmp_path}/out", "--overwrite").code == 0  # a folder that is there
    for folder in ("out", "again"):
        made_there = {path.name for path in (tmp_path / folder).glob("[!.]*")}
        assert made_there == {"a.wav", "b.flac"}
    alone = run(clip("one/a.wav", frames=4800), f"{tmp_path}/new/", "--json")
    assert alone.code == 0 and (tmp_path / "new" / "a.wav").is_file()
    assert run(tmp_path / "one", tmp_path / "newer").code == 0
    assert run(tmp_path / "absent.wav", f"{tmp_path}/newest/").code == 1
    assert not (tmp_path / "newest").exists()
    one, other = ((tmp_path / name / "a.wav").read_bytes() for name in ("out", "again"))
    assert one == other
    assert run(first).code == 2
    clip("b.wav", frames=4800)
    assert run(second, tmp_path / "b.wav", clip("b.aiff", frames=480), tmp_path / "alike").code == 0
    assert {p.name for p in (tmp_path / "alike").glob("[!.]*")} == {"b.flac", "b.wav", "b.aiff.wav"}


def test_a_run_goes_on_where_an_earlier_one_stopped(
    run: Run,
    clip: Clip,
    tmp_path: Path,
) -> None:
    folder = clip("in/a.wav", frames=4800).parent
    clip("in/c.wav", frames=480)
    assert run(folder, tmp_path / "out").code == 0
    assert run(folder, tmp_path / "out").code == 1  # nothing is replaced unasked
    asked = (folder, tmp_path / "out", "--skip-existing", "--json")
    clip("in/b.wav", frames=4800)
    report = json.loads(run(*asked).out)
    assert [Path(f["input"]).name for f in report["files"]] == ["b.wav"]
    assert {Path(f).name for f in report["done_before"]} == {"a.wav", "c.wav"}
    assert len(json.loads(run(*asked, "--seed", 1).out)["files"]) == 3  # made in another way
    clip("in/a.wav", frames=9600)
    assert len(json.loads(run(*asked, "--seed", 1).out)["files"]) == 1  # made of something else
    (tmp_path / "out" / "a.wav").write_bytes(b"cut short")
    assert len(json.loads(run(*asked, "--seed", 1).out)["files"]) == 1


def test_strength_mixes_the_recording_in_sample_by_sample(
    run: Run,
    clip: Clip,
    tmp_path: Path,
) -> None:
    source, waves = clip(), {}
    for strength in (0, 0.25, 1):
        out = tmp_path / f"{strength}.wav"
        assert run(source, out, "--strength", strength).code == 0
        waves[strength] = soundfile.read(out, dtype="float32")[0]
    given, _ = soundfile.read(source, dtype="float32")
    assert np.abs(waves[0] - given).max() < 1e-6
    assert np.abs(waves[0.25] - (0.75 * given + 0.25 * waves[1])).max() < 1e-6
    assert run(source, tmp_path / "o.wav", "--strength", 1.5).code == 2


def test_rate_channels_and_depth_are_kept_or_made_as_asked(
    run: Run,
    clip: Clip,
    tmp_path: Path,
) -> None:
    source = clip(rate_hz=16_000, channels=2, frames=8001)
    asked = ("--keep-rate", "--mono", "--bit-depth", 16)
    assert run(source, tmp_path / "out.wav", *asked).code == 0
    info = soundfile.info(tmp_path / "out.wav")
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    assert info.frames == 8001


class _Pipe:
    """Standard input or output of a test."""

    def __init__(self, content: bytes = b"") -> None:
        self.buffer = io.BytesIO(content)


def test_pipes_carry_files_and_raw_samples(
    run: Run,
    clip: Clip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wave, _ = soundfile.read(clip(frames=4800), dtype="int16")
    content = (tmp_path / "in.wav").read_bytes()
    assert run(tmp_path / "in.wav", tmp_path / "out.wav", "--bit-depth", 16).code == 0
    wanted, _ = soundfile.read(tmp_path / "out.wav", dtype="int16")

    def piped(given: bytes, *options: object) -> bytes:
        out = io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdin", _Pipe(given))
        monkeypatch.setattr(sys, "stdout", out)
        outcome = run("-", "-", *options)
        assert outcome.code == 0, outcome.err
        return out.buffer.getvalue()

    sound, rate_hz = soundfile.read(io.BytesIO(piped(content, "--bit-depth", 16)), dtype="int16")
    assert rate_hz == RATE_HZ and np.array_equal(sound, wanted)
    raw = piped(wave.tobytes(), "--stdin", "48000,1,s16", "--stdout", "s16")
    assert np.array_equal(np.frombuffer(raw, np.int16), wanted)
    monkeypatch.undo()
    monkeypatch.setattr(sys, "stdin", _Pipe(b"anything"))
    assert "RATE,CHANNELS,ENCODING" in run("-", tmp_path / "x.wav", "--stdin", "loud").err
    assert run("-", "-", "--stdout", "cassette").code == 2


def test_rubbish_in_a_folder_is_passed_over_and_named(
    run: Run,
    clip: Clip,
    tmp_path: Path,
) -> None:
    folder = clip("in/a.wav", frames=4800).parent
    (folder / "._a.wav").write_bytes(b"of another system")
    (folder / ".restoring-killed").mkdir()
    (folder / ".restoring-killed" / "draft.wav").write_bytes((folder / "a.wav").read_bytes())
    (folder / "notes.txt").write_text("no audio")
    (folder / "x.wav").mkdir()
    (folder / "loop").symlink_to(folder)
    (folder / "unnamed").write_bytes((folder / "a.wav").read_bytes())
    (folder / "a.wav").rename(folder / os.fsdecode(b"\xff\xfe.wav"))
    long = folder / ("n" * 251 + ".amr")
    long.write_bytes(b"no audio either")
    outcome = run(folder, tmp_path / "out", "--json")
    report = json.loads(outcome.out)
    assert len(report["files"]) == 2
    assert sorted(Path(path).name for path in report["skipped"]) == ["._a.wav", "notes.txt"]
    assert [Path(one["input"]).name for one in report["failed"]] == [long.name]
    assert outcome.code == 1  # a recording could not be read
    long.unlink()
    assert run(folder, tmp_path / "second").code == 0


def test_playlists_and_pictures_are_no_audio(tmp_path: Path, clip: Clip) -> None:
    inside = clip("in.wav")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{inside}\n#EXT-X-ENDLIST\n"
    for content in (playlist.encode(), f"ffconcat version 1.0\nfile {inside}\n".encode()):
        with pytest.raises(AudioError, match="no audio of a known format"):
            AudioReader(written(tmp_path, "list.wav", content))


def test_the_table_of_formats_names_every_ending() -> None:
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\.[a-z0-9]+)`", text))
    assert named == {*READ_SUFFIXES, *WRITE_FORMATS}
    for suffix, form in WRITE_FORMATS.items():
        row = next(
            line
            for line in text.splitlines()
            if line.startswith("|") and f"`{suffix}`" in line and line.count("|") == 7
        )
        assert f"| {form.channels} |" in row


def _claiming(content: bytes, at: int, value: int, size: int) -> bytes:
    return content[:at] + value.to_bytes(size, "little") + content[at + size :]


@pytest.mark.parametrize(
    ("at", "value", "size"),
    [
        (22, 10_000, 2),
        (22, 0, 2),
        (24, 1, 4),
        (24, 2**31, 4),
        (34, 3, 2),
        (16, 2**31, 4),
        (40, 4 * 10**9, 4),
    ],
)
def test_headers_that_claim_much_take_little(
    two_s: Array, tmp_path: Path, at: int, value: int, size: int
) -> None:
    path = written(tmp_path, "claims.wav", _claiming(made.wav(two_s), at, value, size))
    meter = Meter()
    with suppress(AudioError):
        assert sum(block.size for block in AudioReader(path)) <= 100 * len(two_s)
    assert meter.taken_bytes() < 200 << 20


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "m4a", "mka"])
def test_a_file_cut_at_any_tenth_is_read_as_far_as_it_goes_or_refused(
    two_s: Array, tmp_path: Path, kind: str
) -> None:
    contents = {
        "wav": lambda: made.wav(two_s),
        "flac": lambda: made.encoded(two_s, "flac", "flac"),
        "mp3": lambda: made.encoded(two_s, "mp3", "libmp3lame"),
        "ogg": lambda: made.ogg(two_s),
        "m4a": lambda: made.encoded(two_s, "ipod", "aac"),
        "mka": lambda: made.encoded(two_s, "matroska", "flac"),
    }
    whole = contents[kind]()
    read = []
    for tenth in range(10):
        path = written(tmp_path, f"{tenth}.{kind}", whole[: len(whole) * tenth // 10])
        with suppress(AudioError):
            read.append(sum(len(block) for block in AudioReader(path)))
    assert read == sorted(read) and all(0 < frames <= 2.1 * RATE_HZ for frames in read)
    assert len(read) >= 7 or kind == "m4a"  # whose table of contents comes last


@pytest.mark.parametrize(
    ("name", "jobs"), [("SIGINT", "1"), ("SIGTERM", "1"), ("SIGHUP", "1"), ("SIGTERM", "2")]
)
def test_a_signal_leaves_nothing_half_written(tmp_path: Path, name: str, jobs: str) -> None:
    noise = np.random.default_rng(0).standard_normal(300 * RATE_HZ) / 10
    soundfile.write(tmp_path / "in.wav", noise, RATE_HZ)
    words = ["restore", "in.wav", "out.wav", "--jobs", jobs]
    # As from a terminal: what is started in the background ignores SIGINT.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"from hiresldm.cli.main import main; main({words})"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as running:
        while not list(tmp_path.glob(".restoring-*")) and running.poll() is None:
            time.sleep(0.05)
        running.send_signal(getattr(signal, name))
        assert running.wait(30) not in (None, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


@pytest.mark.parametrize("channels", [3, 9, 27, 64, 65, 512])
@pytest.mark.parametrize(
    ("depth", "error"), [("FLOAT", 0), ("PCM_24", 2**-23), ("PCM_16", 2**-15), ("PCM_U8", 2**-6)]
)
def test_many_channels_are_read_as_they_are(
    tmp_path: Path, channels: int, depth: str, error: float
) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (1000, channels)).astype(np.float32)
    soundfile.write(tmp_path / "many.wav", wave, RATE_HZ, subtype=depth)
    read = np.concatenate(list(AudioReader(tmp_path / "many.wav")))
    assert read.shape == wave.shape and np.abs(read - wave).max() <= error


def test_more_channels_than_can_be_read_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "many.wav", np.zeros((9, 513)), RATE_HZ)
    with pytest.raises(AudioError, match="1 to 512"):
        AudioReader(tmp_path / "many.wav")
