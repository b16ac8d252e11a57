"""
Reads what a site wrote down about what to do, or says where it is wrong and what would be right.

    load_all(paths, Site.of(settings)) ─▶ rules, mistakes, warnings
    describe(rules) ─▶ text                    what was understood, and what is built in
    read_devices(path) ─▶ records, mistakes, warnings
    compare(known, records) ─▶ what a list of devices would change
"""

from mamd.rulebook.compare import Comparison, compare
from mamd.rulebook.describe import describe
from mamd.rulebook.devices import Devices, parse_devices, read_devices
from mamd.rulebook.digest import hash_of
from mamd.rulebook.lint import Site
from mamd.rulebook.load import Loaded, load_all, load_text
from mamd.rulebook.switches import with_switches

__all__ = [
    "Comparison",
    "Devices",
    "Loaded",
    "Site",
    "compare",
    "describe",
    "hash_of",
    "load_all",
    "load_text",
    "parse_devices",
    "read_devices",
    "with_switches",
]
