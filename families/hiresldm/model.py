"""The whole model: four networks, their weights on disk, and the path from wave to wave."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...core.errors import IntegrityError, reason
from ...core.weights import weights_file
from . import torch_frontend as frontend
from .config import ModelConfig
from .decoder import Decoder
from .denoiser import Denoiser
from .encoder import Encoder
from .recovery import Recovery

PARTS = ("recovery", "encoder", "denoiser", "decoder")


class Model(nn.Module):
    """Hi-ResLDM at the sizes of `config`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.recovery = Recovery(config)
        self.encoder = Encoder(config)
        self.denoiser = Denoiser(config)
        self.decoder = Decoder(config)

    def spectrum(self, wave: Tensor) -> Tensor:
        """Compressed spectrum (B, T, 2 * bins) of waves (B, N)."""
        return frontend.stft(wave, self.config.front)

    def recovered(self, damaged: Tensor) -> Tensor:
        """Recovered spectrum (B, T, 2 * bins) of damaged waves (B, N)."""
        return torch.as_tensor(self.recovery(self.spectrum(damaged)).float())

    def latent(self, spectrum: Tensor) -> Tensor:
        """Latent (B, frames, C) of a spectrum (B, T, 2 * bins)."""
        return torch.as_tensor(self.encoder(frontend.log_mel(spectrum, self.config.front)).float())

    def decoded(self, latent: Tensor, recovered: Tensor) -> Tensor:
        """Restored spectrum (B, T, 2 * bins) of a latent and a recovered spectrum."""
        return torch.as_tensor(self.decoder(latent, recovered).float())


def save_part(
    module: nn.Module, config: ModelConfig, path: Path, dtype: torch.dtype, **facts: str
) -> None:
    """Write one part as safetensors, with the configuration and `facts` in its metadata."""
    tensors: dict[str, Tensor] = {
        name: value.detach().to(dtype).contiguous() for name, value in module.state_dict().items()
    }
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"config": config.to_json(), **facts})
    partial.chmod(0o644)  # safetensors writes for the owner alone
    partial.rename(path)


def load_part(module: nn.Module, path: Path) -> None:
    """Fill `module` from safetensors; raises `IntegrityError` where they are not of its kind."""
    _config_of(path)  # of this revision
    _fill(module, path, assign=False)


def open_part(path: Path, part: str) -> tuple[ModelConfig, nn.Module]:
    """One part ready to run, and its configuration; raises `IntegrityError` as `load_part` does."""
    config = _config_of(path)
    module = _outline(config, path).get_submodule(part)
    _fill(module, path, assign=True)
    return config, module.eval()


def load(folder: Path) -> Model:
    """The model whose parts lie in `folder`, a run or a bundle, ready to run.

    Raises `IntegrityError` where a part is missing or its configuration differs.
    """
    files = {part: weights_file(folder, part) for part in PARTS}
    configs = {part: _config_of(path) for part, path in files.items()}
    if len(set(configs.values())) != 1:
        raise IntegrityError(f"{folder}: its parts were trained with different configurations")
    model = _outline(configs[PARTS[0]], folder)
    for part, path in files.items():
        _fill(model.get_submodule(part), path, assign=True)
    return model.eval()


def _outline(config: ModelConfig, path: Path) -> Model:
    """The model without memory for its weights: a file may claim any size, and hold less."""
    try:
        with torch.device("meta"):
            return Model(config)
    except (RuntimeError, TypeError, ValueError, ArithmeticError) as error:
        said = reason(error)
        raise IntegrityError(f"{path}: no networks have the sizes it names: {said}") from error


def _fill(module: nn.Module, path: Path, *, assign: bool) -> None:
    try:
        tensors = {name: value.float() for name, value in load_file(path).items()}
        module.load_state_dict(tensors, assign=assign)
    except (OSError, SafetensorError, RuntimeError) as error:
        said = reason(error, path)
        raise IntegrityError(f"{path}: these weights do not fit the model: {said}") from error


def _config_of(path: Path) -> ModelConfig:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise IntegrityError(f"{path}: no readable weights: {reason(error, path)}") from error
    if "config" not in metadata:
        raise IntegrityError(f"{path}: no readable weights: no configuration of a model in them")
    try:
        return ModelConfig.from_json(metadata["config"])
    except ValueError as error:  # another revision, or sizes that no network has
        raise IntegrityError(f"{path}: these weights cannot be used: {error}") from error
