"""A bundle for an app: one artifact of each component, vectors, and a note on how to use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...core.bundle import manifest as bundles
from ...core.bundle.manifest import Manifest
from ...core.spec import File
from . import note, subset, vectors
from .folder import whole

NOTE = "INTEGRATION.md"
_IOS = """\
Compile each `.mlpackage` into the app, which Xcode does, and open it as an `MLModel`. Components
of enumerated lengths may run on the neural engine (`computeUnits = .all`), which computes in half
precision: compare the vectors there. Those that take any length are meant for the CPU
(`.cpuOnly`)."""
_ANDROID = """\
Open each `.ort` file with ONNX Runtime (`onnxruntime-android`), a session for each component, on
the CPU, without memory patterns, as lengths vary. A minimal build of ONNX Runtime needs the
operators below: give the `.config` files to its `--include_ops_by_config`."""

_EXECUTORCH = """\
Open each `.pte` file with ExecuTorch, a module for each component, with its XNNPACK backend and
the kernels below linked in. The method `contract` gives names and shapes as JSON, and under
`longest` the most that a program takes: it asks for the memory of so much when it is opened."""

_LITERT = """\
Open each `.tflite` file with LiteRT, an interpreter for each component, XNNPACK on the CPU. A
signature `frames_N` takes N latent frames, its inputs by name; outputs are called `output_0` and so
on, in the order below. The files hold no other lengths: pad."""


@dataclass(frozen=True)
class Platform:
    """Where an app runs: what people call it, and how its engines open their formats."""

    title: str
    openings: Mapping[str, str]

    def format_in(self, manifest: Manifest) -> str:
        """The first of its formats that a bundle holds, or the first of all."""
        held = {artifact.format for artifact in manifest.artifacts}
        return next((form for form in self.openings if form in held), next(iter(self.openings)))


PLATFORMS: Mapping[str, Platform] = {
    "ios": Platform("iOS", {"coreml": _IOS, "litert": _LITERT, "executorch": _EXECUTORCH}),
    "android": Platform("Android", {"ort": _ANDROID, "litert": _LITERT, "executorch": _EXECUTORCH}),
}


def write(
    platform: Platform, bundle: Path, out: Path, *, precision: str | None, overwrite: bool
) -> Manifest:
    """Write the pack into a new folder, whose manifest lists all of it.

    Raises `IntegrityError` for a bundle that is altered or lacks what the platform opens,
    `BackendMissingError` where the package that reads its files is missing, `UsageError` where
    `out` exists and is not to be overwritten.
    """
    form = platform.format_in(bundles.load(bundle))
    manifest = subset.chosen(bundle, form, precision)
    with whole(out, overwrite=overwrite) as draft:
        vectors.write(manifest, bundle, draft)
        text = note.text(manifest, bundle, platform.title, platform.openings[form])
        (draft / NOTE).write_text(text, encoding="utf-8")
        made = sorted(path for path in draft.rglob("*") if path.is_file())
        listed = (
            File(path.relative_to(draft).as_posix(), bundles.sha256_of(path)) for path in made
        )
        packed = replace(manifest, extras=tuple(listed))
        subset.write(packed, bundle, draft)
    return packed
