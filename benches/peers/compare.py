"""Are two tables equal to the bit? Names, types, order of rows, null positions, and the bits of each value."""

from __future__ import annotations

import struct

import pyarrow as pa
import pyarrow.compute as pc

#: Floats are compared as integers of their width: NaN equals the same NaN, 0.0 differs from -0.0.
BITS = {pa.float16(): pa.uint16(), pa.float32(): pa.uint32(), pa.float64(): pa.uint64()}


def difference(got: pa.Table, wanted: pa.Table) -> str | None:
    """The first difference in one line, or None."""
    if got.column_names != wanted.column_names:
        return f"columns are {got.column_names}, wanted {wanted.column_names}"
    for name in wanted.column_names:
        if got.schema.field(name).type != wanted.schema.field(name).type:
            types = got.schema.field(name).type, wanted.schema.field(name).type
            return "column {} is {}, wanted {}".format(name, *types)
    if got.num_rows != wanted.num_rows:
        return f"{got.num_rows} rows, wanted {wanted.num_rows}"
    for name in wanted.column_names:
        a, b = one_array(got, name), one_array(wanted, name)
        if not as_bits(a).equals(as_bits(b)):
            row = first_difference(as_bits(a), as_bits(b))
            return f"column {name}, row {row}: {shown(a[row])}, wanted {shown(b[row])}"
    return None


def one_array(table: pa.Table, name: str) -> pa.Array:
    chunks = table.column(name).chunks
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks) if chunks else table.column(name).combine_chunks()


def as_bits(array: pa.Array) -> pa.Array:
    return array.view(BITS[array.type]) if array.type in BITS else array


def first_difference(a: pa.Array, b: pa.Array) -> int:
    same = pc.if_else(pc.or_(pc.is_null(a), pc.is_null(b)), pc.equal(pc.is_null(a), pc.is_null(b)), pc.equal(a, b))
    return pc.index(same, False).as_py()


def shown(value: pa.Scalar) -> str:
    if value.is_valid and value.type == pa.float64():
        return f"{value.as_py()!r} ({struct.pack('>d', value.as_py()).hex()})"
    return str(value)


def self_test() -> None:
    """The comparison sees what it is there to see, or nothing that it says counts."""
    nan, other_nan = (struct.unpack(">d", bytes.fromhex(h))[0] for h in ("7ff8000000000000", "7ff8000000000001"))
    key = pa.array([1, 2, 3], pa.timestamp("us"))
    table = pa.table({"ts": key, "v": pa.array([nan, -0.0, None])})
    same = pa.table({"ts": pa.chunked_array([key[:1], key[1:]]), "v": pa.array([nan, -0.0, None])})
    different = {
        "another NaN": table.set_column(1, "v", pa.array([other_nan, -0.0, None])),
        "the sign of zero": table.set_column(1, "v", pa.array([nan, 0.0, None])),
        "a null that moved": table.set_column(1, "v", pa.array([nan, None, -0.0])),
        "zero for null": table.set_column(1, "v", pa.array([nan, -0.0, 0.0])),
        "rows in another order": table.take([1, 0, 2]),
        "a row less": table.slice(0, 2),
        "another type": table.set_column(0, "ts", key.cast(pa.timestamp("us", "UTC"))),
        "another name": table.rename_columns(["ts", "w"]),
    }
    if (seen := difference(same, table)) is not None:
        raise AssertionError(f"equal tables are said to differ: {seen}")
    for what, changed in different.items():
        if difference(changed, table) is None:
            raise AssertionError(f"the comparison does not see {what}")
