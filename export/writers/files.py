"""Names of bundle files: they say what is inside, and differ where the content differs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from ...core.bundle.manifest import sha256_of
from ...core.spec import Artifact, ExportJob, File


def content_addressed(drafts: Sequence[Path], stem: str) -> list[Path]:
    """Rename files to `<stem>.<12 digits of their sha256><suffix>`; several share one digest."""
    digests = [sha256_of(path) for path in drafts]
    joined = digests[0] if len(digests) == 1 else _sha256("".join(digests))
    return [path.rename(path.with_name(f"{stem}.{joined[:12]}{path.suffix}")) for path in drafts]


def described(
    job: ExportJob, format_: str, files: Sequence[Path], tools: Sequence[str]
) -> Artifact:
    """The manifest row of files below `job.out`, the graph first, made by these packages."""
    graph, *data = (File(path.name, sha256_of(path)) for path in files)
    return Artifact(
        component=job.component.name,
        format=format_,
        precision=job.precision,
        path=graph.path,
        sha256=graph.sha256,
        inputs=tuple(tensor.name for tensor in job.component.inputs),
        outputs=tuple(tensor.name for tensor in job.component.outputs),
        tools={name: version(name) for name in tools},
        data=tuple(data),
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
