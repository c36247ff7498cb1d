"""Tables of `steps`: quality against network evaluations, and what another seed changes."""

from __future__ import annotations

from ..quality.metrics.scores import headings
from ..report import Row, interval_text, table


def by_steps(result: Row) -> str:
    """Quality against network evaluations, and the denoiser's time."""
    metrics = ("dnsmos_ovrl", "estoi", "lsd_hf", "wer")
    lines = (
        [
            *(row["system"], row["sampler"], row["steps"]),
            *(interval_text(row[m]) for m in metrics),
            *(f"{row['denoiser_ms_per_s']['median']:.1f}", f"{row['rtf']['median']:.3f}"),
        ]
        for row in result["rows"]
    )
    heads = ["system", "sampler", "steps", *(headings()[metric] for metric in metrics)]
    return table([*heads, "denoiser, ms per s", "real-time factor"], lines)


def by_seed(result: Row) -> str:
    """What another seed changes in a student, and whether any fails."""
    metrics = ("dnsmos_ovrl", "estoi", "lsd_hf")
    lines = (
        [
            *(row["system"], row["steps"], row["seeds"]),
            *(f"{row[m]['low']:.3f} to {row[m]['high']:.3f}" for m in metrics),
            *(row["not_finite"] + row["silent"], row["jumps"], f"{row['largest_jump_db']:.1f}"),
        ]
        for row in result["robustness"]
    )
    titles = (f"{headings()[metric]}, by seed" for metric in metrics)
    heads = ["student", "steps", "seeds", *titles]
    return table([*heads, "NaN or silent", "level jumps over 3 dB", "largest, dB"], lines)
