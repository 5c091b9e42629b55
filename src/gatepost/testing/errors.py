"""What is refused to tests."""

from gatepost.core.errors import Conflict, Invalid

__all__ = ["ClockSetBack", "ClockTooFar"]


class ClockSetBack(Conflict):
    """A move to a time that has passed already."""

    code = "clock-set-back"
    sentence = 'The clock only moves forward. To go back to the real time: {"reset": true}'


class ClockTooFar(Invalid):
    """A move to a time in which nobody tests anything, and in which dates would overflow."""

    code = "clock-too-far"
    sentence = "The clock moves at most 100 years ahead."
