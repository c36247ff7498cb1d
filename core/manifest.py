"""`bundle.json`: what a bundle holds, read strictly and written whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import IntegrityError
from .frontend import FrontEnd
from .spec import Artifact, File

VERSION = 1
NAME = "bundle.json"


@dataclass(frozen=True)
class Manifest:
    """A bundle: the audio contract, the sampler's times by number of steps, and the artifacts."""

    model: str
    front: FrontEnd
    sampler: Mapping[int, tuple[float, ...]]
    default_steps: int
    noise_sha256: str
    """Of the golden noise (`core.noise.golden_hash`): a port that differs must refuse to run."""
    artifacts: tuple[Artifact, ...]
    golden: File | None = None
    """Inputs and what the reference made of them, for a proof without torch (`parity.golden`)."""


def save(manifest: Manifest, root: Path) -> None:
    """Write `bundle.json` below `root`, replacing an older one in one step."""
    partial = root / f"{NAME}.partial"
    text = json.dumps({"version": VERSION, **asdict(manifest)}, indent=1)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(root / NAME)


def load(root: Path) -> Manifest:
    """Read `bundle.json` below `root`.

    Raises `IntegrityError` where it is missing, of another version, has unknown or missing keys,
    or names a path outside the bundle.
    """
    path = root / NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values.pop("version")
        if version != VERSION:
            raise IntegrityError(f"{path}: version {version}; this reader knows {VERSION}")
        manifest = _parse(values)
    except (OSError, UnicodeDecodeError) as error:
        raise IntegrityError(f"{root}: no readable {NAME}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise IntegrityError(f"{path}: not a bundle manifest: {error}") from error
    for file in files(manifest):
        _check_inside(file.path, path)
    return manifest


def verify(manifest: Manifest, root: Path) -> None:
    """Hash every file and package; raises `IntegrityError` for one that is missing or altered."""
    for file in files(manifest):
        path = root / file.path
        if not path.exists():
            raise IntegrityError(f"{path}: missing from the bundle")
        if sha256_of(path) != file.sha256:
            raise IntegrityError(f"{path}: altered or truncated, its sha256 is not the manifest's")


def sha256_of(path: Path) -> str:
    """Hex digest of a file's contents, or of a folder's (a `.mlpackage`): names and contents."""
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.is_file())
        lines = [f"{p.relative_to(path).as_posix()} {sha256_of(p)}\n" for p in inside]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files(manifest: Manifest) -> set[File]:
    """Every file that the manifest lists."""
    listed = {file for artifact in manifest.artifacts for file in artifact.files}
    return listed | ({manifest.golden} if manifest.golden else set())


def _parse(values: dict[str, Any]) -> Manifest:
    sampler = {int(steps): tuple(times) for steps, times in values.pop("sampler").items()}
    artifacts = tuple(_artifact(row) for row in values.pop("artifacts"))
    front = FrontEnd(**values.pop("front"))
    listed = values.pop("golden", None)
    golden = File(**listed) if listed else None
    manifest = Manifest(front=front, sampler=sampler, artifacts=artifacts, golden=golden, **values)
    if manifest.default_steps not in sampler:
        raise ValueError(f"default_steps {manifest.default_steps} is not in the sampler table")
    return manifest


def _artifact(row: dict[str, Any]) -> Artifact:
    unknown = row.keys() - {field.name for field in fields(Artifact)}
    if unknown:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    data = tuple(File(**file) for file in row["data"])
    names = [name for name in ("inputs", "outputs", "buckets") if name in row]
    lists: dict[str, Any] = {name: tuple(row[name]) for name in names}
    return Artifact(**{**row, **lists, "data": data})


def _check_inside(path: str, manifest: Path) -> None:
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or PurePosixPath(path).is_absolute() or "\\" in path:
        raise IntegrityError(f"{manifest}: '{path}' leads out of the bundle")
