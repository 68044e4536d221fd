"""Files that pyarrow, Polars and DuckDB write, over all that each can be told, read as pyarrow reads them.

A case is a seed: ``HYPOSTYLE_WRITERS=17 pytest tests/test_writers.py`` repeats case 17, and
``HYPOSTYLE_WRITERS=0:5000`` runs so many.
"""

from __future__ import annotations

import os
import random
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import hypostyle as hs
from support import LONG

pytestmark = [
    pytest.mark.timeout(7200 if LONG else 300),
    pytest.mark.filterwarnings("ignore::hypostyle.NoMatchWarning"),
]

SECONDS = 3600.0 if LONG else 25.0
"""Cases are run for so long, of each writer's a third."""

FEWEST = 60
"""Cases that are run however long they take."""

ROWS = (0, 1, 9, 100, 1_000, 5_000)
UNITS = ("s", "ms", "us", "ns")
ZONES = (None, "UTC", "Europe/Berlin")

CODECS = {
    "pyarrow": ("NONE", "SNAPPY", "GZIP", "BROTLI", "LZ4", "ZSTD"),
    "polars": ("uncompressed", "snappy", "gzip", "brotli", "lz4", "zstd"),
    "duckdb": ("uncompressed", "snappy", "gzip", "brotli", "lz4", "lz4_raw", "zstd"),
}


@dataclass
class Case:
    """A table, and how a file of it is written."""

    seed: int
    writer: str
    table: pa.Table
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        types = {name: str(self.table[name].type) for name in self.table.column_names}
        return f"case {self.seed}: {self.writer}, {self.table.num_rows} rows, {self.options}, {types}"


def types(writer: str) -> list[pa.DataType]:
    """Return the types that a writer can write."""
    plain = [
        pa.bool_(),
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float32(), pa.float64()),
        *(pa.string(), pa.large_string(), pa.binary(), pa.large_binary()),
        pa.date32(),
        *(pa.timestamp(unit, zone) for unit in UNITS for zone in ZONES[:2]),
        pa.time64("us"),
        *(pa.decimal128(5, 2), pa.decimal128(18, 3), pa.decimal128(38, 10)),
        pa.list_(pa.int64()),
        pa.struct([("a", pa.int32()), ("b", pa.string())]),
    ]
    if writer == "pyarrow":
        plain += [
            pa.float16(),
            pa.date64(),
            *(pa.timestamp(unit, ZONES[2]) for unit in UNITS),
            *(pa.time32("s"), pa.time32("ms"), pa.time64("ns")),
            *(pa.duration(unit) for unit in UNITS),
            *(pa.decimal256(9, 2), pa.decimal256(50, 5)),
            *(pa.binary(1), pa.binary(5), pa.binary(16)),
            pa.dictionary(pa.int32(), pa.string()),
            *(pa.string_view(), pa.binary_view()),
            pa.list_(pa.list_(pa.string())),
        ]
    return plain


