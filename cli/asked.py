"""What a verb was asked, as the command line that repeats it: for the results that it writes."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from .lists import words

if TYPE_CHECKING:
    import typer


def command(context: typer.Context) -> str:
    """The verb with every option that has a value, defaults too, and its arguments last.

    Switches are left out: they change what is printed.
    """
    options, arguments = ["hiresldm", str(context.info_name)], []
    for parameter in context.command.params:
        value = context.params.get(str(parameter.name))
        given = value if isinstance(value, list | tuple) else [value]
        values = [str(one) for one in given if one not in (None, "") and not isinstance(one, bool)]
        if "," in (getattr(parameter, "metavar", None) or "") and values:
            values = [",".join(words(values))]
        if parameter.param_type_name == "option":
            options += [word for one in values for word in (parameter.opts[-1], one)]
        else:
            arguments += values
    return shlex.join([*options, *(["--", *arguments] if arguments else [])])
