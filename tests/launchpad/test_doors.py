"""Places are few; whoever matters most goes in first, and none is ever lost."""

import asyncio
from contextlib import suppress

from mamd.launchpad.doors import Doors, Rank


async def test_a_look_that_decides_goes_before_those_that_came_earlier() -> None:
    """Looks that a wait is due on go first; devices that let their last look time out go last."""
    doors, order = Doors(1), []

    async def look(rank: Rank, name: str) -> None:
        async with doors.place(rank):
            order.append(name)

    async with doors.place(Rank.ANSWERS):
        waiting = [
            asyncio.create_task(look(rank, name))
            for rank, name in (
                (Rank.SILENT, "silent"),
                (Rank.ANSWERS, "first"),
                (Rank.ANSWERS, "second"),
                (Rank.DECIDES, "decides"),
            )
        ]
        await asyncio.sleep(0)
        assert order == []
    await asyncio.gather(*waiting)
    assert order == ["decides", "first", "second", "silent"]


async def test_a_place_left_early_is_given_once() -> None:
    """Leaving twice lets no two others in."""
    doors = Doors(1)
    async with doors.place(Rank.ANSWERS) as place:
        place.leave()
        await doors.enter(Rank.ANSWERS)
        place.leave()
        late = asyncio.create_task(doors.enter(Rank.ANSWERS))
        await asyncio.sleep(0)
        assert not late.done()
    await asyncio.sleep(0)
    assert not late.done()
    doors.leave()
    await late


async def test_whoever_gives_up_waiting_takes_no_place_along() -> None:
    """Also in the very moment in which it would have been its turn."""
    doors = Doors(1)
    await doors.enter(Rank.ANSWERS)
    given_up, late = (asyncio.create_task(doors.enter(Rank.ANSWERS)) for _ in range(2))
    await asyncio.sleep(0)
    doors.leave()
    given_up.cancel()
    with suppress(asyncio.CancelledError):
        await given_up
    await asyncio.wait_for(late, 1)
