"""Carrying recorded events to their consumers: at least once, in lanes, safely by many workers."""

from gatepost.core.outbox.claims import Claim
from gatepost.core.outbox.clean_up import expired_deliveries, settled_deliveries
from gatepost.core.outbox.errors import Deferred, Undeliverable
from gatepost.core.outbox.lanes import Gate, LanePolicy, delay_after
from gatepost.core.outbox.letters import DeliveryUnknown, Letter, Letters, NotGivenUp
from gatepost.core.outbox.outbox import Outbox, Overdue
from gatepost.core.outbox.runner import LaneRunner
from gatepost.core.outbox.states import DONE, DROPPED, DUE, EXPIRED, FAILED, STATES

__all__ = [
    "DONE",
    "DROPPED",
    "DUE",
    "EXPIRED",
    "FAILED",
    "STATES",
    "Claim",
    "Deferred",
    "DeliveryUnknown",
    "Gate",
    "LanePolicy",
    "LaneRunner",
    "Letter",
    "Letters",
    "NotGivenUp",
    "Outbox",
    "Overdue",
    "Undeliverable",
    "delay_after",
    "expired_deliveries",
    "settled_deliveries",
]
