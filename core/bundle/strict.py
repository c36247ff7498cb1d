"""JSON text as dataclasses: every value of its annotated type, or one sentence that says which not.

Made for files that anyone may have written: no unknown and no repeated keys, finite numbers that
fit 64 bits, and nesting only as deep as the dataclasses themselves.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from reprlib import repr as shortened
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

_NAMES: Mapping[type, str] = {
    int: "a whole number of 64 bits",
    float: "a finite number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def parsed(text: str | bytes) -> Any:
    """The values of JSON text; raises ValueError where it is none, repeats a key or is too deep."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError:
        raise ValueError("its lists and objects are nested too deeply") from None


def built(kind: type[T], value: Any, where: str = "") -> T:
    """The dataclass `kind` of a parsed object; raises ValueError that names the place and value.

    Fields may be Any, int, float, str, other dataclasses, `tuple[X, ...]`, `Mapping[X, Y]`, and
    `X | None`.
    """
    given = _of_class(dict, value, where)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(given.keys() - known.keys()):
        raise ValueError(f"the key {_joined(where, unknown[0])} is unknown")
    for name, field in known.items():
        optional = field.default is not MISSING or field.default_factory is not MISSING
        if name not in given and not optional:
            raise ValueError(f"{_joined(where, name)} is missing")
    hints = get_type_hints(kind)
    values = {name: _typed(hints[name], v, _joined(where, name)) for name, v in given.items()}
    return kind(**values)


def _typed(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin is types.UnionType:
        return None if value is None else _typed(arguments[0], value, where)
    if origin is tuple:
        listed = enumerate(_of_class(list, value, where))
        return tuple(_typed(arguments[0], item, f"{where}[{i}]") for i, item in listed)
    if origin is Mapping:
        pairs = _of_class(dict, value, where).items()
        key, item = arguments
        return {_key(key, k, where): _typed(item, v, _joined(where, k)) for k, v in pairs}
    reader: Any = built if is_dataclass(hint) else _scalar
    return reader(hint, value, where)


def _scalar(kind: type, value: Any, where: str) -> Any:
    whole = type(value) is int and -(2**63) <= value < 2**63
    if kind is float and (whole or (type(value) is float and math.isfinite(value))):
        return float(value)
    if (kind is int and whole) or (kind is str and type(value) is str):
        return value
    raise _unfit(value, kind, where)


def _key(kind: type, text: str, where: str) -> Any:
    if kind is str:
        return text
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise _unfit(text, int, f"a key of {where}")
    return int(text)


def _of_class(kind: type, value: Any, where: str) -> Any:
    if type(value) is not kind:
        raise _unfit(value, kind, where)
    return value


def _unfit(value: Any, wanted: type, where: str) -> ValueError:
    return ValueError(f"{where or 'the whole'} is {shortened(value)}, not {_NAMES[wanted]}")


def _joined(where: str, name: str) -> str:
    return f"{where}.{shortened(name)[1:-1]}" if where else shortened(name)[1:-1]


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"the key {shortened(key)} stands twice in one object")
        made[key] = value
    return made


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")
