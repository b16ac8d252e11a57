"""What a section of mamd.yaml is read with, and how the readers of sections ask for what they need."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mamd.config import forms
from mamd.config.forms import Form, Reader
from mamd.config.mistakes import Mistakes, shown
from mamd.config.secret import Secret, secret_reader
from mamd.config.strict_yaml import Node
from mamd.core.rules import Mode


@dataclass(slots=True)
class Door:
    """What a section is read with: where paths begin, the environment, and where mistakes go."""

    base: Path
    environ: Mapping[str, str]
    mistakes: Mistakes = field(default_factory=Mistakes)
    warnings: Mistakes = field(default_factory=Mistakes)

    @property
    def secret(self) -> Reader[Secret]:
        """Reads a secret."""
        return secret_reader(self.base, self.environ)

    def path(self, node: Node, mistakes: Mistakes) -> Path | None:
        """A path, relative to the file."""
        found = forms.text(node, mistakes)
        if found is not None and "\0" in found:
            mistakes.add(node.place, f"{shown(found)} is no path", "write a path")
            return None
        return None if found is None else self.base / found

    def existing(self, node: Node, mistakes: Mistakes) -> Path | None:
        """A path of something that must be there."""
        found = self.path(node, mistakes)
        if found is not None and not os.path.exists(found):
            cure = "make it, or name another (a relative path begins beside mamd.yaml)"
            mistakes.add(node.place, f"there is no {found}", cure)
            return None
        return found

    def form(self, node: Node | None, cure: str) -> Form | None:
        """A section as a form; None if it is not there or is none."""
        return None if node is None else forms.form(node, self.mistakes, cure)


def mode_at(form: Form, key: str, default: Mode) -> Mode:
    """A mode, or what holds where none is written."""
    return form.read(key, forms.member(Mode)) or default
