"""ASR: how a phone in restore mode takes the image of its system, part by part, and what it checks of it.

phone ── Initiate ──▶ host ── size of the image ──▶ phone ── OOBData: these bytes, please ──▶ … ── Payload ──▶
host ── 128 KiB and their SHA-1, again and again     (the dialogue of pymobiledevice3 restore/asr.py)
"""

from __future__ import annotations

import asyncio
import hashlib
import plistlib
from collections.abc import Callable
from typing import Any

from mamd.sim.tunnel import HostGone, Plist, Stream, parsed

CHUNK, CHECKSUM = 0x20000, 20
OUT_OF_BAND = 4096  # bytes that are asked for ahead, from the image's end and its beginning
END = b"</plist>\n"


class BadImage(Exception):
    """What came is not what its checksum, or the bytes sent ahead, say."""


async def receive_image(stream: Stream, *, stalls: bool, progress: Callable[[int], None]) -> int:
    """Take the image; its size in bytes. `progress` hears per cents. Raises `BadImage` and `HostGone`.

    With `stalls` it takes the first chunk and then nothing, for ever.
    """
    _send(stream, Command="Initiate", **{"Checksum Chunks": True})
    size = _size(parsed(await stream.read_until(END)))
    ahead = await _ask_ahead(stream, size)
    _send(stream, Command="Payload")
    for start in range(0, size, CHUNK):
        await _receive_chunk(stream, start, min(CHUNK, size - start), ahead)
        progress((start + CHUNK) * 100 // size)
        if stalls:
            await asyncio.Event().wait()
    return size


def _send(stream: Stream, **fields: Any) -> None:
    stream.send(plistlib.dumps(fields))


def _size(packet: Plist) -> int:
    payload = packet.get("Payload")
    size = payload.get("Size") if isinstance(payload, dict) else None
    if not isinstance(size, int) or size <= 0:
        raise HostGone
    return size


async def _ask_ahead(stream: Stream, size: int) -> dict[int, bytes]:
    """The image's last bytes, then its first ones, as a real phone goes about in it."""
    length, ahead = min(OUT_OF_BAND, size), {}
    for offset in (size - length, 0):
        _send(stream, Command="OOBData", **{"OOB Length": length, "OOB Offset": offset})
        ahead[offset] = await stream.read(length)
    return ahead


async def _receive_chunk(stream: Stream, start: int, length: int, ahead: dict[int, bytes]) -> None:
    received = await stream.read(length + CHECKSUM)
    chunk, checksum = received[:length], received[length:]
    if hashlib.sha1(chunk).digest() != checksum:
        raise BadImage(f"the chunk at {start} does not have its checksum")
    for offset, data in ahead.items():
        begin, end = max(offset, start), min(offset + len(data), start + length)
        if begin < end and chunk[begin - start : end - start] != data[begin - offset : end - offset]:
            raise BadImage(f"the bytes at {begin} are others than those sent ahead")
