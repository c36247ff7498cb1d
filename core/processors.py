"""How many threads are worth starting: what this process was given, not what the machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_ROOT = Path("/")
_GROUPS = "sys/fs/cgroup"


def usable(root: Path = _ROOT) -> int:
    """Cores that this process may keep busy: those of its affinity mask, within its CPU quota.

    A share of a core counts as one. `root` holds the folders `proc` and `sys` of Linux.
    """
    return max(1, math.ceil(min(cores(allowed(), root), quota(root))))


def limit(root: Path = _ROOT) -> int:
    """`usable` where the machine has more cores than that, else 0.

    An engine that is left alone chooses well by what the machine has, but none heeds every limit.
    """
    given = usable(root)
    return given if given < cores(_all(), root) else 0


def allowed() -> set[int]:
    """The logical processors that the affinity mask allows: all, where the system keeps none."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else _all()


def cores(processors: set[int], root: Path = _ROOT) -> int:
    """Physical cores behind these logical processors; where that is not told, each is its own."""
    return len({_siblings(one, root) for one in processors})


def quota(root: Path = _ROOT) -> float:
    """CPUs that the process's control groups and all above them grant; infinite without a limit."""
    return min(map(_limit, _groups(root)), default=math.inf)


def _all() -> set[int]:
    return set(range(os.cpu_count() or 1))


def _siblings(processor: int, root: Path) -> str:
    """The logical processors of one core, as the kernel lists them: two threads share a list."""
    topology = root / f"sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list"
    return _text(topology) or str(processor)


def _groups(root: Path) -> Iterator[Path]:
    """Every folder that may hold a limit: of the process's groups and those above, up to the mount.

    A container often sees the name that its group has outside, with only the mount's root inside.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        if "cpu" in controllers.split(","):
            mounts = [f"{_GROUPS}/{controllers}", f"{_GROUPS}/cpu"]  # version 1
        elif not controllers:
            mounts = [_GROUPS, f"{_GROUPS}/unified"]  # version 2, alone or beside 1
        else:
            continue
        inside = PurePosixPath(name.lstrip("/"))
        yield from (root / mount / one for mount in mounts for one in (inside, *inside.parents))


def _limit(group: Path) -> float:
    """CPUs that one group grants, in the files of version 2 or 1: time per period."""
    text = _text(group / "cpu.max") or " ".join(
        _text(group / f"cpu.cfs_{name}_us") for name in ("quota", "period")
    )
    try:
        time_us, period_us = map(int, text.split())
    except ValueError:  # no such file, or "max"
        return math.inf
    return time_us / period_us if time_us > 0 and period_us > 0 else math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
