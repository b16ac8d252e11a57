"""What every store promises, kept by each of them."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from mamd.core.errors import Unreachable
from mamd.core.facts import LinkState, Record
from mamd.ports import Changes, HoldRow, Snapshot
from mamd.store import MemoryStore
from tests.store.samples import (
    DAWN,
    call,
    command,
    enrolled,
    everything,
    link,
    record,
    rules,
    run,
    token,
    turn,
    turns,
)
from tests.store.shops import Shop

BROKEN = Changes(turns=(turn(99),), records=(Record(device=cast(str, None)),))
"""Changes whose record could not be read again."""


async def numbers(shop: Shop) -> list[int]:
    """Which of our turns are in the journal, in its order."""
    rows = await shop.store.journal(limit=100_000)
    return [row.body["number"] for row in rows if "number" in row.body]


# ------------------------------------------------------------------------ nothing is lost


async def test_what_was_committed_is_there_after_a_start(shop: Shop) -> None:
    """After a power cut every device, run, command, hold, call and enrollment is as it was."""
    await shop.store.commit(everything())
    snapshot = await shop.reopen()
    assert replace(snapshot, installation="") == Snapshot(
        installation="",
        records=(record(1), record(2)),
        links=(("d-0001", link()),),
        runs=(run(1, rule_set="h-1"), run(2, device="d-0002", closed=5)),
        commands=(command(1, "queued"), command(2, "acknowledged")),
        holds=(HoldRow("device:d-0002", "looks wrong", "ines", DAWN),),
        calls=(call("cause/d-0001/locked"),),
        enrolled=(enrolled(1),),
        meta={"storm": '{"is_on":false}'},
    )
    assert await shop.store.token("hospital/E-1") == token("hospital/E-1")
    assert await shop.store.token("hospital/E-2") is None
    assert await shop.store.rule_set("h-1") == rules("h-1")
    assert await shop.store.rule_set("h-2") is None


async def test_an_installation_keeps_its_name(shop: Shop) -> None:
    """A command that is asked again after a start goes out under the same id."""
    first = await shop.reopen()
    assert first.installation
    assert (await shop.reopen()).installation == first.installation


async def test_the_same_changes_twice_leave_what_once_leaves(shop: Shop) -> None:
    """Writing again after a doubt harms nothing; only the journal says that it was written twice."""
    await shop.store.commit(everything())
    once = await shop.reopen()
    await shop.store.commit(everything())
    assert await shop.reopen() == once
    assert len(await shop.store.journal()) == 4


async def test_the_newest_word_counts(shop: Shop) -> None:
    """A run, a device or a hold has one row: what was said of it last."""
    await shop.store.commit(Changes(runs=(run(1), run(2))))
    await shop.store.commit(Changes(runs=(run(1, closed=9),), records=(record(1),)))
    await shop.store.commit(Changes(records=(replace(record(1), name="Ward 4"),)))
    snapshot = await shop.reopen()
    assert snapshot.runs == (run(1, closed=9), run(2))
    assert [one.name for one in snapshot.records] == ["Ward 4"]


async def test_what_has_ended_is_not_gone_on_from(shop: Shop) -> None:
    """A device that left, a lifted hold, a settled call and a destroyed token do not come back."""
    await shop.store.commit(everything())
    await shop.store.commit(
        Changes(
            links=(("d-0001", link(state=LinkState.GONE)),),
            lifted=("device:d-0002",),
            calls=(call("cause/d-0001/locked", is_settled=True),),
            tokens_destroyed=("hospital/E-1", "hospital/never-there"),
        )
    )
    snapshot = await shop.reopen()
    assert (snapshot.links, snapshot.holds, snapshot.calls) == ((), (), ())
    assert await shop.store.token("hospital/E-1") is None


async def test_an_old_attachment_that_goes_takes_no_newer_one_with_it(shop: Shop) -> None:
    """A device that was plugged in again is still attached when the end of its old attachment is heard."""
    await shop.store.commit(Changes(links=(("d-0001", link(7)), ("d-0001", link(8)))))
    await shop.store.commit(Changes(links=(("d-0001", link(7, state=LinkState.GONE)),)))
    assert (await shop.reopen()).links == (("d-0001", link(8)),)


async def test_in_doubt_a_hold_and_a_token_stay(shop: Shop) -> None:
    """Taken away and put in one and the same commit: the device stays held, and its only token is kept."""
    hold = HoldRow("everything", "fire drill", "ines", DAWN)
    both = Changes(holds=(hold,), lifted=("everything",), tokens=(token("m/1"),), tokens_destroyed=("m/1",))
    await shop.store.commit(both)
    assert (await shop.reopen()).holds == (hold,)
    assert await shop.store.token("m/1") == token("m/1")


async def test_budgets_survive_a_long_time_off_and_a_stepped_clock(shop: Shop) -> None:
    """What was used up in the last day of work is known at the start, whatever the clock did since."""
    ten_years = timedelta(days=3650).total_seconds()
    await shop.store.commit(Changes(runs=[run(1, closed=0), run(2, closed=3600)]))
    await shop.store.commit(
        Changes(commands=[command(1, "acknowledged"), command(2, "error", asked=ten_years)])
    )
    snapshot = await shop.reopen()
    assert [one.run for one in snapshot.runs] == ["r-0001", "r-0002"]
    assert [one.command_id for one in snapshot.commands] == ["c-0001", "c-0002"]


async def test_a_start_goes_on_from_what_is_open_and_leaves_what_is_long_closed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year's closed runs are not read at each start; an open one is, however old it is."""
    monkeypatch.setattr("mamd.store.plan.NEWEST", 1)
    two_days = timedelta(days=2).total_seconds()
    old = [run(1), run(2, closed=0), run(3, closed=two_days - 60), run(4, closed=two_days)]
    await shop.store.commit(Changes(runs=old))
    assert [one.run for one in (await shop.reopen()).runs] == ["r-0001", "r-0003", "r-0004"]


