"""The harness itself: the real daemon clears a phone, and ends when it is told to."""

from tests.process.house import house
from tests.process.programs import until


async def test_a_daemon_of_its_own_clears_a_locked_phone(tmp_path):
    """A locked phone is cleared by the real process, which then ends in good order when systemd says so."""
    async with house(tmp_path, {"ward-1": "locked", "ward-2": "healthy"}) as here:
        await here.open()
        await here.bring("ward-2", "ward-1")
        assert await here.link("ward-2") == ("paired", None)
        await until(lambda: here.is_paired("ward-1"), within_s=30, what="the locked phone is cleared")
        assert len(await here.asked("ward-1")) == 1
        assert here.daemon.end() == 0
        assert here.daemon.lines("daemon.stopped")
