"""The package's networks as they can be exported: its modules, in `forward`s of our own.

What differs is told at each; `tests/families/test_family_resemble_enhance.py` proves them equal.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize


def folded(module: Any) -> Any:
    """The module with its weight norms folded into plain weights."""
    for layer in list(module.modules()):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight")
            weight = layer.weight.detach()
            del layer.weight
            layer.weight = nn.Parameter(weight)
    return module


class Denoiser(nn.Module):
    """Magnitude, cosine and sine (B, 3, bins, T) -> mask, real and imaginary part of a turn.

    `UNet.forward` computes sizes in a way that cannot be traced; T is a multiple of its scale.
    """

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.net = unet
        for parent in list(unet.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.GroupNorm):
                    setattr(parent, name, GroupNorm(child))

    def forward(self, spectrum: Tensor) -> Tensor:
        bins, net = spectrum.shape[2], self.net
        x = net.input_proj(F.pad(spectrum, (0, 0, 0, -bins % net.scale_factor)))
        skips = []
        for block in net.encoder_blocks:
            skips.append(_unet_block(block, x))
            x = skips[-1][..., ::2, ::2]  # what nearest resampling by a half takes
        for block in net.middle_blocks:
            x = _unet_block(block, x)
        for block in net.decoder_blocks:
            x = _unet_block(block, F.interpolate(x, scale_factor=2.0) + skips.pop())
        x = net.head(x)[:, :, :bins]
        return torch.cat([torch.sigmoid(x[:, :1]), torch.tanh(x[:, 1:])], dim=1)


def _unet_block(block: Any, x: Tensor) -> Tensor:
    return torch.as_tensor(block.res_block2(block.res_block1(block.pre_conv(x))))


class GroupNorm(nn.Module):
    """`nn.GroupNorm` of (1, C, K, T), its means taken axis by axis.

    ONNX Runtime adds up a whole group one value after another in float32: 73 dB at 9 seconds.
    """

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.groups, self.eps = norm.num_groups, norm.eps
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, x: Tensor) -> Tensor:
        grouped = x.reshape(self.groups, -1, *x.shape[2:])
        centred = grouped - _mean(grouped)
        scaled = centred * torch.rsqrt(_mean(centred.square()) + self.eps)
        return scaled.reshape(x.shape) * self.weight[:, None, None] + self.bias[:, None, None]


def _mean(x: Tensor) -> Tensor:
    """Over all axes but the first; the sum between two means keeps onnxsim from merging them."""
    by_channel = x.mean(dim=3, keepdim=True).sum(dim=1, keepdim=True) / x.shape[1]
    return by_channel.mean(dim=2, keepdim=True)


class Layers(nn.Module):
    """The encoder or the decoder, (B, C, T) -> (B, C', T)."""

    def __init__(self, layers: Any) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.layers(x))


class Clean(nn.Module):
    """The velocity of the flow as the clean latent (B, C, T) that it leads to.

    `time` (B,) falls from 1, noise, to 0; `waves` (B, 128) are the host's sines and cosines of it.
    The package scales the sum of what the layers give: a factor that OpenVINO puts into the weights
    of the last layer.
    """

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, noisy: Tensor, mel: Tensor, time: Tensor, waves: Tensor) -> Tensor:
        net, total = self.net, torch.zeros(())
        x, condition = net.start(noisy), net.local_norm(mel)
        for layer in net.layers:
            x, skipped = layer(x, condition, waves)
            total = total + skipped * len(net.layers) ** -0.5
        return noisy + time[:, None, None] * torch.as_tensor(net.end(total))


class Vocoder(nn.Module):
    """Features (1, C, T) and noise (1, 128, T) -> wave (1, hop * T).

    The package draws the noise itself, moves modules between devices as it runs, and has kernels
    of six axes, which is one more than Core ML knows.
    """

    def __init__(self, univnet: Any) -> None:
        super().__init__()
        self.conv_pre, self.blocks = univnet.conv_pre, univnet.blocks
        self.conv_post = univnet.conv_post
        snakes: Any = [layer for layer in self.modules() if hasattr(layer, "log_alpha")]
        for snake in snakes:
            snake.clamp = tuple(map(float, snake.clamp))  # a mixed pair has no ONNX operator

    def forward(self, features: Tensor, noise: Tensor) -> Tensor:
        x = self.conv_pre(noise)
        for block in self.blocks:
            x = _vocoder_block(block, x, features)
        return torch.as_tensor(self.conv_post(x)[:, 0])


def _vocoder_block(block: Any, x: Tensor, features: Tensor) -> Tensor:
    x = block.amp_block(block.convt_pre(x))
    channels, hop = x.shape[1], int(block.cond_hop_length)
    for conv, (kernel, bias) in zip(
        block.conv_blocks, _kernels(block.kernel_predictor, features), strict=True
    ):
        y = _convolved(conv(x), kernel, bias, hop)
        x = x + torch.sigmoid(y[:, :channels]) * torch.tanh(y[:, channels:])
    return x


def _kernels(predictor: Any, features: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Kernels (I, O, taps, T) and biases (O, T) of every layer."""
    c = predictor.input_conv(features)
    for residual in predictor.residual_convs:
        c = c + residual(c)
    layers, frames = predictor.conv_layers, c.shape[2]
    shape = (predictor.conv_in_channels, predictor.conv_out_channels, predictor.conv_kernel_size)
    kernels = predictor.kernel_conv(c).reshape(layers, -1, frames)
    biases = predictor.bias_conv(c).reshape(layers, -1, frames)
    return [(kernels[i].reshape(*shape, frames), biases[i]) for i in range(layers)]


def _convolved(x: Tensor, kernel: Tensor, bias: Tensor, hop: int) -> Tensor:
    """Convolve (1, I, T * hop) with a kernel for each frame: (T, O, taps I) @ (T, taps I, hop)."""
    inputs, outputs, taps, frames = kernel.shape
    padded, length = F.pad(x, (taps // 2, taps // 2)), frames * hop
    shifted = [padded[0, :, k : k + length].reshape(inputs, frames, hop) for k in range(taps)]
    seen = torch.stack(shifted, dim=1).permute(2, 0, 1, 3).reshape(frames, inputs * taps, hop)
    weight = kernel.permute(3, 1, 0, 2).reshape(frames, outputs, inputs * taps)
    y = torch.matmul(weight, seen) + bias.transpose(0, 1)[..., None]
    return y.permute(1, 0, 2).reshape(1, outputs, length)
