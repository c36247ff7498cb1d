"""VoiceFixer's weights: the two checkpoints that its authors publish, or random ones."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...core.errors import IntegrityError, UsageError, reason
from ..checkpoints import Model, OneSize
from .host import Host
from .package import exportable, originals

VOCODER = "model.ckpt-1490000_trimed.pt"
"""The vocoder's checkpoint, as it is published."""
_ELSEWHERE = Path("../../synthesis_module/44100")
"""Where the package keeps it, from the folder of the other one."""
_PREFIX = "generator."
CONFIG = OneSize("voicefixer", "voicefixer", Host())


def outline(config: str) -> Model:
    """The model without memory for its weights; raises ValueError for values: it has none."""
    CONFIG.check_json(config)
    with torch.device("meta"):
        return _model(*originals())


def untrained(size: str | None = None) -> Model:
    """The model with random weights, the same ones each time; raises `UsageError` for a size."""
    CONFIG.check_size(size)
    return _model(*drawn()).eval()


def drawn() -> tuple[nn.Module, nn.Module]:
    """The package's restorer of mels and its vocoder with these weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        restorer, vocoder = originals()
        for layer in restorer.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.running_mean, 0.0, 0.05)  # type: ignore[arg-type]
                nn.init.uniform_(layer.running_var, 0.8, 1.2)  # type: ignore[arg-type]
    return restorer, vocoder


def published(path: Path) -> Model:
    """The model with the weights of `vf.ckpt`; the vocoder's checkpoint lies beside it.

    Raises `UsageError` where that is not there, `IntegrityError` for one that cannot be read and
    that lacks a weight, which it names.
    """
    found = [folder / VOCODER for folder in (path.parent, path.parent / _ELSEWHERE)]
    beside = next((one for one in found if one.is_file()), None)
    if beside is None:
        raise UsageError(f"{path} needs the vocoder's checkpoint {found[0]}, which is not there")
    restorer, vocoder = originals()
    _fill(restorer, _read(path), path, _PREFIX)
    _fill(vocoder, _read(beside).get("generator"), beside)
    return _model(restorer, vocoder).eval()


def _model(restorer: nn.Module, vocoder: nn.Module) -> Model:
    model = Model(CONFIG)
    model.analysis, model.vocoder = exportable(restorer, vocoder)
    return model


def _read(path: Path) -> Mapping[str, Any]:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise IntegrityError(f"{path}: not a checkpoint: {reason(error, path)}") from error
    if not isinstance(held, Mapping):
        raise IntegrityError(f"{path}: not a checkpoint: it holds no table of weights")
    return dict(held.get("state_dict", held))


def _fill(module: nn.Module, held: Any, path: Path, prefix: str = "") -> None:
    """Give a network its weights; what else a checkpoint holds is left aside."""
    given: dict[str, Tensor] = held if isinstance(held, dict) else {}
    own = {_renamed(key).removeprefix(prefix): value for key, value in given.items()}
    wanted = [key for key in module.state_dict() if not key.endswith("num_batches_tracked")]
    if lacking := [key for key in wanted if key not in own]:
        raise IntegrityError(
            f"{path}: lacks the weight {prefix}{lacking[0]}, and {len(lacking) - 1} more of "
            f"{len(wanted)}"
        )
    try:
        module.load_state_dict({key: own[key] for key in wanted}, strict=False)
    except (RuntimeError, AttributeError) as error:
        raise IntegrityError(f"{path}: of another network: {reason(error, path)}") from error


def _renamed(key: str) -> str:
    """The key of a weight norm as torch calls it now."""
    for index, end in enumerate((".weight_g", ".weight_v")):
        if key.endswith(end):
            return f"{key.removesuffix(end)}.parametrizations.weight.original{index}"
    return key
