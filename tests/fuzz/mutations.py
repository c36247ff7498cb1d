"""Small, likely mistakes and attacks: on bytes, on JSON, on the messages of protobuf."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

INTEGERS = (0, 1, -1, 127, 255, 2**15, 10**9, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
FLOATS = (0.0, -1.0, 1e-45, 1e308, float("inf"), float("-inf"), float("nan"))
TEXTS = ("", "../x", "/dev/zero", "a\0b", "\ud800", "C:x", "..", ".", "x" * 300, "é\n")
TENTHS = tuple(range(10))


def on_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to four changes of bytes: cut at a tenth, flip, overwrite by a number, insert, repeat."""
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(_ON_BYTES)(data, rng)
    return data


def on_json(data: bytes, rng: random.Random) -> bytes:
    """One or two values of the object put in each other's places, dropped, or made hostile."""
    tree = json.loads(data)
    for _ in range(rng.randint(1, 2)):
        _change(tree, rng)
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.5)
    return text.replace('"deep"', "[" * 20_000 + "]" * 20_000).encode(errors="surrogatepass")


def on_safetensors(data: bytes, rng: random.Random) -> bytes:
    """The header's JSON changed, or that in its metadata; its length told rightly, as a rule."""
    (length,) = struct.unpack("<Q", data[:8])
    header = data[8 : 8 + length]
    tree = json.loads(header)
    inner = [key for key, text in tree.get("__metadata__", {}).items() if text[:1] in "{["]
    if inner and rng.random() < 0.5:
        key = rng.choice(inner)
        changed = on_json(tree["__metadata__"][key].encode(), rng)
        tree["__metadata__"][key] = changed.decode(errors="replace")
        header = json.dumps(tree).encode()
    else:
        header = on_json(header, rng)
    told = len(header) if rng.random() < 0.8 else rng.choice(INTEGERS) % 2**64
    return struct.pack("<Q", told) + header + data[8 + length :]


def on_archive(data: bytes, rng: random.Random) -> bytes:
    """A file inside of a ZIP archive changed, and the archive made anew, its sums right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(files))
    files[name] = on_bytes(files[name], rng)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, content in files.items():
            archive.writestr(key, content)
    return made.getvalue()


def on_message(message: Callable[[], Any]) -> Mutation:
    """A mutation of the messages of a protobuf type: one to three fields, anywhere in the tree."""

    def mutate(data: bytes, rng: random.Random) -> bytes:
        parsed = message()
        parsed.ParseFromString(data)
        for _ in range(rng.randint(1, 3)):
            _change_field(rng.choice(list(_messages(parsed))), rng)
        return parsed.SerializeToString()

    return mutate


def either(*mutations: Mutation) -> Mutation:
    """One of the mutations, drawn anew each time; bytes where what is to be changed is no more."""

    def mutate(data: bytes, rng: random.Random) -> bytes:
        try:
            return rng.choice(mutations)(data, rng)
        except Exception:  # of a format's own library: the file was changed before
            return on_bytes(data, rng)

    return mutate


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: len(data) * rng.choice(TENTHS) // 10]


def _flip(data: bytes, rng: random.Random) -> bytes:
    return _overwritten(data, rng, bytes([rng.randrange(256)]))


def _number(data: bytes, rng: random.Random) -> bytes:
    order = rng.choice("<>")
    if rng.random() < 0.3:
        return _overwritten(data, rng, struct.pack(f"{order}f", rng.choice(FLOATS[-3:])))
    code = rng.choice("HIQ")
    size = struct.calcsize(code)
    return _overwritten(data, rng, struct.pack(f"{order}{code}", rng.choice(INTEGERS) % 256**size))


def _inserted(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randint(1, 16)) + data[at:]


def _repeated(data: bytes, rng: random.Random) -> bytes:
    begin, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[begin:end][:4096] + data[end:]


def _overwritten(data: bytes, rng: random.Random, piece: bytes) -> bytes:
    # Headers stand first, and are short beside what follows them.
    within = len(data) if rng.random() < 0.5 else min(len(data), 256)
    at = rng.randrange(within + 1)
    return data[:at] + piece + data[at + len(piece) :]


_ON_BYTES: tuple[Mutation, ...] = (_cut, _flip, _flip, _number, _number, _inserted, _repeated)


def _change(tree: Any, rng: random.Random) -> None:
    places = list(_places(tree))
    if not places:
        return
    holder, key = rng.choice(places)
    kind = rng.randrange(4)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        other, other_key = rng.choice(places)
        holder[key] = other[other_key] if not isinstance(other[other_key], (dict, list)) else None
    elif kind == 2 and isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder[key]
    else:
        holder[key] = _hostile(rng)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every value below, by what holds it and the key it has there."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    own = [(tree, key) for key in keys]
    below = [tree[key] for key in keys if isinstance(tree[key], (dict, list))]
    return [*own, *(place for value in below for place in _places(value))]


def _hostile(rng: random.Random) -> Any:
    values = (None, True, [], {}, [[]], {"": 0}, "deep", 10**400, 0.5, *INTEGERS, *FLOATS, *TEXTS)
    return rng.choice(values)


def _messages(message: Any) -> list[Any]:
    """The message and every one below it."""
    found = [message]
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            values = [v for v in value.values() if hasattr(v, "ListFields")]
        else:
            values = list(value) if _is_list(value) else [value]
        found += [one for inner in values for one in _messages(inner)]
    return found


def _change_field(message: Any, rng: random.Random) -> None:
    fields = [field for field, _ in message.ListFields()]
    if not fields:
        return
    field = rng.choice(fields)
    value = getattr(message, field.name)
    if field.message_type is not None or rng.random() < 0.2:
        message.ClearField(field.name)
    elif _is_list(value):
        value[rng.randrange(len(value))] = _scalar(value[0], rng)
    else:
        setattr(message, field.name, _scalar(value, rng))


def _scalar(value: Any, rng: random.Random) -> Any:
    """Another value of the same type; ValueError where the field does not hold it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice(INTEGERS)
    if isinstance(value, float):
        return rng.choice(FLOATS)
    return rng.choice(TEXTS) if isinstance(value, str) else on_bytes(value, rng)


def _is_list(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes))
