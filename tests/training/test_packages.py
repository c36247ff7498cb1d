"""Speech out of unpacked packages: the unfit is left out, and all else says where it is from."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hiresldm.core.errors import UsageError
from hiresldm.training.data import corpus, packages

RATE_HZ = 48_000


@pytest.fixture
def unpacked(tmp_path: Path, speech: np.ndarray) -> Path:
    """KLettres in three languages: words of half a second, clipped ones, and nothing but hiss."""
    root, rng = tmp_path / "unpacked", np.random.default_rng(0)
    words = [np.pad(word, RATE_HZ // 5) for word in np.split(speech[: 6 * RATE_HZ], 12)]
    spoken = {
        "de": words,
        "fr": [np.clip(40 * word, -1, 1) for word in words],
        "it": [0.1 * rng.standard_normal(RATE_HZ) for _ in words],
        "uk": words,  # others of this language test with
    }
    for language, waves in spoken.items():
        folder = root / "usr/share/klettres" / language / "syllab"
        folder.mkdir(parents=True)
        for number, wave in enumerate(waves):
            soundfile.write(folder / f"{number}.ogg", wave, RATE_HZ, format="OGG")
    log = root / "usr/share/doc/klettres-data/changelog.Debian.gz"
    log.parent.mkdir(parents=True)
    log.write_bytes(gzip.compress(b"klettres (4:22.12.3-1) unstable; urgency=medium\n"))
    return root


def test_words_are_joined_and_told_of_and_what_is_unfit_is_left_out(unpacked: Path, tmp_path: Path):
    out = tmp_path / "data" / "clean-debian"
    rows = packages.gather(unpacked, out)
    with (out / "manifest.csv").open(newline="", encoding="utf-8") as lines:
        assert [row["path"] for row in csv.DictReader(lines)] == [row["path"] for row in rows]
    assert {row["speaker"] for row in rows} == {"klt_de"}
    assert all(row["source"] == "debian klettres-data 4:22.12.3-1" for row in rows)
    files = [name for row in rows for name in row["original_file"].split("|")]
    assert len(files) == len(set(files)) > 6
    found = corpus.speech(out.parent, "train")
    assert [corpus.duration_s(one) for one in found] == [
        pytest.approx(row["duration_s"], abs=0.01) for row in rows
    ]
    loud = [np.percentile(np.abs(corpus.read(one)), 99) for one in found]
    assert max(loud) < 4 * min(loud)


def test_folders_without_packages_and_folders_that_exist_are_named(unpacked: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="no speech of known packages"):
        packages.gather(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(UsageError, match="exists already"):
        packages.gather(unpacked, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["unpacked"]
