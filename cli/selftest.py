"""The verb `selftest`: the gate on this machine, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .parity import finish, save, tracked


def selftest(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            metavar="BUNDLE",
            envvar="HIRESLDM_BUNDLE",
            help="Folder of a model.",
            show_default="built-in",
        ),
    ] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="Report to write (JSON).")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print failures only.")] = False,
) -> None:
    """Check on this machine that a model computes what it computed when it was built."""
    from ..core.errors import BackendMissingError
    from ..core.outputs import check_target
    from ..parity import golden
    from ..parity.rows import Status
    from ..runtimes.restorer import EMBEDDED_BUNDLE

    check_target(json_out)
    root = bundle or EMBEDDED_BUNDLE
    rows = tracked(golden.check(root), shown=not quiet)
    save(rows, root, json_out=json_out)
    finish(rows, quiet=quiet, absent=False)
    if all(row.status is Status.NOT_RUN for row in rows):
        raise BackendMissingError(f"nothing could be checked here: {rows[0].reason}")
