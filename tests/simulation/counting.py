"""What calls bill and come to, by counting."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from billing.domain.account import PeriodTotals
from billing.domain.units import Unit
from billing.domain.usage import Call


def increments(seconds: int, first: int, step: int) -> int:
    """By counting: the first increment at once, then steps until the call is covered."""
    if seconds == 0:
        return 0
    billed = first
    while billed < seconds:
        billed += step
    return billed


def totals_of(calls: Iterable[Call]) -> PeriodTotals:
    """What these calls come to."""
    counted: dict[str, Any] = Counter()
    for call in calls:
        for name, count in counts_of(call).items():
            counted[name] += count
    return PeriodTotals(**counted)


def counts_of(call: Call) -> dict[str, int]:
    """What one call adds to its period's totals."""
    granted = sum(quantity for _, quantity in call.granted)
    if call.event.unit is Unit.MESSAGES:
        return {
            "messages": call.billed_quantity,
            "granted_messages": granted,
            "wallet_micros": call.wallet_micros,
        }
    return {
        "calls": 1,
        "voice_seconds": call.billed_quantity,
        "granted_voice_seconds": granted,
        "wallet_micros": call.wallet_micros,
    }
