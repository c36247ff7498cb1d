"""How many threads are worth starting, told by files as Linux keeps them."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiresldm.core import processors
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps these files")


def _write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


V1 = "4:memory:/docker/7\n3:cpu,cpuacct:/docker/7"
V2_GROUP = "sys/fs/cgroup/user.slice/my job"
QUOTAS = {
    "none": ({}, math.inf),
    "version 2, of a container": (
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"},
        1.5,
    ),
    "version 2, without a limit": (
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"},
        math.inf,
    ),
    "version 2, the group above grants less": (
        {
            "proc/self/cgroup": "0::/user.slice/my job",
            f"{V2_GROUP}/cpu.max": "400000 100000",
            "sys/fs/cgroup/user.slice/cpu.max": "300000 100000",
        },
        3.0,
    ),
    "version 1, named as outside, mounted as root": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        0.5,
    ),
    "version 1, its own folder": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu,cpuacct/docker/7/cpu.cfs_quota_us": "200000",
            "sys/fs/cgroup/cpu,cpuacct/docker/7/cpu.cfs_period_us": "50000",
            "sys/fs/cgroup/memory/docker/7/cpu.max": "1 100000",
        },
        4.0,
    ),
    "version 1, without a limit": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        math.inf,
    ),
    "both versions side by side": (
        {"proc/self/cgroup": "1:cpu:/\n0::/", "sys/fs/cgroup/unified/cpu.max": "70000 100000"},
        0.7,
    ),
    "no numbers": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "a few"}, math.inf),
}


@pytest.mark.parametrize("name", QUOTAS)
def test_the_quota_is_the_least_that_any_group_grants(tmp_path: Path, name: str) -> None:
    files, expected = QUOTAS[name]
    assert processors.quota(_write(tmp_path, files)) == expected


@linux
@given(st.integers(1, 10_000_000), st.integers(1_000, 1_000_000))
def test_threads_are_never_none_and_never_more_than_the_mask(
    tmp_path_factory: pytest.TempPathFactory, time_us: int, period_us: int
) -> None:
    files = {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": f"{time_us} {period_us}"}
    root = _write(tmp_path_factory.mktemp("root"), files)
    mask, machine = len(processors.allowed()), os.cpu_count() or 1
    got = processors.usable(root)
    assert got == min(mask, math.ceil(time_us / period_us)) >= 1
    assert processors.limit(root) == (got if got < machine else 0)


def test_two_threads_of_one_core_count_once(tmp_path: Path) -> None:
    siblings = {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}
    folder = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    _write(tmp_path, {folder.format(n): text for n, text in siblings.items()})
    assert processors.cores({0, 1, 4, 5}, tmp_path) == 2
    assert processors.cores({0, 4}, tmp_path) == 1
    assert processors.cores({6, 7}, tmp_path) == 2  # not told


def test_without_any_limit_the_engine_is_left_alone(tmp_path: Path) -> None:
    if len(processors.allowed()) < (os.cpu_count() or 1):
        pytest.skip("this process is held to some of the processors")
    assert processors.limit(tmp_path) == 0


@linux
def test_a_process_held_to_one_processor_starts_no_threads() -> None:
    """ONNX Runtime by itself starts one for every core of the machine."""
    probe = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from pathlib import Path; from hiresldm.core.bundle import manifest;"
        "from hiresldm.runtimes import on_ort;"
        f"root = Path({str(EMBEDDED_BUNDLE)!r}); artifact = manifest.load(root).artifacts[0];"
        "import onnxruntime; count = lambda: len(os.listdir('/proc/self/task'));"
        "before = count(); runner = on_ort.load(artifact, root, threads=0);"
        "print(count() - before)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
