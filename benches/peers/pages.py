"""Which pages of a Parquet file hold what a join wants, by walking the headers of the pages.

The headers are Thrift's compact protocol; their fields are those of `PageHeader` in parquet.thrift.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

DATA, DICTIONARY, DATA_V2 = 0, 2, 3
DICTIONARY_ENCODINGS = (2, 8)


@dataclass(frozen=True)
class Page:
    """The zstd frame of a page: where it lies in its file, its size, and the size of what is in it, in bytes."""

    offset: int
    compressed: int
    uncompressed: int


class Compact:
    """Reads structs of Thrift's compact protocol, as dictionaries by the numbers of the fields."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def integer(self) -> int:
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def struct(self) -> dict:
        fields, number = {}, 0
        while (head := self.byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self.integer()
            fields[number] = self.value(head & 0xF)
        return fields

    def value(self, kind: int):
        match kind:
            case 1 | 2:
                return kind == 1
            case 3:
                return self.byte()
            case 4 | 5 | 6:
                return self.integer()
            case 7:
                self.at += 8
            case 8:
                # Bytes of statistics; nobody here wants them.
                size = self.varint()
                self.at += size
            case 12:
                return self.struct()
            case _:
                raise SystemExit(f"error: a page header with a field of kind {kind}")


def needed(path: Path, file: mmap.mmap, columns: list[str], last: int | None) -> list[Page]:
    """The zstd pages with all rows of the columns, or with the last rows of the file; dictionaries included."""
    metadata = pq.read_metadata(path)
    first_wanted = 0 if last is None else metadata.num_rows - last
    found, first_row = [], 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for index in range(group.num_columns):
            chunk = group.column(index)
            if chunk.path_in_schema in columns and first_row + group.num_rows > first_wanted:
                if chunk.compression == "ZSTD":
                    found += of_chunk(file, chunk, first_wanted - first_row)
                elif chunk.compression != "UNCOMPRESSED":
                    raise SystemExit(f"error: {path} is compressed with {chunk.compression}; the limit is for zstd")
        first_row += group.num_rows
    return found


def of_chunk(file: mmap.mmap, chunk: pq.ColumnChunkMetaData, first_wanted: int) -> list[Page]:
    begin = chunk.dictionary_page_offset or chunk.data_page_offset
    at, end = begin, begin + chunk.total_compressed_size
    dictionary, wanted, row, wants_dictionary = None, [], 0, False
    while at < end:
        reader = Compact(file, at)
        header = reader.struct()
        kind, uncompressed, compressed = header[1], header[2], header[3]
        if kind == DICTIONARY:
            dictionary = Page(reader.at, compressed, uncompressed)
        else:
            details = header[5 if kind == DATA else 8]
            # The columns are flat: as many rows as values.
            row += details[1]
            if row > first_wanted:
                page = Page(reader.at, compressed, uncompressed)
                wanted += [page] if kind == DATA else without_levels(page, details)
                wants_dictionary |= details[2 if kind == DATA else 4] in DICTIONARY_ENCODINGS
        at = reader.at + compressed
    if at != end:
        raise SystemExit(f"error: the pages of {chunk.path_in_schema} end at {at}, its chunk at {end}")
    return [dictionary, *wanted] if dictionary and wants_dictionary else wanted


def without_levels(page: Page, details: dict) -> list[Page]:
    """A page of the second version has its levels before the frame, and says whether there is a frame."""
    levels = details[5] + details[6]
    if not details.get(7, True) or page.compressed == levels:
        return []
    return [Page(page.offset + levels, page.compressed - levels, page.uncompressed - levels)]
