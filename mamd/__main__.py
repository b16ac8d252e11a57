"""`python -m mamd`: the command line, where its script is not in PATH."""

from mamd.cli import main

main()
