"""What an app does around the components, in words: drawn from the host, as it would be in code."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from string import Template

from ...core.signal.loudness import PAUSE_GATE_LU, SILENCE_LUFS
from .host import Host


def note(host: Host) -> str:
    """The audio contract and the order of the components, as markdown."""
    front, times = host.front, host.schedules[host.default_steps]
    template = Template(Path(__file__).with_name("note.md").read_text(encoding="utf-8"))
    return template.substitute(
        asdict(front)
        | {
            "bins": front.bins,
            "values": 2 * front.bins,
            "stride": front.stride,
            "nyquist_hz": front.sample_rate_hz // 2,
            "loudness_lufs": f"{front.loudness_lufs:g}",
            "silence_lufs": f"{SILENCE_LUFS:g}",
            "pause_gate_lu": f"{-PAUSE_GATE_LU:g}",
            "start": f"{times[0]:g}",
            "pairs": list(pairwise((*times, 0.0))),
        }
    )
