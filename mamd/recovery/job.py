"""
What an executor is told, as one line of JSON on its standard input.

The ECID travels as text (`"0x000D2C1834E2001E"`): it has 64 bits, and many readers of JSON keep 53.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

VERSION: Final = 1
LONGEST_JOB: Final = 65_536
_ECID: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}\Z")
_FUNCTION: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z", re.ASCII)


class BadJob(ValueError):
    """This is not a job. Says which of its parts is not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    How long our own worker waits for others, in seconds.

    They lie below the parent's clocks (`executor.Clocks`), so that the worker can say what was wrong.

    Attributes:
        find_s: For the device in recovery mode.
        again_s: For it to come back after it was sent iBEC.
        connect_s, answer_s: For Apple's servers.
        restore_mode_s: From `bootx` to restored's answer (idevicerestore waits as long).
        data_port_s: For a data port that restored has named.
    """

    find_s: float = 75.0
    again_s: float = 90.0
    connect_s: float = 10.0
    answer_s: float = 60.0
    restore_mode_s: float = 300.0
    data_port_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """
    One attempt at one erase-and-update.

    Attributes:
        op_id: Names the attempt; one of a kind for ever.
        port: The path in sysfs where the device was when this was decided, such as `2-1.4`.
        firmware: A folder (an extracted IPSW) or an .ipsw file.
        attempt: Counts from 1.
        deadline_s: For the whole attempt, from its start.
        usbmux: A path or HOST:PORT, as USBMUXD_SOCKET_ADDRESS has it.
        usb: `module:function` that gives a pyusb backend; None is libusb.
        tss: The signing server's address, if it is not Apple's.
    """

    op_id: str
    ecid: int
    udid: str | None
    serial: str | None
    port: str
    product_type: str
    firmware: str
    attempt: int
    deadline_s: float
    usbmux: str
    usb: str | None = None
    tss: str | None = None
    limits: Limits = Limits()

    @property
    def ecid_text(self) -> str:
        """As `idevicerestore -i` takes it, and as it stands in the job."""
        return f"0x{self.ecid:016X}"

    def line(self) -> str:
        """The JSON, with its line feed."""
        plain: dict[str, Any] = {"v": VERSION, **asdict(self), "ecid": self.ecid_text}
        plain["usb"] = "libusb1" if self.usb is None else {"python": self.usb}
        return json.dumps(plain, separators=(",", ":")) + "\n"

    def words(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """These with `{ecid}`, `{udid}`, `{port}` and `{firmware}` filled in; other braces stay."""
        fill = {
            "{ecid}": self.ecid_text,
            "{udid}": self.udid or "",
            "{port}": self.port,
            "{firmware}": self.firmware,
        }
        found = re.compile("|".join(map(re.escape, fill)))
        return tuple(found.sub(lambda match: fill[match.group()], word) for word in command)


def read(text: str) -> Job:
    """
    A job from its line. Keys that this version does not know are left alone.

    Raises:
        BadJob: It is not JSON, of another version, or a part is missing or of the wrong kind.
    """
    try:
        plain = json.loads(text[:LONGEST_JOB])
    except (ValueError, RecursionError) as error:
        raise BadJob("the job is not one line of JSON") from error
    if not isinstance(plain, dict) or plain.get("v") != VERSION:
        raise BadJob(f"the job is not of version {VERSION}")
    return Job(
        op_id=_text(plain, "op_id"),
        ecid=_ecid(plain),
        udid=_maybe_text(plain, "udid"),
        serial=_maybe_text(plain, "serial"),
        port=_text(plain, "port"),
        product_type=_text(plain, "product_type"),
        firmware=_text(plain, "firmware"),
        usbmux=_text(plain, "usbmux"),
        tss=_maybe_text(plain, "tss"),
        attempt=int(_number(plain, "attempt")),
        deadline_s=_number(plain, "deadline_s"),
        usb=_usb(plain.get("usb")),
        limits=_limits(plain.get("limits")),
    )


def _text(plain: Mapping[str, Any], name: str) -> str:
    value = plain.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise BadJob(f"'{name}' is not a text")
    return value


def _maybe_text(plain: Mapping[str, Any], name: str) -> str | None:
    return None if plain.get(name) is None else _text(plain, name)


def _number(plain: Mapping[str, Any], name: str) -> float:
    value = plain.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise BadJob(f"'{name}' is not a number above 0")
    return value


def _ecid(plain: Mapping[str, Any]) -> int:
    text = _text(plain, "ecid")
    if _ECID.match(text) is None:
        raise BadJob("'ecid' is not 0x and up to 16 hex digits")
    return int(text, 16)


def _usb(plain: object) -> str | None:
    if plain is None or plain == "libusb1":
        return None
    named = plain.get("python") if isinstance(plain, dict) else None
    if not isinstance(named, str) or _FUNCTION.match(named) is None:
        raise BadJob("'usb' is neither libusb1 nor {python: 'module:function'}")
    return named


def _limits(plain: object) -> Limits:
    if plain is None:
        return Limits()
    if not isinstance(plain, dict):
        raise BadJob("'limits' is not an object")
    known = {field.name for field in fields(Limits)}
    return Limits(**{name: _number(plain, name) for name in plain.keys() & known})
