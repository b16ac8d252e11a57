"""A Launchpad without cables, for `mamd demo`, for tests, and for sites that rehearse their own rules.

It speaks the real protocols (usbmux, lockdown, sysfs, MDM) in a process of its own; nothing of the daemon is
imported here, and the daemon cannot tell the difference.
"""
