"""The picture of one second on its way: the same second everywhere, and a file that is whole."""

from pathlib import Path

from hiresldm.benchmarks.experiments import one_second
from hiresldm.core.calls import noting
from hiresldm.core.spec import Array
from hiresldm.runtimes.restorer import Restorer

SECOND = slice(48_000, 96_000)


def test_all_stations_show_the_same_second(noisy: Array):
    calls = []
    wave = noisy[: 3 * 48_000]
    restored = Restorer.load(wrap=noting(calls))(wave, 48_000, steps=1)
    first, *between, last = one_second.stations(wave, calls, restored)
    assert (first.values == wave[SECOND]).all()
    assert (last.values == restored[SECOND]).all()
    frames = [len(station.values) for station in between]
    assert frames == [100, 100, 100, 50, 50, 50, 100]
    gain = between[1].values
    assert 0 <= gain.min() < 0.5 < gain.max() < 1.1


def test_the_picture_is_written(noisy_path: Path, tmp_path: Path):
    one_second.main(noisy_path, tmp_path / "how.png")
    assert (tmp_path / "how.png").read_bytes().startswith(b"\x89PNG")