def numbers(random: np.random.Generator, kind: str, rows: int, bits: int) -> Any:
    """Return integers of so many bits that follow one another in a way that encodings care for."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    match kind:
        case "few":
            return random.choice(random.integers(low, high, 5, endpoint=True), rows)
        case "runs":
            return np.repeat(random.integers(low, high, rows // 50 + 1, endpoint=True), 50)[:rows]
        case "ascending":
            return np.minimum(np.arange(rows) * 3 + random.integers(0, 3, rows), high)
        case _:
            return random.integers(low, high, rows, endpoint=True)


def column(random: np.random.Generator, type: pa.DataType, kind: str, rows: int, nulls: float) -> pa.Array:
    """Return a column of a type, some of it null."""
    mask = random.random(rows) < nulls
    if nulls and random.random() < 0.3:
        mask = np.repeat(random.random(rows // 40 + 1) < nulls, 40)[:rows]

    def of_bits(bits: int) -> Any:
        return numbers(random, kind, rows, bits)

    def word(number: int) -> str:
        return "" if number % 7 == 0 else f"é{number % 900}" if number % 7 == 1 else f"station-{number}"

    if pa.types.is_boolean(type):
        return pa.array(of_bits(8) % 3 == 0, type, mask=mask)
    if pa.types.is_dictionary(type):
        return column(random, type.value_type, kind, rows, nulls).dictionary_encode()
    if pa.types.is_list(type):
        lengths = np.where(mask, 0, random.integers(0, 4, rows))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        inner = column(random, type.value_type, kind, int(offsets[-1]), nulls / 2)
        return pa.ListArray.from_arrays(pa.array(offsets), inner, mask=pa.array(mask))
    if pa.types.is_struct(type):
        parts = [column(random, part.type, kind, rows, nulls / 2) for part in type]
        return pa.StructArray.from_arrays(parts, fields=list(type), mask=pa.array(mask))
    if pa.types.is_decimal(type):
        digits = min(type.precision, 18)
        values = of_bits(60) % 10**digits
        cells = [
            None if null else Decimal(int(v)).scaleb(-type.scale)
            for v, null in zip(values, mask, strict=True)
        ]
        return pa.array(cells, type)
    if pa.types.is_fixed_size_binary(type):
        width = type.byte_width
        texts = [
            None if n else int(v).to_bytes(8, "little", signed=True).ljust(16, b"\7")[:width]
            for v, n in zip(of_bits(64), mask, strict=True)
        ]
        return pa.array(texts, type)
    if pa.types.is_floating(type):
        width = type.bit_width
        values = of_bits(width).astype(f"i{width // 8}").view(f"f{width // 8}")
        return pa.array(values, type, mask=mask, from_pandas=False)
    if pa.types.is_integer(type):
        signed = of_bits(type.bit_width)
        return pa.array(
            signed.astype(f"i{type.bit_width // 8}").view(type.to_pandas_dtype()), type, mask=mask
        )
    if pa.types.is_date64(type):
        return pa.array(of_bits(16).astype("i8") * 86_400_000, pa.int64(), mask=mask).view(type)
    if pa.types.is_time(type):
        day = {"s": 86_400, "ms": 86_400_000, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}[type.unit]
        width = pa.int32() if type.bit_width == 32 else pa.int64()
        return pa.array(of_bits(62) % day, pa.int64(), mask=mask).cast(width).view(type)
    if pa.types.is_date32(type):
        return pa.array(of_bits(20).astype("i4"), pa.int32(), mask=mask).view(type)
    if pa.types.is_temporal(type):
        # Years that each unit and each writer can hold.
        finer = {"s": 10**9, "ms": 10**6, "us": 1_000, "ns": 1}[getattr(type, "unit", "ns")]
        return pa.array(of_bits(62) // finer, pa.int64(), mask=mask).view(type)
    words = [None if null else word(int(v) % 5_000) for v, null in zip(of_bits(32), mask, strict=True)]
    if pa.types.is_binary(type) or pa.types.is_large_binary(type) or type == pa.binary_view():
        return pa.array([None if w is None else w.encode("utf-16") for w in words], type)
    return pa.array(words, type)


def make(seed: int) -> Case:
    """Return the case of a seed."""
    dice = random.Random(seed)
    values = np.random.default_rng(seed)
    writer = ("pyarrow", "polars", "duckdb")[seed % 3]
    rows = dice.choice(ROWS)
    columns: dict[str, pa.Array] = {"id": pa.array(np.arange(rows) * 2, pa.int64())}
    for i in range(dice.randint(1, 6)):
        kind = dice.choice(["few", "runs", "ascending", "wild"])
        nulls = dice.choice([0, 0.01, 0.3, 0.97, 1])
        columns[f"c{i}"] = column(values, dice.choice(types(writer)), kind, rows, nulls)
    case = Case(seed, writer, pa.table(columns))
    names = list(columns)[1:]
    options: dict[str, Any] = {"compression": dice.choice(CODECS[writer])}
    groups = dice.choice([max(rows, 1), max(rows // 3, 1), 128])
    match writer:
        case "pyarrow":
            options |= {
                "row_group_size": groups,
                "data_page_version": dice.choice(["1.0", "2.0"]),
                "data_page_size": dice.choice([64, 1_000, 2**20]),
                "write_batch_size": dice.choice([1, 10, 1_000]),
                "dictionary_pagesize_limit": dice.choice([64, 2**20]),
                "write_page_index": dice.random() < 0.5,
                "write_page_checksum": dice.random() < 0.5,
                "write_statistics": dice.random() < 0.7,
                "store_schema": dice.random() < 0.7,
                "version": dice.choice(["1.0", "2.4", "2.6"]),
                "use_deprecated_int96_timestamps": dice.random() < 0.15,
            }
            if dice.random() < 0.5:
                options["use_dictionary"] = [name for name in names if dice.random() < 0.5]
                encoded = {
                    n: dice.choice(encodings(columns[n].type))
                    for n in names
                    if n not in options["use_dictionary"]
                }
                options["column_encoding"] = {name: e for name, e in encoded.items() if e is not None} or None
        case "polars":
            options |= {
                "row_group_size": groups,
                "data_page_size": dice.choice([None, 256, 2**20]),
                "statistics": dice.choice([True, False, "full"]),
            }
        case _:
            options |= {
                "row_group_size": groups,
                "parquet_version": dice.choice(["v1", "v2"]),
                "dictionary_size_limit": dice.choice([1, 100, 10**6]),
            }
    case.options = options
    return case


def encodings(type: pa.DataType) -> list[str | None]:
    """Return the encodings, but for dictionaries, that pyarrow can be told for a type."""
    if pa.types.is_boolean(type):
        return ["PLAIN", "RLE", None]
    if type in (pa.int32(), pa.int64(), pa.uint32(), pa.uint64()) or pa.types.is_timestamp(type):
        return ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", None]
    if pa.types.is_floating(type) or pa.types.is_fixed_size_binary(type):
        return ["PLAIN", "BYTE_STREAM_SPLIT", None]
    if pa.types.is_string(type) or pa.types.is_binary(type) or type in (pa.large_string(), pa.large_binary()):
        return ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", None]
    return [None]


def write(case: Case, path: Path) -> bool:
    """Write the file; false if the writer says that it cannot."""
    options = dict(case.options)
    match case.writer:
        case "pyarrow":
            try:
                pq.write_table(case.table, path, **options)
            except (pa.ArrowNotImplementedError, pa.ArrowInvalid, OSError):
                return False
        case "polars":
            pl.from_arrow(case.table).write_parquet(path, **options)  # type: ignore[union-attr]
        case _:
            settings = ", ".join(
                f"{name} '{value}'" if isinstance(value, str) else f"{name} {value}"
                for name, value in options.items()
            )
            with duckdb.connect() as connection:
                connection.execute("SET TimeZone = 'UTC'")
                connection.register("made", case.table)
                try:
                    connection.execute(f"COPY (FROM made) TO '{path}' (FORMAT parquet, {settings})")
                except (
                    duckdb.NotImplementedException,
                    duckdb.ConversionException,
                    duckdb.InvalidInputException,
                ):
                    return False
    return True


def plain(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece, with numbers that compare by their bits."""
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    if pa.types.is_floating(whole.type):
        whole = whole.view({16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[whole.type.bit_width])
    return whole


def same(case: Case, ours: pa.DataType, theirs: pa.DataType) -> bool:
    """Whether two types are one, but for what pyarrow does not take from the Arrow schema in a footer."""
    if pa.types.is_timestamp(ours) and pa.types.is_timestamp(theirs):
        # What is stored in 96 bits, pyarrow reads as nanoseconds; and of a zoned column whose unit is not
        # that of the schema, the zone is UTC here.
        is_int96 = case.options.get("use_deprecated_int96_timestamps", False)
        return bool(is_int96 or (ours.unit == theirs.unit and (ours.tz is None) == (theirs.tz is None)))
    if pa.types.is_date64(ours):
        return bool(pa.types.is_date32(theirs))
    return bool(ours.equals(theirs))


def compare(case: Case, found: pa.Table, expected: pa.Table, what: str) -> None:
    """Fail unless both tables have the same types and, to the bit, the same values."""
    assert found.column_names == expected.column_names, what
    assert found.num_rows == expected.num_rows, what
    for name in expected.column_names:
        ours, theirs = found[name], expected[name]
        assert same(case, ours.type, theirs.type), (
            f"{what}: {name} is {ours.type}, and {theirs.type} to pyarrow"
        )
        theirs = theirs if ours.type == theirs.type else theirs.cast(ours.type)
        assert ours.null_count == theirs.null_count, f"{what}: {name}"
        assert plain(ours).equals(plain(theirs)), f"{what}: {name}\n{ours}\n{theirs}"


def picked(table: pa.Table, rows: list[int | None]) -> dict[str, pa.ChunkedArray]:
    indices = pa.array(rows, pa.int64())
    return {name: taken(table[name], indices) for name in table.column_names}


def taken(column: pa.ChunkedArray, indices: pa.Array) -> pa.ChunkedArray:
    # pyarrow cannot pick from views.
    plain = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}.get(column.type)
    if plain is None:
        return pc.take(column, indices)
    return pc.take(column.cast(plain), indices).cast(column.type)


