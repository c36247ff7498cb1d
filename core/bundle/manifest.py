"""`bundle.json`: what a bundle holds, read strictly and written whole."""

from __future__ import annotations

import hashlib
import json
import re
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..errors import IntegrityError, reason
from ..spec import Artifact, File
from . import strict

VERSION = 2
NAME = "bundle.json"
MOST_FRAMES = 10_000
"""Of an enumerated length: silence fills a signal up to it, so it decides what memory is taken."""

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """A bundle: whose networks it holds, the values of the host around them, and the artifacts."""

    family: str
    model: str
    host: Mapping[str, Any]
    """As JSON; `families.of` makes the family's host of it."""
    noise_sha256: str
    """Of the golden noise (`core.noise.golden_hash`): a port that differs must refuse to run."""
    artifacts: tuple[Artifact, ...]
    golden: File | None = None
    """Inputs and what the reference made of them, for a proof without torch (`parity.golden`)."""
    extras: tuple[File, ...] = ()
    """For whoever brings it into an app: a note, vectors (`export.pack`)."""


def save(manifest: Manifest, root: Path) -> None:
    """Write `bundle.json` below `root`, replacing an older one in one step."""
    partial = root / f"{NAME}.partial"
    text = json.dumps({"version": VERSION, **asdict(manifest)}, indent=1)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(root / NAME)


def load(root: Path) -> Manifest:
    """Read `bundle.json` below `root`.

    Raises `IntegrityError` where it is missing, of another version, has unknown or missing keys or
    values that are not as they must be, or names a path outside the bundle.
    """
    path = root / NAME
    try:
        manifest = _parsed(path)
        _check(manifest)
    except OSError as error:
        raise IntegrityError(f"{root}: no readable {NAME}: {reason(error)}") from error
    except ValueError as error:  # also of text that is not UTF-8
        raise IntegrityError(f"{path}: not a bundle manifest: {reason(error)}") from error
    return manifest


def verify(manifest: Manifest, root: Path) -> None:
    """Hash every file and package; raises `IntegrityError` for one that is missing or altered."""
    for file in files(manifest):
        if found := fault(file, root):
            raise IntegrityError(f"{root / file.path}: {found}")


def fault(file: File, root: Path) -> str:
    """What is wrong with a file or package below `root`; empty where its hash is the listed one."""
    path = root / file.path
    try:
        digest = sha256_of(path)
    except FileNotFoundError:
        return "missing from the bundle"
    except IntegrityError as error:
        return str(error).removeprefix(f"{path}: ")
    except (OSError, ValueError) as error:  # ValueError: names that are not UTF-8
        return f"cannot be read: {reason(error)}"
    return "" if digest == file.sha256 else "altered or truncated, its sha256 is not the manifest's"


def sha256_of(path: Path) -> str:
    """Hex digest of a file's contents, or of a folder's (a `.mlpackage`): names and contents.

    Raises `IntegrityError` for a device, a pipe and the like, and for a link to a folder.
    """
    if path.is_dir():
        lines = [f"{p.relative_to(path).as_posix()} {sha256_of(p)}\n" for p in _inside(path)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with _regular(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _inside(folder: Path) -> Iterator[Path]:
    """What lies in a folder and below; links to folders are not followed, so none may be there."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield _regular(path)


def _regular(path: Path) -> Path:
    """The path, of a file that ends: a device or a pipe would be read for ever."""
    if path.exists() and not path.is_file():
        raise IntegrityError(f"{path}: neither a file nor a folder; a bundle holds nothing else")
    return path


def bytes_of(path: Path) -> int:
    """Size of a file, or of all files of a folder; 0 where there is none."""
    if not path.is_dir():
        return path.stat().st_size if path.exists() else 0
    return sum(file.stat().st_size for file in _inside(path))


def files(manifest: Manifest) -> set[File]:
    """Every file that the manifest lists."""
    listed = {file for artifact in manifest.artifacts for file in artifact.files}
    return listed | {*manifest.extras} | ({manifest.golden} if manifest.golden else set())


def _parsed(path: Path) -> Manifest:
    values = strict.parsed(_regular(path).read_text(encoding="utf-8"))
    version = values.pop("version", None) if isinstance(values, dict) else None
    if type(version) is not int or version != VERSION:
        raise ValueError(f"version {reprlib.repr(version)}; this reader knows {VERSION}")
    return strict.built(Manifest, values)


def _check(manifest: Manifest) -> None:
    """Raise ValueError where values do not belong together or cannot be."""
    for artifact in manifest.artifacts:
        rising = all(a < b for a, b in pairwise((0, *artifact.enumerated_frames, MOST_FRAMES + 1)))
        if not rising:
            raise ValueError(
                f"the enumerated frames of {artifact.path} do not rise from 1 to {MOST_FRAMES}"
            )
    for file in files(manifest):
        _check_file(file)


def _check_file(file: File) -> None:
    path, name = PurePosixPath(file.path), reprlib.repr(file.path)
    drive = PureWindowsPath(file.path).drive
    if not path.parts or ".." in path.parts or path.is_absolute() or drive or "\\" in file.path:
        raise ValueError(f"{name} leads out of the bundle")
    if not file.path.isprintable():
        raise ValueError(f"{name} is not a name of a file")
    if not _SHA256.fullmatch(file.sha256):
        raise ValueError(f"the sha256 of {name} is not 64 hexadecimal digits")
