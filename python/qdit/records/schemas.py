"""Arrow types as a pool stores them: one schema for several files, and their rows as values."""

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from ..common.optional import require
from ..common.text import shorten
from ..common.types import ArrowArray, RecordBatch, Schema
from .row import RowError

_WHY = "to store typed records"
_PARTED = "; bring them to one type, or read them as sources of their own"
# what pyarrow raises for a value that Python has not, and for values that no type holds
_UNREADABLE = (ValueError, OverflowError, LookupError, NotImplementedError, RecursionError)
_UNSTORABLE = (ValueError, TypeError, OverflowError, NotImplementedError, RecursionError)
Decode = Callable[[Any], Any]


def stored_schema(schema: Schema, where: str) -> Schema:
    """Return a schema without categories and views, at any depth; ValueError for a name that is there twice.

    A file holds one dictionary where batches bring many, and rows of views cannot be taken out.
    """
    pa = require("pyarrow", "data", _WHY)
    try:
        names, fields = schema.names, [_stored(field) for field in schema]
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: the name of a column is not UTF-8 ({error}); rename it") from error
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{where}: column {twice[0]!r} is there twice; give each column its own name")
    return pa.schema(fields, schema.metadata)


def _stored(field: Any) -> Any:
    """Return a field with the type that it is stored with."""
    pa = require("pyarrow", "data", _WHY)
    kind, types = field.type, pa.types
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _stored(field.with_type(kind.value_type))
    if types.is_string_view(kind):
        kind = pa.string()
    elif types.is_binary_view(kind):
        kind = pa.binary()
    elif types.is_struct(kind):
        kind = pa.struct([_stored(part) for part in kind])
    elif types.is_map(kind):
        kind = pa.map_(_stored(kind.key_field), _stored(kind.item_field), kind.keys_sorted)
    elif types.is_fixed_size_list(kind):
        kind = pa.list_(_stored(kind.value_field), kind.list_size)
    elif types.is_list(kind) or types.is_list_view(kind):
        kind = pa.list_(_stored(kind.value_field))
    elif types.is_large_list(kind) or types.is_large_list_view(kind):
        kind = pa.large_list(_stored(kind.value_field))
    return field.with_type(kind)


def has_nested_categories(schema: Schema) -> bool:
    """Return whether a column has categories below its top level."""
    is_category = require("pyarrow", "data", _WHY).types.is_dictionary
    return any("dictionary<" in str(kind) and not is_category(kind) for kind in schema.types)


def unify(schemas: Iterable[tuple[str, Schema]], is_empty: Callable[[str, str], bool]) -> Schema:
    """Return the schema that holds the columns of all files, in the order of the first.

    Columns are matched by name, and so are fields inside them, which may be missing; null gives way to any
    type, as does a column without a value, and numbers, times and texts to the wider type.

    Args:
        schemas: (file, what `stored_schema` says of it), at least one.
        is_empty: whether a column of a file has no value.

    Raises:
        ValueError: names the column, its two types and the two files, or columns that only some have.

    """
    pa = require("pyarrow", "data", _WHY)
    listed = list(schemas)
    first, schema = listed[0]
    for where, found in listed[1:]:
        apart = sorted(set(schema.names) ^ set(found.names))
        if apart:
            has, lacks = (where, first) if apart[0] in found.names else (first, where)
            raise ValueError(
                f"{has} has a column {apart[0]!r} that {lacks} lacks; give both the same columns, or import "
                "them as sources of their own"
            )
    columns = []
    for name in schema.names:
        fields = [(where, found.field(name)) for where, found in listed]
        if any(field.type != fields[0][1].type for _, field in fields):
            fields = [(where, field) for where, field in fields if not is_empty(where, name)] or fields
        before, merged = fields[0]
        for where, field in fields[1:]:
            try:
                known, merged = merged, _merged(merged, field)
            except pa.ArrowException as error:
                raise ValueError(
                    f"{where}: column {name!r} is {field.type}, in {before} it is {merged.type}{_PARTED}"
                ) from error
            before = before if merged.type == known.type else where
        columns.append(merged)
    return pa.schema(columns, schema.metadata)


def _merged(before: Any, field: Any) -> Any:
    pa = require("pyarrow", "data", _WHY)
    both = [pa.schema([before]), pa.schema([field])]
    merged = pa.unify_schemas(both, promote_options="permissive").field(0)
    if pa.types.is_string(before.type) != pa.types.is_string(field.type) and pa.types.is_binary(merged.type):
        raise pa.ArrowTypeError("text is no bytes")
    return merged


