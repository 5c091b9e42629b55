"""How often something may be asked: rules, where their state is kept, and the classes that use them."""

from gatepost.core.limits.classes import Attempt, LimitExceeded, Limits
from gatepost.core.limits.local import LocalLimiter
from gatepost.core.limits.options import LimitOptions
from gatepost.core.limits.redis import RedisLimiter
from gatepost.core.limits.rules import Backoff, Demand, Limit, Limiter, Rule, Verdict, judge, judge_backoff

__all__ = [
    "Attempt",
    "Backoff",
    "Demand",
    "Limit",
    "LimitExceeded",
    "LimitOptions",
    "Limiter",
    "Limits",
    "LocalLimiter",
    "RedisLimiter",
    "Rule",
    "Verdict",
    "judge",
    "judge_backoff",
]
