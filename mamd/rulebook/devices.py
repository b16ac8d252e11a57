"""
Reads the list of devices (CSV, as spreadsheets write it), or says every mistake at once.

Header in any order: serial, udid, ecid, name, status, retired_reason, ownership, mdm, home,
labels; every other column becomes an attribute. An empty cell is unknown, `none` is known to
be empty. In a mistake the column counts cells, from 1.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

from mamd.config.files import read_bytes
from mamd.config.mistakes import Mistake, Mistakes, Place, nearest, shown
from mamd.core.conditions import WORDS
from mamd.core.facts import Ids, Ownership, Record, Status, canonical_udid, ecid_of
from mamd.rulebook.compare import Comparison, compare

__all__ = ["Comparison", "Devices", "compare", "parse_devices", "read_devices"]

LARGEST_LIST: Final = 16 * 1_048_576
LONGEST_CELL: Final = 1_000
COLUMNS: Final = (
    "serial", "udid", "ecid", "name", "status", "retired_reason", "ownership", "mdm", "home", "labels",
)  # fmt: skip
_NAMES: Final = ("serial", "udid", "ecid")
_SERIAL: Final = re.compile(r"[A-Z0-9]{4,20}")
_UDID: Final = re.compile(r"[0-9A-F]{40}|[0-9A-F]{8}-[0-9A-F]{16}")
_ROUNDED: Final = re.compile(r"[0-9](\.|,)[0-9]+E\+?[0-9]+|[0-9]+(\.|,)0+", re.IGNORECASE)


class Devices(NamedTuple):
    """What came of reading. `records` is None if there is any mistake; their `device` is empty."""

    records: tuple[Record, ...] | None
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]


@dataclass(slots=True)
class _Sheet:
    file: str
    mdms: tuple[str, ...] | None
    columns: tuple[str, ...] = ()
    mistakes: Mistakes = field(default_factory=Mistakes)
    warnings: Mistakes = field(default_factory=Mistakes)
    first_at: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Row:
    sheet: _Sheet
    line: int
    cells: Mapping[str, str]

    def wrong(self, column: str, what: str, cure: str) -> None:
        """Note what is wrong in one cell."""
        cell = self.sheet.columns.index(column) + 1 if column in self.sheet.columns else 1
        self.sheet.mistakes.add(Place(self.sheet.file, self.line, cell), f"{column}: {what}", cure)

    def text(self, column: str) -> str | None:
        """None: unknown; "": known to be empty."""
        cell = self.cells.get(column, "")
        return "" if cell == "none" else cell or None


def read_devices(path: Path, mdms: Iterable[str] | None = None) -> Devices:
    """
    The devices of one file. Raises nothing.

    Args:
        mdms: Names that the column `mdm` may say. None: they are not checked.
    """
    mistakes = Mistakes()
    data = read_bytes(path, mistakes, largest=LARGEST_LIST)
    if data is None:
        return Devices(None, mistakes.in_order(), ())
    return parse_devices(data, str(path), mdms)


def parse_devices(data: bytes, file: str, mdms: Iterable[str] | None = None) -> Devices:
    """The same of bytes that somebody sent."""
    sheet = _Sheet(file, None if mdms is None else tuple(mdms))
    text = _text(data, sheet)
    records = tuple(_records(text, sheet)) if text is not None else ()
    if sheet.mistakes:
        return Devices(None, sheet.mistakes.in_order(), ())
    return Devices(records, (), sheet.warnings.in_order())


# ---------------------------------------------------------------------------------- bytes to rows


def _text(data: bytes, sheet: _Sheet) -> str | None:
    place = Place(sheet.file)
    if len(data) > LARGEST_LIST:
        sheet.mistakes.add(place, f"larger than {LARGEST_LIST} bytes", "is this the list of devices?")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        cure = "save it as 'CSV UTF-8' (in a spreadsheet: the kind of file)"
        sheet.mistakes.add(Place(sheet.file, line), "this is not UTF-8", cure)
        return None
    if "\0" in text:
        sheet.mistakes.add(place, "this is not text", "save it as 'CSV UTF-8'")
        return None
    if not text.strip():
        sheet.mistakes.add(place, "the list is empty", f"begin it with a line such as {','.join(COLUMNS)}")
        return None
    return text


def _records(text: str, sheet: _Sheet) -> Iterator[Record]:
    rows = _rows(text, sheet)
    first = next(rows, None)
    if first is None or not _take_header(*first, sheet):
        return
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(sheet.columns):
            what = f"this row has {len(cells)} cells, the header has {len(sheet.columns)}"
            sheet.mistakes.add(Place(sheet.file, line), what, "put a text that holds the separator in quotes")
            continue
        by_column = {
            column: cell.strip() for column, cell in zip(sheet.columns, cells, strict=True) if column
        }
        yield _record(_Row(sheet, line, by_column))


def _rows(text: str, sheet: _Sheet) -> Iterator[tuple[int, list[str]]]:
    lines = text.splitlines(keepends=True)
    # Excel writes the separator that it used into a first line of its own.
    skipped = 1 if lines[0].lower().startswith("sep=") else 0
    reader = csv.reader(lines[skipped:], delimiter=_separator(lines[skipped:]), strict=True)
    line = skipped + 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cure = "close the quote; a quote inside a text is written twice"
            sheet.mistakes.add(Place(sheet.file, line), "the quotes of this row do not fit", cure)
            return
        yield line, cells
        line = skipped + reader.line_num + 1


def _separator(lines: list[str]) -> str:
    header = lines[0] if lines else ""
    return max(",;\t", key=header.count)


def _take_header(line: int, cells: list[str], sheet: _Sheet) -> bool:
    names = [_column(cell) for cell in cells]
    sheet.columns = tuple(names)
    for number, name in enumerate(names):
        place = Place(sheet.file, line, number + 1)
        if name and name in names[:number]:
            sheet.mistakes.add(place, f"two columns are named {shown(name)}", "keep one of the two")
        elif name and name not in COLUMNS:
            _warn_of_slip(name, place, sheet)
    if not any(name in names for name in _NAMES):
        cure = f"begin it with a line such as {','.join(COLUMNS)}"
        sheet.mistakes.add(Place(sheet.file, line), "no column 'serial', 'udid' or 'ecid'", cure)
        return False
    for name in ("status", "ownership", "mdm"):
        if name not in names:
            what = f"no column '{name}', so it is not known of any device"
            sheet.warnings.add(Place(sheet.file, line), what, "add it: what is not known is not touched")
    return True


def _column(cell: str) -> str:
    plain = cell.strip()
    own = plain.casefold().replace("-", "_").replace(" ", "_")
    return own if own in COLUMNS else plain


def _warn_of_slip(name: str, place: Place, sheet: _Sheet) -> None:
    cure = nearest(name, COLUMNS)
    if cure.startswith("did you mean"):
        sheet.warnings.add(place, f"the column {shown(name)} becomes an attribute", cure)


# -------------------------------------------------------------------------------------- row to record


def _record(row: _Row) -> Record:
    for column, cell in row.cells.items():
        if len(cell) > LONGEST_CELL or not cell.isprintable():
            row.wrong(
                column, "too long, or with signs that cannot be shown", "write a short text on one line"
            )
    ids = _ids(row)
    status, reason = _status(row)
    return Record(
        device="",
        ids=ids,
        name=row.text("name"),
        status=Status(status) if status else None,
        retired_reason=reason,
        ownership=Ownership(_word(row, "ownership") or "unknown"),
        mdm=_mdm(row),
        home=row.text("home"),
        labels=tuple(dict.fromkeys(re.findall(r"[^\s,;|]+", row.text("labels") or ""))),
        attributes=tuple((name, cell) for name, cell in row.cells.items() if name not in COLUMNS and cell),
    )


def _ids(row: _Row) -> Ids:
    ids = Ids(udid=_udid(row), ecid=_ecid(row), serial=_serial(row))
    by_udid = ecid_of(ids.udid) if ids.udid else None
    if ids == Ids() and not any(row.cells.get(name) for name in _NAMES):
        row.wrong(_NAMES[0], "this device has no name of its own", "write its serial, udid or ecid")
    if by_udid is not None and ids.ecid is not None and by_udid != ids.ecid:
        cure = f"the last 16 digits of this udid are the ecid 0x{by_udid:x}: correct one of the two"
        row.wrong("ecid", "udid and ecid are of two devices", cure)
    for column, value in (("serial", ids.serial), ("udid", ids.udid), ("ecid", ids.ecid)):
        if value is not None:
            _once(row, column, str(value))
    return ids if ids.ecid is not None or by_udid is None else replace(ids, ecid=by_udid)


def _once(row: _Row, column: str, value: str) -> None:
    first = row.sheet.first_at.setdefault((column, value), row.line)
    if first != row.line:
        row.wrong(column, f"the same one stands on line {first}", "keep one of the two rows")


def _serial(row: _Row) -> str | None:
    found = (row.text("serial") or "").upper()
    if found and not _SERIAL.fullmatch(found):
        row.wrong("serial", f"{shown(found)} is no serial number", "write its letters and digits only")
        return None
    return found or None


def _udid(row: _Row) -> str | None:
    found = canonical_udid(row.text("udid") or "")
    if found and not _UDID.fullmatch(found):
        row.wrong("udid", f"{shown(found)} is no UDID", "write its 24 or 40 hexadecimal digits")
        return None
    return found or None


def _ecid(row: _Row) -> int | None:
    found = row.text("ecid") or ""
    if not found:
        return None
    if _ROUNDED.fullmatch(found):
        row.wrong(
            "ecid", f"{shown(found)} was rounded by a spreadsheet", "make the column text, write it again"
        )
        return None
    is_hex = re.fullmatch(r"0[xX][0-9A-Fa-f]{1,16}", found)
    if not is_hex and not re.fullmatch(r"[0-9]{1,20}", found):
        row.wrong("ecid", f"{shown(found)} is no ECID", "write it as 0x1a2b3c4d5e6f or as a decimal number")
        return None
    number = int(found, 16 if is_hex else 10)
    if not 0 < number < 2**64:
        row.wrong("ecid", f"{shown(found)} is no ECID", "write a number of 64 bits that is not 0")
        return None
    return number


def _status(row: _Row) -> tuple[str | None, str | None]:
    status, reason = _word(row, "status"), _word(row, "retired_reason", may_be_none=True)
    if status in ("active", "pending") and reason:
        cure = f"write status 'retired', or take {shown(reason)} out"
        row.wrong("retired_reason", f"a reason for a device that is {status}", cure)
    return status, reason


def _word(row: _Row, column: str, *, may_be_none: bool = False) -> str | None:
    found = row.text(column)
    if found is None or (found == "" and may_be_none):
        return found
    word, choices = found.casefold(), WORDS[column].choices
    if word in choices:
        return word
    if column == "status" and word in WORDS["retired_reason"].choices:
        row.wrong(
            column, f"{shown(found)} is a reason", f"write 'retired', and {shown(word)} as retired_reason"
        )
    else:
        row.wrong(column, f"{shown(found or 'none')} is not known here", nearest(word, choices))
    return None


def _mdm(row: _Row) -> str | None:
    found = row.text("mdm")
    known = row.sheet.mdms
    if found and known is not None and found not in known:
        row.wrong("mdm", f"there is no MDM {shown(found)} in mamd.yaml", nearest(found, known))
    return found