def check(case: Case, folder: Path) -> str:
    """Read a file in every way; say what became of it."""
    path = folder / "t.parquet"
    if not write(case, path):
        return f"{case.writer} cannot"
    try:
        expected = pq.read_table(path)
    except OSError:
        # It does not read all that DuckDB writes: then what was to be written is what must come out.
        expected = None
    rows = case.table.num_rows
    dice = random.Random(case.seed)
    what = str(case)
    with hs.open(folder) as store:
        try:
            whole = store.join(key="id", tables={"t": "*"}, how="left")
        except hs.Corrupt as error:
            # Of nested columns, which the `parquet` crate reads, it refuses what DuckDB writes of 32-bit
            # integers.
            if case.writer == "duckdb" and "'min_delta' too large" in str(error):
                return "duckdb, of which the parquet crate refuses a nested column"
            raise
        if expected is None:
            expected = case.table.cast(whole.to_arrow().schema)
        compare(case, whole.to_arrow(), expected, what)
        last = dice.randint(1, max(rows, 1) + 1)
        tail = store.join(key="id", tables={"t": "*"}, how="left", last=last)
        compare(case, tail.to_arrow(), expected.slice(max(rows - last, 0)), f"{what}, last {last}")
        wanted = [dice.randrange(-2, 2 * rows + 2) for _ in range(dice.choice([1, 5, 200]))]
        spine = pa.table({"id": pa.array(wanted, pa.int64())})
        filled = store.join(key="id", tables={"t": "*"}, how="spine", spine=spine)
        indices = [i // 2 if i % 2 == 0 and 0 <= i < 2 * rows else None for i in wanted]
        compare(
            case,
            filled.to_arrow().drop_columns(["id"]),
            pa.table(picked(expected.drop_columns(["id"]), indices)),
            f"{what}, a spine of {len(wanted)}",
        )
    return case.writer


def asked() -> range | None:
    """Return the seeds that were asked for."""
    text = os.environ.get("HYPOSTYLE_WRITERS")
    if not text:
        return None
    first, _, end = text.partition(":")
    return range(int(first), int(end or int(first) + 1))


def test_what_others_write_is_read_as_pyarrow_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = asked()
    began = time.monotonic()
    counts: Counter[str] = Counter()
    for seed in seeds if seeds is not None else range(10**9):
        if seeds is None and seed >= FEWEST and time.monotonic() - began > SECONDS:
            break
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            counts[check(make(seed), tmp_path)] += 1
    with capsys.disabled():
        took = timedelta(seconds=round(time.monotonic() - began))
        print(f"\nfiles of other writers: {counts.total()} cases in {took}: {dict(sorted(counts.items()))}")
    assert counts.total() > 0
