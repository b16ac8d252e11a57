"""
What a site wrote down about what to do: workflows, their steps, and how patiently.
"""

from dataclasses import dataclass
from enum import Enum

from mamd.core.conditions import Condition


class Kind(Enum):
    """What a workflow is for; each kind has its own rules about what may stand in it."""

    OVER_THE_AIR = "over_the_air"
    RESCUE = "rescue"
    CHECK_IN = "check_in"
    CHECK_OUT = "check_out"
    PREPARE = "prepare"


class Action(Enum):
    """What a step can do. What is not built yet is a load error that says so."""

    MDM_CLEAR_PASSCODE = "mdm.clear_passcode"
    MDM_PUSH = "mdm.push"
    MDM_REFRESH = "mdm.refresh"
    RECOVERY_ERASE_AND_UPDATE = "recovery.erase_and_update"
    CALL_A_PERSON = "call_a_person"

    @property
    def clears(self) -> bool:
        """It opens a phone."""
        return self is Action.MDM_CLEAR_PASSCODE

    @property
    def erases(self) -> bool:
        """It destroys what is on a phone."""
        return self is Action.RECOVERY_ERASE_AND_UPDATE


class IfImpossible(Enum):
    """What to do when it is certain that this device cannot be cleared over the air."""

    CALL_A_PERSON = "call_a_person"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class Step:
    """
    One rung of a ladder, or one step of a list.

    Attributes:
        needs: All must hold before it acts; looked at again at the last moment.
        until: The proof that it worked.
        wait_s: The longest wait for that proof, in observed seconds.
        outcome: What to call it when the proof is there.
        optional: A list goes on when this step failed.
        texts: What `with:` gives it, as (name, text) pairs.
    """

    do: Action
    needs: tuple[Condition, ...] = ()
    until: tuple[Condition, ...] = ()
    wait_s: float = 0.0
    outcome: str = ""
    if_impossible: IfImpossible = IfImpossible.CALL_A_PERSON
    optional: bool = False
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class OnFailure:
    """What follows when a run fails: whom to call, and how often the failed step is tried again."""

    call: str | None = "on_duty"
    retry: int = 0


@dataclass(frozen=True, slots=True)
class Workflow:
    """
    Steps from the gentlest to the harshest.

    A ladder goes to its next rung when one was in vain; a list goes on when a step worked.
    """

    name: str
    kind: Kind
    about: str
    steps: tuple[Step, ...]
    is_ladder: bool = True
    on_failure: OnFailure = OnFailure()

    @property
    def can_erase(self) -> bool:
        """It has a step that destroys data."""
        return any(step.do.erases for step in self.steps)

    @property
    def is_harsh(self) -> bool:
        """It clears or erases."""
        return any(step.do.erases or step.do.clears for step in self.steps)


NOTHING = Workflow(name="", kind=Kind.RESCUE, about="", steps=())
"""What a run that has not begun carries out."""
