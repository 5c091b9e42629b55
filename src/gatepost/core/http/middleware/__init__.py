"""What stands around every request. Plain ASGI; `app.py` says in which order."""

from gatepost.core.http.middleware.body import BodyLimit
from gatepost.core.http.middleware.credentials import AllowCredentials
from gatepost.core.http.middleware.deadline import Deadline
from gatepost.core.http.middleware.edge import CrashAnswers, Edge
from gatepost.core.http.middleware.head import HeadLimits
from gatepost.core.http.middleware.methods import Methods
from gatepost.core.http.middleware.retry import CrashesRise, Retry
from gatepost.core.http.middleware.veil import Unveil, Veil

__all__ = [
    "AllowCredentials",
    "BodyLimit",
    "CrashAnswers",
    "CrashesRise",
    "Deadline",
    "Edge",
    "HeadLimits",
    "Methods",
    "Retry",
    "Unveil",
    "Veil",
]
