"""Which service is built from what: the map of the house.

`parts` lives as long as the process, `services` for one unit of work. Nothing else builds a service.
"""

from gatepost.wiring.parts import (
    Parts,
    addresses_of,
    correspondence,
    jobs,
    lanes_of,
    limiter_of,
    limits_of,
    sealed_columns,
    transport_of,
)
from gatepost.wiring.services import Wiring

__all__ = [
    "Parts",
    "Wiring",
    "addresses_of",
    "correspondence",
    "jobs",
    "lanes_of",
    "limiter_of",
    "limits_of",
    "sealed_columns",
    "transport_of",
]
