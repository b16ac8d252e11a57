"""iBoot's side of recovery mode: commands, variables, uploads over USB, and to what the phone starts by them.

As libirecovery (src/libirecovery.c) and pymobiledevice3 (irecv.py) speak it; any refusal is a stall.

    0x40, 0|1   a command, as text                0x41, 0    what comes on endpoint 4 is a new upload
    0xC0, 0     the answer to getenv              0x21, 1    the upload is complete
    go → iBEC; ramdisk, devicetree, firmware, rsepfirmware keep what was uploaded; bootx → restore mode
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from mamd.sim import image4
from mamd.sim.boot import RestoreFault, Stage
from mamd.sim.phone import Mode, Phone
from mamd.sim.record import Record
from mamd.sim.usb_wire import Stall

COMMAND, ASK, UPLOAD, COMPLETE = 0x40, 0xC0, 0x41, 0x21
UPLOAD_ENDPOINT = 0x04
NEEDED_TO_BOOT = {"rdsk", "rdtr"}
TO_RUN = {"go": "ibec", "bootx": "rkrn"}
VERSIONS = {Stage.IBOOT: "iBoot-11881.40.163", Stage.IBEC: "iBoot-11881.42.1"}
PRETENDED = ("setpicture", "bgcolor")  # people would see something


class IBoot:
    """iBoot on one attachment: what was uploaded and what was set dies with it, except for `saveenv`."""

    def __init__(self, phone: Phone, record: Record) -> None:
        self._phone, self._record = phone, record
        self._upload = bytearray()
        self._answer = b""
        self._loaded: set[str] = set()
        self._variables: dict[str, str] = {
            "build-version": VERSIONS[phone.boot.stage],
            "build-style": "RELEASE",
            "ramdisk-size": "0x20000000",
            "auto-boot": str(phone.boot.auto_boot).lower(),
        }

    def control(self, request_type: int, request: int, data: bytes) -> bytes:
        """A control transfer; the answer of an IN one. Raises `Stall`."""
        if request_type == COMMAND:
            self._command(data.rstrip(b"\0").decode("ascii", "replace"))
        elif (request_type, request) == (ASK, 0):
            answer, self._answer = self._answer, b""
            return answer
        elif (request_type, request) == (UPLOAD, 0):
            self._upload.clear()
        elif (request_type, request) != (COMPLETE, 1):
            raise Stall
        return b""

    def write(self, endpoint: int, data: bytes) -> int:
        """A bulk transfer; how much of it was taken. Raises `Stall`."""
        if endpoint != UPLOAD_ENDPOINT:
            raise Stall
        self._upload += data
        return len(data)

    def _command(self, line: str) -> None:
        name, *words = line.split(" ")
        act = _COMMANDS.get(name)
        try:
            if act is None:
                raise Stall
            act(self, name, words)
        except Stall:
            self._note("usb.command", command=line, answer="stall")
            raise
        if name not in ("go", "bootx"):
            self._note("usb.command", command=line, answer="ok")

    def _getenv(self, name: str, words: list[str]) -> None:
        value = self._variables.get(" ".join(words))
        if value is None:
            raise Stall
        self._answer = value.encode() + b"\0"

    def _setenv(self, name: str, words: list[str]) -> None:
        if not words:
            raise Stall
        self._variables[words[0]] = " ".join(words[1:])

    def _saveenv(self, name: str, words: list[str]) -> None:
        self._phone.boot.auto_boot = self._variables["auto-boot"] == "true"

    def _reboot(self, name: str, words: list[str]) -> None:
        self._phone.reboot()

    def _load(self, name: str, words: list[str]) -> None:
        self._loaded.add(self._accepted(name).letters)

    def _go(self, name: str, words: list[str]) -> None:
        self._accepted(name)
        boot = self._phone.boot
        self._note("usb.command", command=name, answer="ok")
        if boot.strikes(RestoreFault.IBEC_LOST):
            self._phone.hang()
            return
        if boot.strikes(RestoreFault.IBEC_SLOW):
            boot.away_s = boot.slow_s
        self._phone.start_ibec()

    def _bootx(self, name: str, words: list[str]) -> None:
        self._accepted(name)
        if not self._loaded >= NEEDED_TO_BOOT or self._phone.boot.stage is not Stage.IBEC:
            raise Stall
        self._note("usb.command", command=name, answer="ok")
        falls_back = self._phone.boot.strikes(RestoreFault.BOOTX_FALLS_BACK)
        self._phone.enter_mode(Mode.RECOVERY if falls_back else Mode.RESTORING)

    def _pretend(self, name: str, words: list[str]) -> None:
        """Done, as far as a host can tell."""

    def _accepted(self, command: str) -> image4.Image:
        """What was uploaded, if a ticket for this phone and this start of it allows it. Raises `Stall`."""
        image = None
        with contextlib.suppress(image4.NotImage4):
            image = image4.read_image(self._upload)
        why = "no image" if image is None else self._wrong(image, TO_RUN.get(command))
        letters = image.letters if image else None
        self._note("usb.upload", command=command, component=letters, size=len(self._upload), wrong=why)
        if image is None or why is not None:
            raise Stall
        return image

    def _wrong(self, image: image4.Image, letters: str | None) -> str | None:
        model, ticket = self._phone.identity.model, image.ticket
        if (ticket.ecid, ticket.chip, ticket.board) != (self._phone.ecid, model.chip, model.board):
            return "a ticket for another phone"
        if ticket.nonce != self._phone.boot.ap_nonce:
            return "a ticket for an earlier start"
        if ticket.digests.get(image.letters) != image.digest:
            return "a component that the ticket does not allow"
        return None if letters in (None, image.letters) else f"not {letters}"

    def _note(self, kind: str, **fields: Any) -> None:
        self._record.note(kind, device=self._phone.udid, **fields)


_COMMANDS: dict[str, Callable[[IBoot, str, list[str]], None]] = {
    "getenv": IBoot._getenv,
    "setenv": IBoot._setenv,
    "setenvnp": IBoot._setenv,
    "saveenv": IBoot._saveenv,
    "reboot": IBoot._reboot,
    "go": IBoot._go,
    "bootx": IBoot._bootx,
    **dict.fromkeys(("ramdisk", "devicetree", "firmware", "rsepfirmware"), IBoot._load),
    **dict.fromkeys(PRETENDED, IBoot._pretend),
}
