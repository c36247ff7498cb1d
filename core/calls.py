"""What components are given and give while a host runs."""

from __future__ import annotations

from dataclasses import dataclass

from .restorer import Wrap
from .spec import Array, Arrays, Runner


@dataclass(frozen=True)
class Call:
    """One call of a component."""

    component: str
    inputs: Arrays
    outputs: Arrays


def noting(calls: list[Call]) -> Wrap:
    """Writes every call down in `calls`, in the order in which they were made."""

    def wrap(name: str, runner: Runner) -> Runner:
        def run(inputs: Arrays) -> dict[str, Array]:
            outputs = runner(inputs)
            calls.append(Call(name, dict(inputs), outputs))
            return outputs

        return run

    return wrap
