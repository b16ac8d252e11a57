"""
`mamd demo`: a simulated Launchpad and MDM, the real daemon, over the real protocols, judged by the wire.

    scenario.yaml ─▶ simulator ◀── usbmux, lockdown, MDM ──▶ daemon ──▶ pager
                         │ record                                        │ calls
                         └──────────────────▶ judge ◀────────────────────┘
"""

from mamd.cli.demo.play import demo

__all__ = ["demo"]
