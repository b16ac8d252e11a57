"""
Pair records: what this host must show a device to be let in. Each holds private keys.

Ours lie in `STATE/pair_records/UDID.plist`, 0600 in a folder 0700. usbmuxd's are only read.
"""

import asyncio
import os
import plistlib
import re
import ssl
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from mamd.launchpad import mux, plist
from mamd.launchpad.plist import Garbled, Message

_NAME: Final = re.compile(r"[0-9A-F]{8}-[0-9A-F]{16}|[0-9A-F]{40}")
_FILE: Final = plist.Bounds(size=256 << 10, nodes=200, depth=4)
CONTEXTS: Final = 64
"""So many are kept: one is 60 kB and 1 ms to make, and our own records all share one certificate."""
_CERTIFICATES: Final = ("HostCertificate", "HostPrivateKey", "RootCertificate", "DeviceCertificate")


class Unreadable(Exception):
    """The store of records is at fault: that there is no record cannot be concluded from it."""


@dataclass(frozen=True, slots=True)
class PairRecord:
    """
    One record, as far as a session needs it.

    Attributes:
        start_session: The request, encoded.
        pem: The host's certificate and its key.
    """

    host_id: str
    start_session: bytes = field(repr=False)
    pem: bytes = field(repr=False)

    @classmethod
    def of(cls, message: Message) -> "PairRecord":
        """Read a record. Raises `Garbled` if it has no HostID or SystemBUID."""
        host_id, buid = message.get("HostID"), message.get("SystemBUID")
        if not isinstance(host_id, str) or not isinstance(buid, str):
            raise Garbled("a pair record without HostID or SystemBUID")
        request = {"Label": "mamd", "Request": "StartSession", "HostID": host_id, "SystemBUID": buid}
        return cls(host_id, plist.encoded(request), _pem(message))

    @property
    def context(self) -> ssl.SSLContext | None:
        """TLS with the host's certificate; None if the record's certificates are none."""
        return _context(self.pem)


class Records:
    """The records of one host. Its own are cached until their file changes; usbmuxd's by their bytes."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "pair_records"
        self._own: dict[str, tuple[tuple[int, int, int], PairRecord]] = {}
        self._foreign: dict[str, tuple[bytes, PairRecord]] = {}  # with the digest of what was heard
        with suppress(OSError):  # each look will say so, as long as it is not there
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def own(self, udid: str) -> PairRecord | None:
        """
        Our own record of a device; None if there certainly is none.

        Raises:
            Unreadable: There may be one, but it cannot be read.
        """
        path = self._path(udid)
        try:
            status = path.stat()
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
            known = self._own.get(udid)
            if known is None or known[0] != stamp:
                known = self._own[udid] = (stamp, _read(path.read_bytes()))
        except FileNotFoundError:
            self._own.pop(udid, None)
            if not self.folder.is_dir():
                raise Unreadable(f"{self.folder}: it is gone; restore it, or make it (mode 0700)") from None
            return None
        except OSError as error:
            raise Unreadable(f"{path}: {os.strerror(error.errno or 0)}") from error
        except Garbled as error:
            raise Unreadable(f"{path}: it is no pair record; remove the file to pair again") from error
        return known[1]

    def foreign(self, udid: str, answer: bytes) -> PairRecord | None:
        """
        usbmuxd's record, from its answer to ReadPairRecord; None if it certainly has none.

        It is asked at each look, and its answer read only if it is another one than before.

        Raises:
            Unreadable: It cannot read its records, or what it has is none.
            Garbled: Its answer is none.
        """
        known, digest = self._foreign.get(udid), sha256(answer).digest()
        if known is not None and known[0] == digest:
            return known[1]
        record = _record_in(udid, mux.heard(answer))
        if record is not None:
            self._foreign[udid] = (digest, record)
        return record

    def proven(self, udid: str) -> PairRecord | None:
        """usbmuxd's record as it was last heard, for a device that let us in with it."""
        known = self._foreign.get(udid)
        return known[1] if known is not None else None

    async def keep(self, udid: str, message: Message) -> None:
        """
        Write our own record, durably, in place of the one before.

        Raises:
            Unreadable: It could not be written; the one before is still there.
        """
        data = plistlib.dumps(message)
        try:
            await asyncio.to_thread(write_secret, self._path(udid), data)
        except OSError as error:
            raise Unreadable(f"{self.folder}: {os.strerror(error.errno or 0)}") from error

    def forget(self, udid: str) -> None:
        """Drop what is cached in memory; files stay."""
        self._own.pop(udid, None)
        self._foreign.pop(udid, None)

    def _path(self, udid: str) -> Path:
        # A UDID comes from a device; none of them may choose a path.
        assert _NAME.fullmatch(udid), "only canonical UDIDs name records"
        return self.folder / f"{udid}.plist"


def write_secret(path: Path, data: bytes) -> None:
    """
    Write a file that only we may read: whole or not at all, and durable when this returns.

    Blocks; call it in a thread. Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600 from the start
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _record_in(udid: str, answer: mux.Heard) -> PairRecord | None:
    if answer == mux.Result(mux.NO_ENTRY):
        return None
    if not isinstance(answer, mux.PairRecordData):
        raise Unreadable("usbmuxd cannot read its pair records; see that it may read /var/lib/lockdown")
    try:
        return _read(answer.data)
    except Garbled as error:
        raise Unreadable(f"usbmuxd's record of {udid} is no pair record") from error


def _read(data: bytes) -> PairRecord:
    return PairRecord.of(plist.message(data, _FILE))


def _pem(message: Message) -> bytes:
    pems = [message.get(name) for name in _CERTIFICATES[:2]]
    return b"\n".join(pem for pem in pems if isinstance(pem, bytes))


@lru_cache(CONTEXTS)
def _context(pem: bytes) -> ssl.SSLContext | None:
    """How pymobiledevice3 goes about it: the host's certificate, and no questions to the device's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # Old devices sign with SHA-1 and 1,024 bits (libimobiledevice src/idevice.c sets level 0, too).
    context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")
    try:
        _load(context, pem)
    except (ssl.SSLError, ValueError):
        return None
    return context


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """OpenSSL takes keys from files only; this one is gone before anybody could open it."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("pair-record", os.MFD_CLOEXEC)
        with open(handle, "wb") as file:
            file.write(pem)
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{handle}")
        return
    with tempfile.NamedTemporaryFile() as file:  # 0600
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)
