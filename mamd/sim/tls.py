"""TLS inside a connection that already carries something else, without sockets: bytes in, bytes out."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable

READ_AT_ONCE = 65536


class TlsServer:
    """The server's end. Give it what came in; what must go out is handed to `send`.

    It ends when the peer says goodbye (`ended`); the bytes after that are the caller's again.
    """

    def __init__(self, context: ssl.SSLContext, send: Callable[[bytes], None]) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._send = send
        self.established = False
        self.ended = False

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the wire; the plain text they hold, if any. Raises `ssl.SSLError`."""
        self._incoming.write(data)
        try:
            if not self.established:
                self._tls.do_handshake()
                self.established = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        finally:
            self._flush()

    def send(self, plain: bytes) -> None:
        """Encrypt and send."""
        self._tls.write(plain)
        self._flush()

    def _read(self) -> bytes:
        plain = bytearray()
        while True:
            try:
                chunk = self._tls.read(READ_AT_ONCE)
            except ssl.SSLWantReadError:
                return bytes(plain)
            except ssl.SSLZeroReturnError:
                chunk = b""
            if not chunk:
                self._say_goodbye()
                return bytes(plain)
            plain += chunk

    def _say_goodbye(self) -> None:
        self.ended = True
        # The peer's goodbye is in already: only ours has to go out, and nothing is waited for.
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()

    def _flush(self) -> None:
        if out := self._outgoing.read():
            self._send(out)
