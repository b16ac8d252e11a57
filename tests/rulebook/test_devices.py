"""The list of devices: as spreadsheets write it, with every mistake at once, and never half."""

from dataclasses import replace
from pathlib import Path

import pytest

from mamd.core.facts import Custody, Ids, Ownership, Record, Status
from mamd.rulebook import compare, parse_devices, read_devices

HEADER = "serial,udid,ecid,name,status,retired_reason,ownership,mdm,home,labels,Room\n"
ROW = "c39xk1abcd12,00008101-000a1b2c3d4e5f60,,Ward 3 no. 7,active,,shared,hospital,ward-3,floor-3 blue,12\n"


def _records(text: str, mdms: tuple[str, ...] | None = None) -> tuple[Record, ...]:
    devices = parse_devices(text.encode(), "devices.csv", mdms)
    assert devices.records is not None, [str(mistake) for mistake in devices.mistakes]
    return devices.records


def _said(text: str, mdms: tuple[str, ...] | None = None) -> list[str]:
    devices = parse_devices(text.encode(), "devices.csv", mdms)
    assert devices.records is None
    return [str(mistake) for mistake in devices.mistakes]


def test_a_row_is_a_device_with_all_that_it_says() -> None:
    """Names are written in one way, an ECID that the UDID tells is filled in, other columns are kept."""
    (record,) = _records(HEADER + ROW)
    assert record == Record(
        device="",
        ids=Ids("00008101-000A1B2C3D4E5F60", 0xA1B2C3D4E5F60, "C39XK1ABCD12"),
        name="Ward 3 no. 7",
        status=Status.ACTIVE,
        ownership=Ownership.SHARED,
        mdm="hospital",
        home="ward-3",
        labels=("floor-3", "blue"),
        attributes=(("Room", "12"),),
    )


def test_none_is_known_to_be_empty_and_an_empty_cell_is_not_known() -> None:
    """The two kinds of nothing stay apart."""
    one, other = _records("serial,retired_reason,home,ownership\nAAAA1,none,none,\nAAAA2,,,shared\n")
    assert (one.retired_reason, one.home, one.ownership) == ("", "", Ownership.UNKNOWN)
    assert (other.retired_reason, other.home, other.status) == (None, None, None)


@pytest.mark.parametrize(
    "text",
    [
        "serial;ecid;status\r\nAAAA1;0x1A;active\r\n",
        "serial\tecid\tstatus\nAAAA1\t26\tactive\n",
        "\N{ZERO WIDTH NO-BREAK SPACE}Serial,ECID,Status\nAAAA1,0x1a,Active\n\n,,\n",
        'sep=;\n"status";"ecid";"serial"\n"ACTIVE";"26";"aaaa1"',
    ],
)
def test_every_spreadsheets_csv_is_taken(text: str) -> None:
    """Separators, line ends, byte order marks and order of columns are the spreadsheet's business."""
    (record,) = _records(text)
    assert (record.ids, record.status) == (Ids(None, 26, "AAAA1"), Status.ACTIVE)


def test_every_mistake_is_told_at_once_with_line_and_column() -> None:
    """A person mends the whole list in one go."""
    rows = (
        "AAAA1,xyz,,a,lost,,shared,hopsital,,,\n"
        "AAAA1,,1.23E+15,b,active,expired,sharde,,,,\n"
        ",,,c,active,,shared,,,,\n"
        "AAAA2,00008101-000A1B2C3D4E5F60,0x1,d,active,,shared,,,,\n"
        "AAAA-3,,0x0,e,activ,,shared,,,,\n"
        "AAAA4,,99999999999999999999,f\n"
    )
    assert _said(HEADER + rows, ("hospital",)) == [
        "devices.csv:2:2: udid: 'XYZ' is no UDID; write its 24 or 40 hexadecimal digits",
        "devices.csv:2:5: status: 'lost' is a reason; write 'retired', and 'lost' as retired_reason",
        "devices.csv:2:8: mdm: there is no MDM 'hopsital' in mamd.yaml; did you mean 'hospital'?",
        "devices.csv:3:1: serial: the same one stands on line 2; keep one of the two rows",
        "devices.csv:3:3: ecid: '1.23E+15' was rounded by a spreadsheet; "
        "make the column text, write it again",
        "devices.csv:3:6: retired_reason: a reason for a device that is active; "
        "write status 'retired', or take 'expired' out",
        "devices.csv:3:7: ownership: 'sharde' is not known here; did you mean 'shared'?",
        "devices.csv:4:1: serial: this device has no name of its own; write its serial, udid or ecid",
        "devices.csv:5:3: ecid: udid and ecid are of two devices; "
        "the last 16 digits of this udid are the ecid 0xa1b2c3d4e5f60: correct one of the two",
        "devices.csv:6:1: serial: 'AAAA-3' is no serial number; write its letters and digits only",
        "devices.csv:6:3: ecid: '0x0' is no ECID; write a number of 64 bits that is not 0",
        "devices.csv:6:5: status: 'activ' is not known here; did you mean 'active'?",
        "devices.csv:7:1: this row has 4 cells, the header has 11; "
        "put a text that holds the separator in quotes",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the list is empty"),
        ("name,home\na,b\n", "no column 'serial', 'udid' or 'ecid'"),
        ("serial,Serial\nAAAA1,AAAA1\n", "two columns are named 'serial'"),
        ('serial,name\nAAAA1,"open\n', "the quotes of this row do not fit"),
        ("serial,ecid\nAAAA1,0x1A\nAAAA2,26\n", "3:2: ecid: the same one stands on line 2"),
        ("serial\0\n", "this is not text"),
    ],
)
def test_a_list_that_is_none_is_answered_in_one_line(text: str, said: str) -> None:
    """What is no list of devices says what it should look like."""
    (mistake,) = _said(text)
    assert said in mistake