async def test_runs_are_told_newest_first(shop: Shop) -> None:
    """Whoever asks for the last two runs of a device gets those, open or closed."""
    await shop.store.commit(Changes(runs=[run(1), run(2, closed=1), run(3, device="d-0002")]))
    await shop.store.commit(Changes(runs=[run(1, closed=2)]))
    assert [one.run for one in await shop.store.runs()] == ["r-0003", "r-0002", "r-0001"]
    assert [one.run for one in await shop.store.runs(device="d-0001")] == ["r-0002", "r-0001"]
    assert [one.run for one in await shop.store.runs(device="d-0001", limit=1)] == ["r-0002"]


# ----------------------------------------------------------------------- all or nothing


async def test_nothing_is_half_written(shop: Shop) -> None:
    """Of changes that cannot be written not even the first row stays."""
    await shop.store.commit(turns(1))
    with pytest.raises(ValueError, match="Record"):
        await shop.store.commit(BROKEN)
    with pytest.raises(ValueError, match="the store's own"):
        await shop.store.commit(Changes(turns=(turn(98),), runs=(run(1),), meta=(("store.head", "9 x"),)))
    snapshot = await shop.reopen()
    assert (snapshot.records, snapshot.runs) == ((), ())
    assert await numbers(shop) == [1]


async def test_one_broken_change_takes_no_other_down(shop: Shop) -> None:
    """A bug in one turn fails that turn, and not the two hundred that waited beside it."""
    batch: list[Changes] = [turns(1, first=number) for number in range(1, 41)]
    batch.insert(20, BROKEN)
    results = await asyncio.gather(*map(shop.store.commit, batch), return_exceptions=True)
    assert [number for number, result in enumerate(results) if result is not None] == [20]
    assert sorted(await numbers(shop)) == list(range(1, 41))
    assert await shop.store.verify() == ()


