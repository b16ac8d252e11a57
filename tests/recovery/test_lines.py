"""What an executor may say, and what it cannot make of us by saying something else."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from mamd.recovery import lines
from mamd.recovery.lines import (
    LONGEST_LINE,
    Checkpoint,
    DataRequest,
    Device,
    Done,
    Failed,
    Garbled,
    Line,
    Phase,
    Progress,
    Splitter,
    Stage,
    Transfer,
)
from mamd.recovery.progress import Course

WELL = {
    '{"event":"phase","name":"restoring"}': Phase(Stage.RESTORING),
    '{"event":"device","ecid":"0x1E","port":"2-1"}': Device(ecid=30, port="2-1"),
    '{"event":"transfer","name":"filesystem","done":1,"total":2}': Transfer("filesystem", 1, 2),
    '{"event":"progress","op":13,"name":"RESTORE_IMAGE","percent":7}': Progress(13, "RESTORE_IMAGE", 7),
    '{"event":"progress","op":14,"name":"x","percent":-1}': Progress(14, "x", 100),
    '{"event":"data_request","type":"NORData"}': DataRequest("NORData"),
    '{"event":"checkpoint","name":"c"}': Checkpoint("c"),
    '{"event":"failed","why":"x","status":-1}': Failed("x", 2**64 - 1),
    '{"event":"done","more":1}': Done(),
}
ILL = [
    "", "x", "[]", "1", '{"event":1}', '{"event":"phase","name":[]}', '{"event":"phase"}',
    '{"event":"transfer","name":"x","done":NaN,"total":1}',
    '{"event":"transfer","name":"x","done":1e999,"total":1}',
    '{"event":"device","ecid":"zz"}', '{"event":"device","ecid":' + "9" * 30 + "}", '{"event":"failed"}',
    "9" * 5000, "[" * 9000, '{"event":"progress","op":true}',
]  # fmt: skip

any_line = st.one_of(
    st.sampled_from(list(WELL)).map(str.encode),
    st.binary(max_size=60),
    st.dictionaries(
        st.sampled_from(["event", "name", "done", "total", "op", "percent", "type", "ecid", "why", "status"]),
        st.one_of(
            st.sampled_from(["phase", "device", "transfer", "progress", "failed", "restoring"]),
            st.integers(),
            st.floats(),
            st.text(max_size=8),
            st.none(),
            st.lists(st.integers(), max_size=2),
        ),
    ).map(lambda plain: json.dumps(plain).encode()),
)


def test_each_line_of_the_contract_is_read_as_what_it_says() -> None:
    """The words that an executor may use, each with its meaning."""
    assert {text: lines.read(text.encode()) for text in WELL} == WELL


def test_whatever_else_it_says_is_garbled() -> None:
    """A line that is none is kept as one, and never an exception."""
    assert [type(lines.read(text.encode())) for text in ILL] == [Garbled] * len(ILL)


@given(st.binary(max_size=400), st.lists(st.integers(1, 50), max_size=20))
@example(b"\n" * 5, [1, 1])
@example(b"x" * (LONGEST_LINE + 1) + b'\n{"event":"done"}\n', [LONGEST_LINE])
def test_how_bytes_arrive_does_not_change_what_they_say(data: bytes, cuts: list[int]) -> None:
    """Lines that come in pieces, or many at once, are the same lines."""
    whole = _split([data])
    pieces, rest = [], data
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    assert _split([*pieces, rest]) == whole
    assert all(len(getattr(line, "beginning", "")) <= 121 for line in whole)


@given(st.lists(any_line, max_size=30))
def test_a_bar_never_runs_backwards_and_what_is_gone_stays_gone(said: list[bytes]) -> None:
    """Whatever an executor says, people see a bar that only grows, and 100 only with 'done'."""
    course = Course()
    for text in said:
        line = lines.read(text)
        after = course.after(line)
        assert course.percent <= after.percent <= 100
        assert after.percent < 100 or course.percent == 100 or isinstance(line, Done)
        assert after.is_past_return >= course.is_past_return
        course = after


def test_the_point_of_no_return_is_known_by_what_destroys() -> None:
    """From there on the old system is gone, and only another restore helps."""
    destroys = [
        DataRequest("SystemImageData"),
        Progress(11, "", 0),
        Progress(None, "CREATE_FILESYSTEM", None),
        Progress(42, "42", 0),
    ]
    keeps = [
        Phase(Stage.RESTORING), DataRequest("RootTicket"), Progress(38, "CHECK_BATTERY_VOLTAGE", 0),
        Transfer("RestoreRamDisk", 1, 1), Garbled("x", "CREATE_FILESYSTEM"),
    ]  # fmt: skip
    assert all(Course().after(line).is_past_return for line in destroys)
    assert not any(Course().after(line).is_past_return for line in keeps)


def test_a_restore_s_bar_goes_by_the_image() -> None:
    """Most of the bar is the image; the uploads before it are little."""
    said: list[Line] = [
        Phase(Stage.FIND_RECOVERY), Phase(Stage.TSS_AND_IBEC), Transfer("RestoreRamDisk", 9, 9),
        Phase(Stage.WAIT_RESTORE_MODE), Phase(Stage.RESTORING), Transfer("filesystem", 5, 10),
        Progress(14, "VERIFY_RESTORE", 50), Progress(18, "FLASH_FIRMWARE", 100), Done(),
    ]  # fmt: skip
    course, percents = Course(), []
    for line in said:
        course = course.after(line)
        percents.append(course.percent)
    assert percents == [1, 3, 10, 11, 14, 45, 80, 92, 100]


def _split(pieces: list[bytes]) -> list[Line]:
    splitter = Splitter()
    heard = [one for piece in pieces for one in splitter.feed(piece)]
    heard += splitter.last()
    assert not heard or heard[-1].end == sum(map(len, pieces)) or pieces[-1] == b""
    return [one.line for one in heard]
