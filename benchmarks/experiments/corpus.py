"""What a corpus costs: `python -m hiresldm.benchmarks.experiments.corpus OUT [CLIPS]`.

Many short clips through `hiresldm corpus` by one process, by two, and by a Ray cluster of a head
and two workers, of which one is killed when a third is done; longer clips with and without DNSMOS.
All on this machine, with the embedded model; needs the extra `corpus` and psutil.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
import soundfile

from ...audio.reading.reader import read_mono
from ...corpus.journal import WORKSHOP
from ...runtimes.restorer import EMBEDDED_BUNDLE
from .. import provenance, report
from ..speed.timing import EXAMPLE

SHORT_S, LONG_S, LONG_CLIPS = 1.5, 10.0, 60
CLIPS = 1000

_CLI = (sys.executable, "-m", "hiresldm", "corpus")
_RAY = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block")
_AT = "--node-ip-address"
_NODE = ("--object-store-memory=100000000",)


def make_clips(folder: Path, count: int, length_s: float) -> None:
    """So many clips of noisy speech, no two of them alike, as FLAC at 16 kHz."""
    folder.mkdir()
    speech = np.resize(read_mono(EXAMPLE, 16_000), round(2 * length_s * 16_000) + 6 * 16_000)
    begins = np.linspace(0, len(speech) - length_s * 16_000 - 1, count).astype(int)
    for number, begin in enumerate(begins):
        piece = speech[begin : begin + round(length_s * 16_000)]
        soundfile.write(folder / f"{number:06d}.flac", piece, 16_000)


def timed(
    given: Path,
    out: Path,
    *options: str,
    meanwhile: Callable[[subprocess.Popen[bytes]], None] | None = None,
) -> dict[str, Any]:
    """Seconds of the verb from start to end, and CPU seconds of its processes and their children.

    `meanwhile` is called with it while it runs.
    """
    began = time.perf_counter()
    running = subprocess.Popen([*_CLI, str(given), str(out), "--json", *options], stdout=-1)  # noqa: S603
    if meanwhile:
        meanwhile(running)
    assert running.stdout  # noqa: S101
    with running.stdout as printed:
        told = json.loads(printed.read())
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - began
    return {
        "clips": told["restored"],
        "quarantined": told["quarantined"],
        "audio_s": round(told["audio_s"], 3),
        "wall_s": round(wall_s, 2),
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "audio_s_per_s": round(told["audio_s"] / wall_s, 2),
    }


@contextmanager
def cluster(workers: int) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """The address of a Ray cluster on this machine, and its workers: a CPU each, the head none."""
    address = f"127.0.0.1:{_free_port()}"
    nodes: list[subprocess.Popen[str]] = []
    # A folder of its own: other clusters of this machine keep theirs.
    with (
        TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder,
        ExitStack() as own,
    ):
        port = address.rpartition(":")[2]
        head = ("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false")
        kept = f"--temp-dir={folder}"
        # An address for each, so that the run itself is at home on the head and not with a worker.
        nodes.append(_node(*head, kept, f"{_AT}=127.0.0.1"))
        own.callback(kill, nodes[0])
        for number in range(workers):
            at = f"{_AT}=127.0.0.{number + 2}"
            nodes.append(_node(f"--address={address}", "--num-cpus=1", at))
            own.callback(kill, nodes[-1])
        yield address, nodes[1:]


def kill(node: subprocess.Popen[str]) -> None:
    """End a node of a cluster with all of its processes, at once."""
    if node.poll() is None:
        parent = psutil.Process(node.pid)
        for process in [*parent.children(recursive=True), parent]:
            process.kill()
    if node.stdout:
        node.stdout.close()
    node.wait()


def finished(out: Path) -> set[str]:
    """The clips that the spool or a shard has."""
    # In this order: what leaves the spool meanwhile is in a shard by then.
    waiting = [told["pieces"] for told in _read(out / WORKSHOP / "spool") if "pieces" in told]
    shards = [told["records"] for told in _read(out / WORKSHOP / "journal")]
    in_shards = {record["clip"] for records in shards for record in records}
    return in_shards | {record["clip"] for pieces in waiting for record, _ in pieces}


def _read(folder: Path) -> Iterator[dict[str, Any]]:
    for path in folder.glob("*.json"):
        with suppress(FileNotFoundError):
            yield json.loads(path.read_text(encoding="utf-8"))


def lose_a_worker(given: Path, out: Path, after: int, *options: str) -> dict[str, Any]:
    """A run on a cluster that loses one of two workers when `after` clips are done.

    What is done by then is made unreadable: who did it again would put it into quarantine.
    """
    done: set[str] = set()

    with cluster(2) as (address, workers):

        def lose(running: subprocess.Popen[bytes]) -> None:
            while len(finished(out)) < after and running.poll() is None:
                time.sleep(0.2)
            kill(workers[0])
            done.update(finished(out))
            for name in done:
                (given / f"{name}.flac").write_bytes(b"")

        ray = ("--ray", address, "--workers", "2", *options)
        row = timed(given, out, *ray, meanwhile=lose)
    return row | {"done_before_the_loss": len(done)}


def contents(out: Path) -> dict[str, bytes]:
    """Every file of a folder that was filled."""
    return {path.name: path.read_bytes() for path in out.glob("*.flac")}


def measured(folder: Path, count: int) -> dict[str, Any]:
    """All rows, and whether the results of all ways are the same."""
    short, long = folder / "short", folder / "long"
    make_clips(short, count, SHORT_S)
    make_clips(long, LONG_CLIPS, LONG_S)
    plain = ("--no-dnsmos", "--per-shard", "100")
    rows = {
        "one process": timed(short, folder / "one", "--workers", "1", *plain),
        "two processes": timed(short, folder / "two", "--workers", "2", *plain),
        "ray, one of two workers lost": lose_a_worker(short, folder / "ray", count // 3, *plain),
        "one process, 10 s clips": timed(long, folder / "long-one", "--workers", "1", *plain),
        "one process, 10 s clips, DNSMOS": timed(
            long, folder / "long-dnsmos", "--workers", "1", "--dnsmos"
        ),
    }
    one, two, ray = (contents(folder / name) for name in ("one", "two", "ray"))
    out_bytes = sum(map(len, contents(folder / "long-one").values()))
    return {
        "rows": rows,
        "files_equal": one == two == ray and len(one) == count,
        "out_bytes_per_audio_s": round(out_bytes / rows["one process, 10 s clips"]["audio_s"]),
    }


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the result."""
    out, count = Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else CLIPS
    command = f"python -m hiresldm.benchmarks.experiments.corpus {' '.join(arguments)}"
    about = {
        "command": command,
        "machine": provenance.machine(),
        "versions": provenance.versions(["pyarrow", "ray"]),
        "model": provenance.model(EMBEDDED_BUNDLE),
    }
    with TemporaryDirectory() as folder:
        report.write(about | measured(Path(folder), count), out)


def _node(*options: str) -> subprocess.Popen[str]:
    """A node of a cluster that has started."""
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    node = subprocess.Popen(  # noqa: S603
        [*_RAY, *_NODE, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    assert node.stdout  # noqa: S101
    for line in node.stdout:
        if "Ray runtime started" in line:
            return node
    raise RuntimeError(f"a node of Ray ended with code {node.wait()}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    main(sys.argv[1:])