async def test_what_waits_together_is_written_in_its_order(shop: Shop) -> None:
    """Hundreds of turns at one moment all find their place, and each is answered once it is written."""
    await asyncio.gather(*(shop.store.commit(turns(3, first=3 * number)) for number in range(300)))
    assert await numbers(shop) == list(range(900))
    assert await shop.store.verify() == ()


async def test_a_commit_that_nobody_waits_for_any_more_harms_none(shop: Shop) -> None:
    """A task that was cancelled leaves the store at work."""
    lost = asyncio.ensure_future(shop.store.commit(turns(1)))
    await asyncio.sleep(0)
    lost.cancel()
    await shop.store.commit(turns(1, first=2))
    assert 2 in await numbers(shop)


# ---------------------------------------------------------------------------- the journal


async def test_the_journal_is_read_in_order_from_anywhere(shop: Shop) -> None:
    """Whoever follows the journal misses no row and sees none twice."""
    await shop.store.commit(Changes(turns=[turn(n, subject=f"d-{n % 2}") for n in range(1, 11)]))
    rows = await shop.store.journal()
    assert [row.number for row in rows] == list(range(1, 11))
    assert [row.number for row in await shop.store.journal(after=7)] == [8, 9, 10]
    assert [row.number for row in await shop.store.journal(subject="d-1", limit=2)] == [1, 3]
    assert [row.number for row in await shop.store.journal(newest_first=True, limit=2)] == [10, 9]
    assert [row.previous for row in rows] == ["", *(row.hash for row in rows[:-1])]


async def test_a_row_of_the_journal_says_what_its_turn_said(shop: Shop) -> None:
    """A replay gets the very data, fractions and letters included."""
    said = replace(turn(1), body={"s": 1 / 3, "ü": ["é", None, True], "big": 2**63}, subject="d-ß")
    await shop.store.commit(Changes(turns=(said,)))
    await shop.reopen()
    (row,) = await shop.store.journal()
    assert (row.body, row.subject, row.kind, row.wall) == (said.body, said.subject, said.kind, said.wall)


async def test_the_chain_goes_on_across_starts(shop: Shop) -> None:
    """A restart leaves no seam in the journal."""
    for number in range(1, 4):
        await shop.store.commit(turns(1, first=number))
        await shop.reopen()
    assert await numbers(shop) == [1, 2, 3]
    assert await shop.store.verify() == ()


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda shop: shop.change(3, "body", '{"number":3,"waited_s":9.0}'), "row 3: changed"),
        (lambda shop: shop.change(3, "body", '{"number": 3,"waited_s":1.0}'), "row 3: changed"),
        (lambda shop: shop.change(3, "subject", "d-0009"), "row 3: changed"),
        (lambda shop: shop.change(3, "wall", "2026-11-25T06:00:04.000000+00:00"), "row 3: changed"),
        (lambda shop: shop.change(3, "rule_set", "h-9"), "row 3: changed"),
        (lambda shop: shop.remove(3), "row 3: is missing"),
        (lambda shop: [shop.remove(number) for number in (1, 2)], "rows 1 to 2: are missing"),
        (lambda shop: [shop.remove(number) for number in (4, 5)], "rows 4 to 5: are missing"),
        (lambda shop: shop.copy(5, to=6), "row 6: was put in"),
        (lambda shop: (shop.remove(3), shop.copy(2, to=3)), "row 3: does not follow row 2"),
    ],
)
async def test_a_journal_that_was_tampered_with_is_told(shop: Shop, damage: Any, line: str) -> None:
    """A changed, removed, added or cut-off row is named by its number."""
    await shop.store.commit(turns(5))
    assert await shop.store.verify() == ()
    await shop.reopen(lambda: damage(shop))
    assert any(told.startswith(line) for told in await shop.store.verify())