def test_latin_letters_of_an_old_spreadsheet_are_named_with_the_cure() -> None:
    """A list in another encoding is refused before names are read wrong."""
    devices = parse_devices("serial,name\nAAAA1,Für\n".encode("latin-1"), "devices.csv")
    assert str(devices.mistakes[0]).startswith("devices.csv:2:1: this is not UTF-8; save it as 'CSV UTF-8'")


def test_a_column_that_looks_like_a_slip_is_warned_of() -> None:
    """A misspelt column would be an attribute that nobody asks for, and a device that is nobody's."""
    devices = parse_devices(b"serial,ownrship\nAAAA1,shared\n", "devices.csv")
    said = "\n".join(str(warning) for warning in devices.warnings)
    assert "the column 'ownrship' becomes an attribute; did you mean 'ownership'?" in said
    assert "no column 'ownership', so it is not known of any device" in said


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A file that somebody moved is a mistake, not an empty list."""
    assert "there is no such file" in str(read_devices(tmp_path / "gone.csv").mistakes[0])


# --------------------------------------------------------------------------------------- what would change

KNOWN = tuple(
    Record(
        f"d-{number}", Ids(serial=f"SER{number}", ecid=number), status=Status.ACTIVE, custody=Custody.OVERDUE
    )
    for number in range(1, 41)
)
LISTED = tuple(
    replace(one, device="", ids=Ids(serial=one.ids.serial), custody=Custody.CHECKED_IN) for one in KNOWN
)


def test_the_same_list_again_changes_nothing() -> None:
    """An import may be repeated; what only we know of a device stays."""
    found = compare(KNOWN, LISTED)
    assert (found.added, found.changed, found.left, found.contradictions) == ((), (), (), ())
    assert found.refusal is None


def test_what_is_new_changed_and_gone_is_told_apart() -> None:
    """A person sees what a list would do before it does it."""
    new = replace(LISTED[0], ids=Ids(serial="NEW1"))
    renamed = replace(LISTED[1], name="Ward 3")
    found = compare(KNOWN, (new, renamed, *LISTED[2:]))
    assert found.added == (new,)
    assert found.changed == ((KNOWN[1], replace(KNOWN[1], name="Ward 3")),)
    assert found.left == (replace(KNOWN[0], left_import=True),)
    assert found.refusal is None


def test_a_list_that_would_lose_many_is_refused_with_the_count() -> None:
    """Half a list is not taken for a whole one: two of forty may go, three may not."""
    assert compare(KNOWN, LISTED[2:]).refusal is None
    refusal = compare(KNOWN, LISTED[3:]).refusal
    assert refusal is not None
    assert "this list would lose 3 of 40 devices, which is more than 5 %" in refusal


def test_a_device_that_comes_back_to_the_list_is_ours_again() -> None:
    """What had left the list and is listed again loses its mark, and nothing else."""
    gone = replace(KNOWN[0], left_import=True)
    found = compare((gone, *KNOWN[1:]), LISTED)
    assert found.changed == ((gone, KNOWN[0]),)


@pytest.mark.parametrize(
    "row",
    [
        replace(LISTED[0], ids=Ids(serial="SER1", ecid=2)),
        replace(LISTED[0], ids=Ids(serial="SER1", ecid=77)),
    ],
)
def test_a_row_whose_names_are_of_two_devices_changes_neither(row: Record) -> None:
    """A row that mixes up two devices is shown to a person and not taken."""
    found = compare(KNOWN, (row, *LISTED[2:]))
    assert len(found.contradictions) == 1
    assert found.changed == ()
    assert KNOWN[0].device not in {one.device for one in found.left}
