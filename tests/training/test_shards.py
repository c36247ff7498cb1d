"""Speech in shards: each speaker in one, each process its own, machines that hold no more."""

import json
import shutil
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny import TINY

from hiresldm.core.errors import UsageError
from hiresldm.training import devices
from hiresldm.training.damage import chain as chains
from hiresldm.training.damage.bank import Sounds
from hiresldm.training.damage.chain import Chain, ShardedChain
from hiresldm.training.data import corpus, prepared
from hiresldm.training.run import chain_of

RATE_HZ, SAMPLES = 48_000, 24_000
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, speech: np.ndarray) -> Path:
    """Three speakers and five noises."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("clean", "noise"):
        (folder / name).mkdir()
    paths = {"clean": [f"{voice}.wav" for voice in "abc"], "noise": [f"{n}.wav" for n in range(5)]}
    for name, files in paths.items():
        lines = [f"{name}/{file},train,{file}" for file in files]
        (folder / name / "manifest.csv").write_text("\n".join(["path,split,speaker", *lines]))
        for number, file in enumerate(files):
            wave = speech[: 96_000 + 4_800 * number]
            soundfile.write(folder / name / file, wave, RATE_HZ)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    assert prepared.fill(data, folder, variants=0, shards=2) == 2
    return folder


def test_every_speaker_and_noise_is_in_one_shard(data: Path):
    for read in (corpus.speech, corpus.noises):
        parts = [read(data, "train", corpus.Shard(number, 3)) for number in range(3)]
        assert all(parts)
        names = [recording.path for part in parts for recording in part]
        assert sorted(names) == sorted(recording.path for recording in read(data, "train"))
    with pytest.raises(UsageError, match="3 train speakers do not fill 4 shards"):
        corpus.speech(data, "train", corpus.Shard(0, 4))


def test_an_interrupted_preparation_goes_on_with_the_shards_that_are_missing(data, cache, tmp_path):
    half = shutil.copytree(cache, tmp_path / "half")
    first, second = prepared.folders(half, "train")
    shutil.rmtree(second)
    with pytest.raises(UsageError, match="holds 1 of 2 shards; prepare the others"):
        chain_of(data, "train", half, CPU, seed=0)
    kept = (first / "index.json").stat()
    assert prepared.fill(data, half, variants=0, shards=2) == 1
    assert (first / "index.json").stat() == kept
    assert second.is_dir()
    with pytest.raises(UsageError, match="in other shards"):
        prepared.fill(data, half, variants=0, shards=3)
    index = second / "index.json"
    index.write_text(index.read_text().replace('"origin": "', '"origin": "0'))
    with pytest.raises(UsageError, match="was prepared from other data than"):
        prepared.fill(data, half, variants=0, shards=2)
    with pytest.raises(UsageError, match="was prepared from other data than"):
        chain_of(None, "train", half, CPU, seed=0)


def test_shards_take_turns_and_each_gives_what_it_gives_alone(cache, monkeypatch):
    monkeypatch.setattr(chains, "TURN", 4)
    sounds = [Sounds(prepared.open_prepared(one)) for one in prepared.folders(cache, "train")]
    both = ShardedChain([partial(sounds.__getitem__, number) for number in range(2)], seed=3)
    alone = [Chain(one, seed=3) for one in sounds]
    for step in (0, 3, 4, 7, 8, 5):
        made, expected = (one.batch(step, 2, SAMPLES) for one in (both, alone[step // 4 % 2]))
        assert torch.equal(made.damaged, expected.damaged)
        assert torch.equal(made.clean, expected.clean)


@pytest.mark.parametrize(
    ("rank", "count", "local", "expected"),
    [
        pytest.param(0, 1, (0, 1), [0, 1, 2, 3], id="one process"),
        pytest.param(1, 2, (1, 2), [1, 3], id="one machine of two"),
        pytest.param(3, 4, (1, 2), [3], id="a disk that two machines share"),
    ],
)
def test_processes_deal_the_shards_among_themselves(
    rank, count, local, expected, cache, tmp_path, monkeypatch
):
    (source, *_) = prepared.folders(cache, "train")
    for number in range(4):
        shutil.copytree(source, tmp_path / f"train-{number:05d}-of-00004")
    monkeypatch.setattr(devices, "rank", lambda: rank)
    monkeypatch.setattr(devices, "count", lambda: count)
    monkeypatch.setattr(devices, "local_rank", lambda: local[0])
    monkeypatch.setattr(devices, "local_count", lambda: local[1])
    opened: list[int] = []
    monkeypatch.setattr(
        prepared,
        "open_prepared",
        lambda folder, read=prepared.open_prepared: (
            opened.append(int(folder.name[6:11])) or read(folder)
        ),
    )
    chain = chain_of(None, "train", tmp_path, CPU, seed=0)
    for turn in range(len(expected)):
        chain.batch(turn * chains.TURN, 1, SAMPLES)
    assert opened == expected
    monkeypatch.setattr(devices, "count", lambda: 5)
    with pytest.raises(UsageError, match="4 shards are too few for 5 processes"):
        chain_of(None, "train", tmp_path, CPU, seed=0)


def test_two_machines_train_from_nothing_but_the_shard_that_each_holds(cache, tmp_path):
    """Two calls of torchrun, as on two machines that share nothing but where the model goes."""
    (tmp_path / "tiny.json").write_text(TINY.to_json())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []
    for number, shard in enumerate(prepared.folders(cache, "train")):
        machine = tmp_path / str(number)
        shutil.copytree(shard, machine / "cache" / shard.name)
        torchrun = f"{sys.executable} -P -m torch.distributed.run --nnodes 2 --node-rank {number}"
        where = f"--master-addr 127.0.0.1 --master-port {port} -m hiresldm train recovery"
        what = "--config ../tiny.json --cache cache --out ../run --minutes 0.02 --batch 2 --quiet"
        command = f"{torchrun} {where} {what}".split()
        running.append(subprocess.Popen(command, cwd=machine, stderr=subprocess.PIPE, text=True))
    for one in running:
        _, told = one.communicate(timeout=120)
        assert one.returncode == 0, told
    (log,) = json.loads((tmp_path / "run" / "log.json").read_text())["runs"]
    assert (log["processes"], log["shards"]) == (2, 2)
    assert log["steps"] > 0
    assert len(list((tmp_path / "run").rglob("events.*"))) == 1