async def test_old_rows_go_and_the_chain_holds(shop: Shop) -> None:
    """After pruning the journal is still proven, from the checkpoint on, through starts and new turns."""
    await shop.store.commit(turns(10))
    assert await shop.store.prune(older_than=turn(7).wall) == 6
    assert await numbers(shop) == [7, 8, 9, 10]
    await shop.reopen()
    await shop.store.commit(turns(5, first=11))
    assert await shop.store.verify() == ()
    assert await shop.store.prune(older_than=turn(14).wall) == 8
    assert await numbers(shop) == [14, 15]
    assert await shop.store.verify() == ()
    await shop.reopen(lambda: shop.remove(15))
    assert await shop.store.verify() == ("row 15: is missing",)


async def test_even_an_emptied_journal_is_carried_on(shop: Shop) -> None:
    """When all rows are old, the checkpoint alone holds the chain."""
    await shop.store.commit(turns(3))
    assert await shop.store.prune(older_than=DAWN + timedelta(days=1)) == 3
    await shop.store.commit(turns(1, first=4))
    assert [row.kind for row in await shop.store.journal()] == ["checkpoint", "looked"]
    assert await shop.store.verify() == ()


async def test_pruning_what_is_not_old_does_nothing(shop: Shop) -> None:
    """A chore that comes too early leaves no trace."""
    assert await shop.store.prune(older_than=DAWN) == 0
    await shop.store.commit(turns(3))
    assert await shop.store.prune(older_than=DAWN) == 0
    assert len(await shop.store.journal()) == 3


async def test_a_clock_that_stood_back_gets_no_new_rows_dropped(shop: Shop) -> None:
    """Rows that only look old stand behind one that is not, and stay."""
    hours = [0.0, 1.0, 2.0, -9000.0, -8000.0, 3.0]
    await shop.store.commit(Changes(turns=[turn(n, seconds=3600 * hour) for n, hour in enumerate(hours)]))
    assert await shop.store.prune(older_than=DAWN + timedelta(hours=1)) == 1
    assert await numbers(shop) == [1, 2, 3, 4, 5]


async def test_closed_things_age_with_the_journal(shop: Shop) -> None:
    """What is long over does not fill the disk; what is open is never dropped."""
    await shop.store.commit(everything())
    await shop.store.prune(older_than=DAWN + timedelta(hours=1))
    snapshot = await shop.reopen()
    assert [one.run for one in snapshot.runs] == ["r-0001"]
    assert [one.command_id for one in snapshot.commands] == ["c-0001"]
    assert [one.call.key for one in snapshot.calls] == ["cause/d-0001/locked"]


async def test_rule_sets_stay_while_something_names_them(shop: Shop) -> None:
    """A turn can be taken again by the rules of its time; the rules in force are never dropped."""
    await shop.store.commit(Changes(rule_sets=[rules(f"h-{number}") for number in range(5)]))
    await shop.store.commit(Changes(rule_sets=[rules("h-0")], runs=[run(1, rule_set="h-1")]))
    await shop.store.commit(Changes(turns=[turn(1, rule_set="h-2"), turn(2, seconds=9000, rule_set="h-3")]))
    await shop.store.prune(older_than=DAWN + timedelta(hours=1))
    kept = [number for number in range(5) if await shop.store.rule_set(f"h-{number}") is not None]
    assert kept == [0, 1, 3]


async def test_half_a_letter_from_outside_stops_no_commit(shop: Shop) -> None:
    """A name that no file could hold is written without the part that has no spelling."""
    odd = replace(record(1), name="a\ud800b")
    await shop.store.commit(Changes(records=(odd,), turns=(replace(turn(1), body={"x": "\udfff"}),)))
    assert [one.name for one in (await shop.reopen()).records] == ["a\ufffdb"]
    assert await shop.store.verify() == ()


async def test_a_store_in_trouble_writes_nothing_and_goes_on_after_it() -> None:
    """A rehearsal can have a full disk."""
    store = MemoryStore()
    await store.open()
    store.trouble = Unreachable("store", "the disk is full")
    with pytest.raises(Unreachable):
        await store.commit(turns(1))
    store.trouble = None
    await store.commit(turns(1, first=2))
    assert [row.body["number"] for row in await store.journal()] == [2]
