"""
The command line. It talks to the daemon's HTTP API over its unix socket, never to its database,
and says a person's mistake in one clear line.
"""

from mamd.cli.app import main

__all__ = ["main"]