def conform(batch: RecordBatch, schema: Schema, where: str) -> RecordBatch:
    """Return a batch with another schema; ValueError names the column that does not fit."""
    pa = require("pyarrow", "data", _WHY)
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    apart = sorted(set(batch.schema.names) ^ set(schema.names))
    if apart:
        which = "a new" if apart[0] in batch.schema.names else "no"
        raise ValueError(f"{where} has {which} column {apart[0]!r} after its first rows; give all the same")
    columns = []
    for field in schema:
        column = batch.column(field.name)
        try:
            columns.append(_cast(column, field.type))
        except (pa.ArrowException, OverflowError, ValueError) as error:
            raise ValueError(
                f"{where}: column {field.name!r} is {column.type} and does not fit into {field.type}, as it "
                f"is elsewhere: {error}{_PARTED}"
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: ArrowArray, kind: Any) -> ArrowArray:
    pa = require("pyarrow", "data", _WHY)
    # pyarrow cannot cast run ends, and casts views of lists to lists that lack their last row
    if not any(name in str(column.type) for name in ("list_view<", "run_end_encoded<")):
        try:
            return column.cast(kind)
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
            pass  # old versions match fields by place; below they are matched by name
    return pa.array(column.to_pylist(), kind)


def make_decoders(schema: Schema) -> dict[str, Decode]:
    """Return what makes values of JSON texts, for each column that holds such at any depth."""
    return {field.name: decode for field in schema if (decode := _decoder(field))}


def _decoder(field: Any) -> Decode | None:
    """Return what makes a value of what a field holds, or None if it holds no JSON."""
    pa = require("pyarrow", "data", _WHY)
    kind, types = field.type, pa.types
    named = (
        getattr(kind, "extension_name", None)
        or (field.metadata or {}).get(b"ARROW:extension:name", b"").decode()
    )
    if named == "arrow.json":
        return _decode_json
    if types.is_struct(kind):
        parts = make_decoders(kind)
        return partial(decode_fields, parts) if parts else None
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        decode = _decoder(kind.value_field)
        return decode and partial(_decode_items, decode)
    return None


def _decode_json(text: str | None) -> Any:
    return None if text is None else json.loads(text, parse_constant=lambda name: None)


def _decode_items(decode: Decode, value: Any) -> Any:
    return None if value is None else [decode(item) for item in value]


def decode_fields(decoders: dict[str, Decode], value: Any) -> Any:
    """Return a row with its texts of JSON as values."""
    return None if value is None else value | {name: decode(value[name]) for name, decode in decoders.items()}


def read_rows(batch: RecordBatch, decoders: dict[str, Decode]) -> list[Any]:
    """Return the rows of a batch as values, a RowError in place of one that Python has no value for."""
    try:
        values: list[Any] = batch.to_pylist()
        return [decode_fields(decoders, value) for value in values] if decoders else values
    except _UNREADABLE:  # some row; pyarrow does not say which
        return [_read_row(batch.slice(i, 1), decoders) for i in range(batch.num_rows)]


def _read_row(batch: RecordBatch, decoders: dict[str, Decode]) -> Any:
    row = {}
    for name in batch.schema.names:
        try:
            value = batch.column(name)[0].as_py()
            row[name] = decoders[name](value) if name in decoders else value
        except _UNREADABLE as error:
            return RowError(name, f"is {batch.column(name).type} and cannot be read: {error}")
    return row


def make_column(name: str, values: Sequence[Any], rows: Sequence[int]) -> ArrowArray:
    """Return values as a column of the type that holds them all.

    rows: numbers of the values' rows. ValueError names two rows whose values no type holds, or one.
    """
    pa = require("pyarrow", "data", _WHY)

    def fits(some: Sequence[Any]) -> bool:
        try:
            pa.array(some)
        except _UNSTORABLE:
            return False
        return True

    try:
        return pa.array(values)
    except _UNSTORABLE as error:
        last = bisect_left(range(len(values)), True, key=lambda i: not fits(values[: i + 1]))
        told = [last]
        if fits([values[last]]):
            told = [next((i for i in range(last) if not fits([values[i], values[last]])), 0), last]
        shown = " and ".join(f"{shorten(repr(values[i]), 60)} in row {rows[i]}" for i in told)
        raise ValueError(f"column {name!r} has {shown}, which no type of Arrow holds") from error
