"""Parquet as Hugging Face has it: a column `audio` of {bytes, path}, others beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...core.errors import UsageError, reason
from ...core.outputs import publish
from ..clip import Clip, Kept, Record, key_of

AUDIO = "audio"
_AUDIO = pa.field(AUDIO, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
_FEATURES = {b"huggingface": json.dumps({"info": {"features": {AUDIO: {"_type": "Audio"}}}})}
"""By this `datasets` knows the column for audio; the types of others are those of Parquet."""
# A column in which nothing is known in one shard holds numbers or words in others.
_EMPTY = {pa.null(): pa.float64(), pa.list_(pa.null()): pa.list_(pa.string())}
_ROWS = 100
"""Of a row group, which is read as a whole."""


class ParquetSource:
    """The rows of Parquet files; raises `UsageError` for one without such a column."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files

    def __iter__(self) -> Iterator[Clip]:
        for path in self.files:
            try:
                yield from _clips(path)
            except (pa.ArrowException, OSError, ValueError) as error:  # or words that are no UTF-8
                raise UsageError(f"{path} cannot be read as Parquet: {reason(error)}") from error


class ParquetSink:
    """Files `00000.parquet`: `audio`, a column for each value of the record and of the fields."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def write(self, number: int, pieces: Sequence[Kept]) -> list[Record]:
        """Write a file whole."""
        name = f"{number:05d}.parquet"
        records = [{"shard": name, **piece.record} for piece in pieces]
        draft = self.out / f"{name}.partial"
        told = _table(records)
        with pq.ParquetWriter(
            draft, told.schema.insert(0, _AUDIO).with_metadata(_FEATURES)
        ) as file:
            for begin in range(0, len(pieces), _ROWS):
                audio = [_audio(piece) for piece in pieces[begin : begin + _ROWS]]
                rows = told.slice(begin, _ROWS).add_column(0, _AUDIO, [audio])
                file.write_table(rows.replace_schema_metadata(_FEATURES))
        publish(draft, self.out / name)
        return records

    def finish(self, records: Callable[[], Iterator[Record]]) -> None:
        """Each row has its record."""


def _clips(path: Path) -> Iterator[Clip]:
    file = pq.ParquetFile(path)
    if not _is_audio(file.schema_arrow):
        raise UsageError(f"{path} has no column {AUDIO!r} of {{bytes, path}}")
    beside = [name for name in file.schema_arrow.names if name != AUDIO]
    row = 0
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=beside)
        told = table.to_pylist() if beside else [{}] * file.metadata.row_group(group).num_rows
        for place, fields in enumerate(told):
            key = key_of(f"{path.stem}/{row:07d}")
            yield Clip(key, partial(_read, path, group, place), json.loads(_plain(fields)))
            row += 1


def _read(path: Path, group: int, place: int) -> bytes:
    held = _group(path, group)[place].as_py()
    if held is None or held["bytes"] is None:
        raise UsageError(f"row {place} of group {group} holds no bytes of audio")
    return bytes(held["bytes"])


@lru_cache(maxsize=1)
def _group(path: Path, group: int) -> Any:
    """The audio of a row group: the clips that a worker is given lie side by side."""
    return pq.ParquetFile(path).read_row_group(group, columns=[AUDIO])[AUDIO]


def _is_audio(schema: pa.Schema) -> bool:
    kind = schema.field(AUDIO).type if AUDIO in schema.names else None
    return kind is not None and pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0


def _plain(fields: dict[str, Any]) -> str:
    """JSON; what it has no word for, such as a time, as text."""
    return json.dumps(fields, default=str)


def _columns(record: Record) -> Record:
    """The record with its fields side by side; where both have a name, the record's own stays."""
    own = {name: value for name, value in record.items() if name != "fields"}
    return {**record["fields"], **own}


def _table(records: Sequence[Record]) -> pa.Table:
    rows = [_columns(record) for record in records]
    names = dict.fromkeys(name for row in rows for name in row if name != AUDIO)
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: Sequence[Any]) -> pa.Array:
    """Values of one kind, else as text of JSON."""
    if not any(isinstance(value, dict) for value in values):
        try:
            made = pa.array(values)
        except pa.ArrowException:  # of several kinds
            pass
        else:
            return made.cast(_EMPTY.get(made.type, made.type))
    return pa.array([None if value is None else json.dumps(value) for value in values])


def _audio(piece: Kept) -> dict[str, Any]:
    return {"bytes": piece.audio.read_bytes(), "path": piece.record["key"] + piece.audio.suffix}
