"""The bytes of Parquet files that a join cannot do without: nothing here is taken from hypostyle.

Of each file its footer; of each wanted column its chunks whole, or, where the file has an offset index and only the
newest rows are wanted, the pages that hold them, the dictionary and the indexes, if that is less. In blocks of 4 KiB.
"""

from __future__ import annotations

from pathlib import Path

BLOCK = 4096


def of_files(paths: list[Path], columns: list[str], last: int | None) -> int:
    return sum(of_file(path, set(columns), last) for path in paths)


def of_file(path: Path, columns: set[str], last: int | None) -> int:
    bytes_ = path.read_bytes()
    length = int.from_bytes(bytes_[-8:-4], "little")
    footer = struct(Reader(bytes_, len(bytes_) - 8 - length))
    ranges = [(len(bytes_) - 8 - length, len(bytes_))]
    rows = sum(group[3] for group in footer[4])
    first_wanted, first = 0 if last is None else rows - last, 0
    for group in footer[4]:
        behind = first + group[3]
        if behind > first_wanted:
            for chunk in group[1]:
                if ".".join(name.decode() for name in chunk[3][3]) in columns:
                    ranges += of_chunk(bytes_, chunk, first_wanted - first, last is not None)
        first = behind
    blocks = {block for start, end in ranges for block in range(start // BLOCK, -(-end // BLOCK))}
    return len(blocks) * BLOCK


def of_chunk(bytes_: bytes, chunk: dict, first_wanted: int, newest: bool) -> list[tuple[int, int]]:
    meta = chunk[3]
    # A dictionary offset of 0 is no offset: some writers mean `none` by it.
    start = min(meta[9], meta.get(11) or meta[9])
    if not newest or 4 not in chunk:
        return [(start, start + meta[7])]
    pages = struct(Reader(bytes_, chunk[4]))[1]
    found = [(chunk[at], chunk[at] + chunk[at + 1]) for at in (4, 6) if at in chunk]
    if start < pages[0][1]:
        found.append((start, pages[0][1]))
    ends = [page[3] for page in pages[1:]] + [1 << 62]
    found += [(page[1], page[1] + page[2]) for page, end in zip(pages, ends) if end > first_wanted]
    # Of a single page nobody needs an index.
    return min(found, [(start, start + meta[7])], key=lambda ranges: sum(end - at for at, end in ranges))


class Reader:
    """Thrift's compact protocol, as the format's specification has it."""

    def __init__(self, bytes_: bytes, at: int) -> None:
        self.bytes, self.at = bytes_, at

    def byte(self) -> int:
        self.at += 1
        return self.bytes[self.at - 1]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def zigzag(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def take(self, length: int) -> bytes:
        self.at += length
        return self.bytes[self.at - length : self.at]


def value(reader: Reader, kind: int):
    match kind:
        case 1 | 2:
            return kind == 1
        case 3:
            return reader.byte()
        case 4 | 5 | 6:
            return reader.zigzag()
        case 7:
            return reader.take(8)
        case 8:
            return reader.take(reader.varint())
        case 9 | 10:
            head = reader.byte()
            length = head >> 4 if head >> 4 != 15 else reader.varint()
            # In a list a truth value is a byte.
            return [reader.byte() == 1 if head & 15 in (1, 2) else value(reader, head & 15) for _ in range(length)]
        case 12:
            return struct(reader)
    raise SystemExit(f"error: a footer has a value of kind {kind}, which no Parquet footer has")


def struct(reader: Reader) -> dict:
    fields, number = {}, 0
    while (head := reader.byte()) != 0:
        number = number + (head >> 4) if head >> 4 else reader.zigzag()
        fields[number] = value(reader, head & 15)
    return fields
