"""Options that take several values: `--steps 1,2`, or the option repeated."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import UsageError

NAMES, NUMBERS = "NAME,NAME", "N,N"
"""How the help calls a list; `asked` knows lists by the comma."""


def words(given: str | Sequence[str] | None) -> list[str]:
    """The words of a list, each once, in order."""
    lists = [given] if isinstance(given, str) else given or []
    found = (word.strip() for text in lists for word in text.split(","))
    return list(dict.fromkeys(word for word in found if word))


def numbers(option: str, given: str | Sequence[str] | None) -> list[int]:
    """The numbers of a list, each once; raises `UsageError` for what is no number of 1 or more."""
    found = words(given)
    if not all(text.isdecimal() and int(text) for text in found):
        raise UsageError(f"{option} {','.join(found)}: give numbers of 1 or more, such as 1,2,4")
    return [int(text) for text in found]
