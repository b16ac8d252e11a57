"""
Brings secrets from where they may lie to where they are used, and shows them to nobody on the way.

In mamd.yaml a secret is where it is to be found, never the secret itself:
`{credential: NAME}` (systemd.exec(5), LoadCredential), `{file: PATH}` or `{env: NAME}`.
"""

import hmac
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from mamd.config import forms
from mamd.config.files import NotAFile, read_regular
from mamd.config.forms import Reader
from mamd.config.mistakes import Mistakes, Place, shown
from mamd.config.strict_yaml import Fields, Leaf, Node

LARGEST: Final = 65_536
_WRITE_IT: Final = "write {credential: NAME}, {file: PATH} or {env: NAME}; a secret never stands here itself"


class Secret:
    """
    Bytes that no log, error or traceback shows; `reveal` is the only way to them.

    Equal to another with the same bytes, compared in constant time. Not hashable, not pickled.
    """

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret would be a trace of it
    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes, for whoever sends them or reckons with them, and holds them no longer."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def secret_reader(base: Path, environ: Mapping[str, str]) -> Reader[Secret]:
    """
    A reader of secrets. No mistake that it notes holds anything of a secret, or of what stands in its place.

    Args:
        base: What relative paths are relative to.
        environ: Where `env` and CREDENTIALS_DIRECTORY are looked up.
    """

    def read(node: Node, mistakes: Mistakes) -> Secret | None:
        way = _way(node, mistakes)
        if way is None:
            return None
        kind, name = way
        if kind.text == "env":
            found = _of_environment(name, environ, mistakes)
        elif kind.text == "file":
            found = _of_file(base / name.text, name.place, mistakes, is_ours_to_guard=True)
        else:
            found = _of_credential(name, environ, mistakes)
        return _not_empty(found, name.place, mistakes)

    return read


def _way(node: Node, mistakes: Mistakes) -> tuple[Leaf, Leaf] | None:
    # What stands here may be the secret itself, so nothing of it is shown.
    if not isinstance(node, Fields) or len(node.pairs) != 1:
        forms.wrong_kind(node, mistakes, "this is not where a secret is to be found", _WRITE_IT)
        return None
    kind, name = node.pairs[0]
    if kind.text not in ("credential", "file", "env"):
        mistakes.add(kind.place, "this is not where a secret is to be found", _WRITE_IT)
        return None
    if not isinstance(name, Leaf) or forms.text(name, Mistakes()) is None or "\0" in name.text:
        forms.wrong_kind(name, mistakes, f"'{kind.text}' without a name", _WRITE_IT)
        return None
    return kind, name


def _of_environment(name: Leaf, environ: Mapping[str, str], mistakes: Mistakes) -> bytes | None:
    value = environ.get(name.text)
    if value is None:
        what = f"the environment has no {shown(name.text)}"
        mistakes.add(name.place, what, "set it where mamd is started, or write {credential: NAME}")
        return None
    return value.encode("utf-8", "surrogateescape")


def _of_credential(name: Leaf, environ: Mapping[str, str], mistakes: Mistakes) -> bytes | None:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        what = f"there are no credentials here, so none named {shown(name.text)}"
        cure = f"start mamd by systemd with LoadCredential={name.text}:PATH, or write {{file: PATH}}"
        mistakes.add(name.place, what, cure)
        return None
    if "/" in name.text or name.text in (".", ".."):
        mistakes.add(
            name.place, f"{shown(name.text)} is no name of a credential", "take the path away from it"
        )
        return None
    return _of_file(Path(folder) / name.text, name.place, mistakes, is_ours_to_guard=False)


def _of_file(path: Path, place: Place, mistakes: Mistakes, *, is_ours_to_guard: bool) -> bytes | None:
    """systemd guards its credentials by a folder of its own; any other file must guard itself."""
    try:
        found, mode = read_regular(path, LARGEST)
    except NotAFile:
        mistakes.add(place, f"{path} is not a file", "name a file that holds the secret")
        return None
    except OSError as error:
        what = f"{path} cannot be read ({error.strerror})"
        mistakes.add(place, what, "put the secret there, readable for mamd alone")
        return None
    if is_ours_to_guard and mode & 0o077:
        mistakes.add(place, f"others may read {path} ({stat.filemode(mode)})", f"chmod 600 {path}")
        return None
    return found


def _not_empty(found: bytes | None, place: Place, mistakes: Mistakes) -> Secret | None:
    if found is None:
        return None
    # Editors and echo leave a line end behind that is no part of the secret.
    kept = found.rstrip(b"\r\n")
    if not kept.strip() or len(kept) > LARGEST:
        what = "the secret is empty" if not kept.strip() else f"the secret is larger than {LARGEST} bytes"
        mistakes.add(place, what, "put the right one there")
        return None
    return Secret(kept)
