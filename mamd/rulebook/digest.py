"""Names a rule set by a hash of what it says, not of how it is laid out, for the journal."""

import hashlib
import json
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final

from mamd.core.rules import RuleSet

_NOT_MEANT: Final = frozenset({"hash", "where"})


def canonical(value: Any) -> Any:
    """Plain JSON data of frozen values: mappings by field, enums by value. Without where a rule stands."""
    if is_dataclass(value):
        names = [field.name for field in fields(value) if field.name not in _NOT_MEANT]
        return {name: canonical(getattr(value, name)) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [canonical(one) for one in value]
    return value


def hash_of(rules: RuleSet) -> str:
    """The SHA-256, in hex, of the canonical JSON; the same on every host and in every run."""
    text = json.dumps(canonical(rules), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(rules: RuleSet) -> RuleSet:
    """The rule set carrying its own hash."""
    return replace(rules, hash=hash_of(rules))
