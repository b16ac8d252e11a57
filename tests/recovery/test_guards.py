"""The bounds that our worker puts on pymobiledevice3, each by itself; a new version of it shows here."""

import inspect
import io
import mmap
import os
import zipfile
from pathlib import Path

import pytest
from pymobiledevice3 import irecv
from pymobiledevice3.restore import asr, restore, restored_client, tss
from pymobiledevice3.usbmux import MuxDevice

from mamd.recovery import restored_door
from mamd.recovery.causes import Cause, Ended
from mamd.recovery.ended import ended
from mamd.recovery.firmware_files import MappedDirectory, opened
from mamd.recovery.lines import DataRequest, Progress, Splitter, Transfer
from mamd.recovery.speaker import Speaker, SpokenBar


def test_the_library_still_has_what_is_replaced_in_it() -> None:
    """An update of pymobiledevice3 that moves one of these is found before it is rolled out."""
    for module in (irecv, asr, restore):
        assert hasattr(module, "ProgressBar")
    assert tss.TSS_CONTROLLER_ACTION_URL.endswith("/TSS/controller?action=2")
    assert list(inspect.signature(irecv.IRecv._reinit).parameters) == [
        "self",
        "ecid",
        "timeout",
        "is_recovery",
    ]
    assert "unknown data request " in inspect.getsource(restore.Restore.handle_data_request_msg)
    assert "_restore_finished" in inspect.getsource(restore.Restore.restore_device)
    assert "ServiceConnection.create_using_usbmux" in inspect.getsource(restore)
    assert "self._tasks.append" in inspect.getsource(restore.Restore.handle_async_data_request_msg)
    assert "_connect" in vars(restored_client.RestoredClient)


def test_a_big_member_is_mapped_and_a_small_one_read(tmp_path: Path) -> None:
    """Two gigabytes of system are in memory once, however many workers send them."""
    (tmp_path / "big").write_bytes(b"x" * 100)
    (tmp_path / "small").write_bytes(b"y")
    archive = MappedDirectory(tmp_path, mapped_from=100)
    big = archive.read("big")
    assert isinstance(big, mmap.mmap)
    assert (len(big), big[:3], archive.read("small")) == (100, b"xxx", b"y")
    with archive.open("big") as file:
        assert file.read() == big[:]


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../secret", "link"])
def test_a_firmware_reads_nothing_outside_itself(tmp_path: Path, path: str) -> None:
    """A manifest that names a file of this host does not get it."""
    (tmp_path / "secret").write_text("x")
    folder = tmp_path / "firmware"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(FileNotFoundError, match="not a member"):
        MappedDirectory(folder).read(path)


@pytest.mark.parametrize("firmware", ["http://127.0.0.1:9/x.ipsw", "/no/such/folder"])
def test_a_firmware_is_never_fetched_by_a_worker(firmware: str) -> None:
    """What is not on this disk is not begun with."""
    with pytest.raises(FileNotFoundError):
        opened(firmware)


def test_the_bar_says_little(tmp_path: Path) -> None:
    """A transfer of a million pieces is some lines, and its end is always one of them."""
    with _file(tmp_path) as file:
        SpokenBar.speaker = Speaker(file.fileno())
        with SpokenBar(total=1_000_000, desc="filesystem", unit="B") as bar:
            for _ in range(1_000_000 // 50):
                bar.update(50)
    lines = [heard.line for heard in Splitter().feed((tmp_path / "lines").read_bytes())]
    assert len(lines) < 60
    assert lines[-1] == Transfer("filesystem", 1_000_000, 1_000_000)


def test_a_restore_that_cannot_note_its_point_of_no_return_does_not_pass_it(tmp_path: Path) -> None:
    """On a full disk nothing is erased; anything else that cannot be said costs nothing."""
    full = os.open("/dev/full", os.O_WRONLY)
    speaker = Speaker(full)
    speaker.checkpoint("x")
    speaker.progress(11, "CREATE_PARTITION_MAP", 0)
    speaker.data_request("RootTicket")
    with pytest.raises(Ended, match="make room") as caught:
        speaker.data_request("SystemImageData")
    os.close(full)
    assert caught.value.cause is Cause.MISCONFIGURED
    with _file(tmp_path) as file:
        Speaker(file.fileno()).data_request("SystemImageData")
        Speaker(file.fileno()).progress(42, "WIPE_STORAGE_DEVICE", 3)
    lines = [heard.line for heard in Splitter().feed((tmp_path / "lines").read_bytes())]
    assert lines == [DataRequest("SystemImageData"), Progress(42, "WIPE_STORAGE_DEVICE", 3)]


def test_restored_is_looked_for_where_it_may_be() -> None:
    """A neighbour whose UDID holds another ECID is not spoken to; an old one's does not say."""
    ours, theirs, old = (
        MuxDevice(devid=number, serial=serial, connection_type="USB")
        for number, serial in enumerate(["00008110-000D2C1834E2001E", "00008110-000D2C1834E2002E", "a" * 40])
    )
    found = restored_door.candidates([theirs, old, ours], 0x000D2C1834E2001E, ours.serial)
    assert found == [ours, old]
    assert restored_door.candidates([theirs, old, ours], 0x1, old.serial) == [old]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TimeoutError(), Cause.DEVICE_LOST),
        (ConnectionResetError(), Cause.DEVICE_LOST),
        (zipfile.BadZipFile("no zip"), Cause.BAD_FIRMWARE),
        (FileNotFoundError("iBEC"), Cause.BAD_FIRMWARE),
        (KeyError("x"), Cause.OTHER),
        (MemoryError(), Cause.OTHER),
        (Ended(Cause.NO_DEVICE, "gone"), Cause.NO_DEVICE),
    ],
)
def test_whatever_ends_an_attempt_has_a_cause(error: BaseException, cause: Cause) -> None:
    """No exception of the library's reaches a person as it is."""
    assert ended(error).cause is cause
    assert "\n" not in ended(error).why


def _file(folder: Path) -> io.FileIO:
    return io.FileIO(folder / "lines", "w")
