"""The model that a build begins with: trained, published by others, or of random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ... import families
from ...core.bundle import manifest as bundles
from ...core.errors import UsageError
from ...core.family import Family, Host
from ...families.checkpoints import Model, load
from ...runtimes.restorer import EMBEDDED_BUNDLE


def model_of(
    family: str | None,
    weights: Path | None = None,
    *,
    untrained: bool = False,
    size: str | None = None,
) -> Model:
    """A model with the weights of a run, a bundle or a published file, or with random ones.

    Without any of these it is the embedded one. Raises `UsageError` for what does not go together
    and `IntegrityError` for weights that cannot be read.
    """
    declared = families.find(family or families.DEFAULT)
    if size is not None and not untrained:
        raise UsageError("--size chooses among random weights; give --untrained with it")
    if untrained:
        if weights is not None:
            raise UsageError("give --weights or --untrained, not both")
        drawn: Model = declared.untrained(size)
        return drawn
    if weights is None and declared.name != families.DEFAULT:
        raise UsageError(
            f"no weights of {declared.name} come with the toolkit; give --weights FILE"
        )
    if weights is not None and weights.is_file():
        return _published(declared, weights)
    model = load(weights or EMBEDDED_BUNDLE)
    if family is not None and model.config.family != family:
        raise UsageError(f"{weights} holds a {model.config.family}, not a {family}")
    return model


def host_of(
    model: Model, weights: Path | None, steps: Sequence[int], default: int | None, *, own: bool
) -> Host:
    """The host that a bundle is to describe: with the steps asked for, or those of the weights.

    `own` tells whether the weights are a folder's, which may be a bundle with steps of its own.
    Raises `UsageError` for steps that cannot be offered.
    """
    host, folder = model.config.host, weights or EMBEDDED_BUNDLE
    if own and (folder / bundles.NAME).exists():
        _, host = families.of(bundles.load(folder))
    if not steps and default is None:
        return host
    return host.offering(steps or sorted(host.schedules), default or host.default_steps)


def _published(family: Family, weights: Path) -> Model:
    if family.published is None:
        raise UsageError(
            f"{weights} is a file; weights of {family.name} are a folder, a run or a bundle"
        )
    model: Model = family.published(weights)
    return model
