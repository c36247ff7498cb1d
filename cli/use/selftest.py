"""The verb `selftest`: the gate on this machine, without torch."""

from __future__ import annotations

from .. import options
from ..rows import finish, save, tracked


def selftest(
    bundle: options.BundleArgument = None,
    report_to: options.RowsReport = None,
    as_json: options.Json = False,
    quiet: options.FailuresOnly = False,
) -> None:
    """Check on this machine that a model computes what it computed when it was built."""
    from ...core.errors import BackendMissingError
    from ...core.outputs import check_target
    from ...parity import golden
    from ...parity.rows import Status
    from ...runtimes.restorer import EMBEDDED_BUNDLE

    check_target(report_to)
    root = bundle or EMBEDDED_BUNDLE
    rows = tracked(golden.check(root), shown=not quiet)
    save(rows, root, as_json=as_json, report_to=report_to)
    finish(rows, quiet=quiet, absent=False, silent=as_json)
    if all(row.status is Status.NOT_RUN for row in rows):
        raise BackendMissingError(f"nothing could be checked here: {rows[0].reason}")
