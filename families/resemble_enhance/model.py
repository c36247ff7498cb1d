"""The whole model, from the package's modules: outlined, random, or filled from its checkpoint."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...core.errors import BackendMissingError, IntegrityError, reason
from .. import checkpoints
from .components import FEATURES
from .config import FULL, Config, from_json, named
from .host import LATENT, MELS, WAVES
from .networks import Clean, Denoiser, Layers, Vocoder, folded

_HPARAMS = "hparams.yaml"
_UNUSED = ("mel_fn.", "denoiser.mel_fn.", "denoiser.dummy", "dummy", "vocoder.mrstft.")
_INSTALL = "pip install 'hiresldm[families]' && pip install --no-deps resemble-enhance"


class Package(nn.Module):
    """The package's inner modules, named as in a checkpoint of its `Enhancer`.

    `Enhancer` itself cannot be imported without what it was trained with.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        parts = _imported()
        hp = parts.HParams(univnet_nc=config.vocoder_dim)
        unet = parts.UNet(
            3, 3, num_blocks=config.unet_blocks, num_middle_blocks=config.unet_middle_blocks
        )
        flow = parts.CFM(MELS, LATENT)
        flow.net = parts.WN(
            LATENT,
            LATENT,
            local_dim=MELS,
            global_dim=WAVES,
            n_layers=config.wavenet_layers,
            hidden_dim=config.wavenet_dim,
        )
        autoencoder = parts.IRMAE(MELS, FEATURES, LATENT, hidden_dim=config.autoencoder_dim)
        self.denoiser = nn.ModuleDict({"net": unet})
        self.lcfm = nn.ModuleDict({"ae": autoencoder, "cfm": flow})
        self.vocoder = parts.UnivNet(hp, FEATURES)
        self.normalizer = parts.Normalizer()


class Model(checkpoints.Model):
    """Resemble Enhance at the sizes of `config`, of the package's modules."""

    config: Config

    def __init__(self, config: Config, package: Package) -> None:
        super().__init__(config)
        autoencoder: Any = folded(package.lcfm["ae"])
        flow: Any = package.lcfm["cfm"]
        self.denoiser = Denoiser(package.denoiser["net"])
        self.encoder = Layers(autoencoder.encoder)
        self.clean = Clean(flow.net)
        self.decoder = Layers(autoencoder.decoder)
        self.vocoder = Vocoder(folded(package.vocoder))
        self.requires_grad_(False)


def outline(config: str) -> Model:
    """The model of a configuration (JSON), without memory for its weights; raises ValueError."""
    wanted = from_json(config)
    with torch.device("meta"):
        return Model(wanted, Package(wanted))


def untrained(size: str | None) -> Model:
    """The model with random weights, the same ones each time; raises `UsageError` for a size."""
    config = named(size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Model(config, Package(config)).eval()


def published(file: Path) -> Model:
    """The model of the package's checkpoint, `mp_rank_00_model_states.pt`.

    Its `hparams.yaml`, three folders above, is read where there is one. Raises `IntegrityError`
    for another file, and for weights that are missing or of other sizes.
    """
    config, state = _configured(file), _state(file)
    package = Package(config)
    wanted = package.state_dict()
    missing = sorted(wanted.keys() - state.keys())
    unknown = sorted(k for k in state.keys() - wanted.keys() if not k.startswith(_UNUSED))
    if missing or unknown:
        name, kind = (missing[0], "lacks") if missing else (unknown[0], "has an unknown")
        raise IntegrityError(f"{file} {kind} {name}; {len(missing)} of {len(wanted)} are missing")
    try:
        package.load_state_dict({key: state[key] for key in wanted})
    except RuntimeError as error:
        raise IntegrityError(f"{file}: these weights do not fit: {reason(error)}") from error
    normalizer: Any = package.normalizer
    mean, std = float(normalizer.running_mean), float(normalizer.running_std)
    return Model(replace(config, mel_mean=mean, mel_std=std), package).eval()


def _state(file: Path) -> dict[str, Tensor]:
    """The weights in a file of DeepSpeed, or in one that holds no more than them."""
    try:
        held = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's and pickle's errors share no narrower base
        raise IntegrityError(
            f"{file} cannot be read as plain weights ({reason(error, file)}); where the file is to "
            "be trusted, save its 'module' alone with torch.save"
        ) from error
    state = held.get("module", held) if isinstance(held, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise IntegrityError(f"{file} holds no weights by name, as resemble-enhance saves them")
    return state


def _configured(file: Path) -> Config:
    """The published sizes, with what the hyperparameters beside the file say of the latent."""
    path = file.absolute().parents[3] / _HPARAMS if len(file.absolute().parents) > 3 else file
    if path.name != _HPARAMS or not path.exists():
        return FULL
    try:
        hp = _imported().HParams.from_yaml(path)
        fits = (hp.lcfm_training_mode, hp.cfm_time_mapping_divisor) == ("cfm", 4)
        config = replace(FULL, z_scale=float(hp.lcfm_z_scale), vocoder_dim=int(hp.univnet_nc))
    except Exception as error:  # OmegaConf's errors share no narrower public base
        raise IntegrityError(f"{path}: not hyperparameters: {reason(error, path)}") from error
    if not fits:
        raise IntegrityError(f"{path}: only models of the mode cfm with a divisor of 4 are known")
    return config


class _Imported:
    """What is used of the package."""

    def __init__(self) -> None:
        from resemble_enhance.common import Normalizer
        from resemble_enhance.denoiser.unet import UNet
        from resemble_enhance.enhancer.hparams import HParams
        from resemble_enhance.enhancer.lcfm import CFM, IRMAE
        from resemble_enhance.enhancer.lcfm.wn import WN
        from resemble_enhance.enhancer.univnet import UnivNet

        self.Normalizer, self.UNet, self.HParams = Normalizer, UNet, HParams
        self.CFM, self.IRMAE, self.WN, self.UnivNet = CFM, IRMAE, WN, UnivNet


def _imported() -> Any:
    """The package's classes; raises `BackendMissingError` without it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls what torch has deprecated since
            return _Imported()
    except ImportError as error:
        raise BackendMissingError(
            f"resemble-enhance cannot be imported ({error}); install it with: {_INSTALL}"
        ) from error
