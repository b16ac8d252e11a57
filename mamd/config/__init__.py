"""What an operator wrote down about this Launchpad: every mistake at once, with its place and cure."""
