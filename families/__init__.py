"""The models that the toolkit carries: each folder here is a family, and declares it as `FAMILY`.

Other packages may bring families of their own, as entry points of the group `hiresldm.families`.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from importlib.metadata import entry_points
from itertools import pairwise
from typing import cast

from ..core.bundle import strict
from ..core.bundle.manifest import Manifest
from ..core.errors import IntegrityError, UsageError
from ..core.family import Family, Host

DEFAULT = "hiresldm"
_GROUP = "hiresldm.families"


def names() -> list[str]:
    """The names of all families, as users write them."""
    own = (module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    return sorted({*(_dashed(name) for name in own), *entry_points(group=_GROUP).names})


def find(name: str) -> Family:
    """The family of a name, one of ours first; raises `UsageError` for one that is unknown."""
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg and _dashed(module.name) == name:
            return cast("Family", import_module(f".{module.name}", __package__).FAMILY)
    # Looking through what is installed takes milliseconds: only for a name that is not ours.
    for entry in entry_points(group=_GROUP, name=name):
        return cast("Family", entry.load())
    raise UsageError(f"there is no family {name!r}; accepted: {', '.join(names())}")


def _dashed(folder: str) -> str:
    return folder.replace("_", "-")


def of(manifest: Manifest) -> tuple[Family, Host]:
    """The family of a bundle and the host that it describes; raises `IntegrityError`."""
    try:
        family = find(manifest.family)
        host = cast("Host", strict.built(family.host, dict(manifest.host), "host"))
        _check(host)
    except (UsageError, ValueError) as error:
        raise IntegrityError(f"not a bundle that can be run here: {error}") from error
    return family, host


def _check(host: Host) -> None:
    """Raise ValueError for values that no host could work with."""
    if host.schedules and host.default_steps not in host.schedules:
        raise ValueError(f"default_steps {host.default_steps} is not in the table of schedules")
    for steps, times in host.schedules.items():
        falling = all(a > b for a, b in pairwise((*times, 0.0)))
        if not times or len(times) != steps or not falling or times[0] > 1.0:
            raise ValueError(f"schedules.{steps} is not {steps} times that fall from 1 to above 0")
