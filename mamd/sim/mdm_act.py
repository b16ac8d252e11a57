"""The act `mdm`: an order to the simulated MDM as one step among the others of a story.

{"act": "mdm", "order": {"do": "manners", "phone": "ward-7", "not_now": {"ClearPasscode": 2}}}
"""

from __future__ import annotations

from typing import Any

from mamd.sim.acts import Act, BadStep
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.mdm_part import BadOrder, MdmPart


def mdm_act(part: MdmPart) -> Act:
    """What to put into `launchpad.acts["mdm"]`. In an order a phone may go by any of its names."""

    async def act(pad: SimLaunchpad, *, order: dict[str, Any]) -> None:
        try:
            await part.obey(_with_udid(pad, order))
        except BadOrder as error:
            raise BadStep(f"mdm: {error}") from error

    return act


def _with_udid(pad: SimLaunchpad, order: object) -> dict[str, Any]:
    if not isinstance(order, dict):
        raise BadStep('mdm: an order is an object such as {"do": "enrol"}')
    return order | {"phone": pad.phone(str(order["phone"])).udid} if "phone" in order else order
