"""The verb `doctor`: what is installed here, and what would be used."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .. import options

Backend = Annotated[
    str | None, typer.Option(help="Engine that runs the model.", show_default="ort")
]


def doctor(
    bundle: options.Bundle = None,
    backend: Backend = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Show versions, engines and threads here, and what would restore a file, and why."""
    from ...benchmarks.report import to_json
    from ...runtimes.doctor import examine

    found, problem = examine(bundle, backend, threads)
    print(to_json(found) if as_json else _text(found))
    if problem:
        raise problem


def _text(found: dict[str, Any]) -> str:
    from ...benchmarks.report import table

    columns = ["package", "installed", "tested", "accepted", "verdict"]
    here = f"hiresldm {found['hiresldm'] or '(not installed)'}, Python {found['python']}"
    return "\n".join([
        f"{here}, {found['system']}",
        "",
        table(columns, [_package(package) for package in found["packages"]]),
        "",
        table(["engine", "opens", "here"], [_engine(engine) for engine in found["engines"]]),
        "",
        _threads(found["threads"]),
        *(_choice(found["choice"]) if found["choice"] else []),
    ])  # fmt: skip


def _package(package: dict[str, Any]) -> list[str]:
    shown = [package[name] or "-" for name in ("name", "installed", "tested", "needed")]
    return [*shown, package["verdict"]]


def _engine(engine: dict[str, Any]) -> list[str]:
    settings = (f"{name} {value}" for name, value in engine["settings"].items() if name != "engine")
    told = ", ".join(settings) if engine["present"] else f"no: {engine['reason']}"
    return [engine["name"], ", ".join(engine["formats"]), told]


def _threads(threads: dict[str, Any]) -> str:
    quota = "no CPU quota" if threads["quota"] is None else f"a quota of {threads['quota']:g} CPUs"
    if threads["asked"]:
        return f"threads: {threads['used']}, as asked for"
    return (
        f"threads: {threads['used']}, by {threads['cores']} cores allowed and {quota}"
        f" ({threads['allowed']} of {threads['processors']} processors)"
    )


def _choice(choice: dict[str, Any]) -> list[str]:
    components = ", ".join(
        f"{component} {kind}" for component, kind in choice["components"].items()
    )
    return [
        f"model: {choice['model']} in {choice['bundle']} ({choice['why_bundle']})",
        f"engine: {choice['engine']} ({choice['why_engine']})",
        f"components: {components} ({choice['why_components']})",
        f"steps: {choice['steps']} (the bundle's own)",
    ]
