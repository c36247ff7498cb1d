"""Hi-ResLDM Edge: speech restoration to 48 kHz by few-step latent diffusion, on devices.

    import hiresldm
    restorer = hiresldm.Restorer.load()
    restored = restorer(wave, sample_rate_hz, seed=0)      # (N,) or (N, channels), at 48 kHz
    restorer.restore_file("noisy.wav", "restored.wav")
"""

from .core.errors import ToolkitError
from .runtimes.restorer import Restorer

__all__ = ["Restorer", "ToolkitError"]


def __getattr__(name: str) -> str:
    """`__version__`, looked up when it is asked for: importing does no such work."""
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("hiresldm")
        except PackageNotFoundError:
            return "(not installed)"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
