"""
Runs the core: everything that happens goes through the keeper, one turn at a time.

    launchpad, MDM, clock, people ──▶ keeper ──▶ core.turn ──▶ store ──▶ what was asked for
                                        ▲                                       │
                                        └──────────── what came of it ──────────┘
"""
