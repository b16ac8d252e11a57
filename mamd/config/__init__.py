"""
What an operator wrote down about this Launchpad, checked at the door.

    find_config ─▶ read_settings ─▶ Settings, or every mistake at once with its place and cure

`strict_yaml`, `forms` and `mistakes` read what people write; the rulebook reads with them, too.
"""

from mamd.config.load import Read, find_config, read_settings
from mamd.config.mistakes import Mistake, Place
from mamd.config.secret import Secret
from mamd.config.settings import Settings

__all__ = ["Mistake", "Place", "Read", "Secret", "Settings", "find_config", "read_settings"]
