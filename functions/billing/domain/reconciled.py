"""What comparing a provider's own list with ours found."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from billing.domain.canonical import Json
from billing.domain.provider_records import ListedCost, Reconciliation

MAX_DIFFERENCES = 20
"""Differences that a result names; the quarantine has all of them."""


class Finding(StrEnum):
    """What became of one call. Those with a reason of the quarantine are parked under it."""

    AGREES = "agrees"
    SKIPPED = "skipped"
    WAITING = "in_quarantine"
    MISSING = "missing_callback"
    QUEUED = "queued"
    DIFFERS = "differs_from_carrier"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown_to_carrier"


@dataclass(frozen=True, slots=True)
class Difference:
    """One call that is not the same on both sides."""

    finding: Finding
    provider_account: str
    call_id: str
    detail: str

    def to_json(self) -> dict[str, Json]:
        return {
            "finding": self.finding,
            "provider_account": self.provider_account,
            "call_id": self.call_id,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a comparison found.

    Args:
        counts: Calls and messages by what became of them.
        differences: The first of them.
        carrier_cost: What the provider charges for the day so far, by currency.
        uncompared: Provider accounts where only the provider's side was compared with ours.
        next: The work that is left; None: it is done.
    """

    work: Reconciliation
    counts: Mapping[Finding, int]
    differences: tuple[Difference, ...]
    carrier_cost: Mapping[str, Decimal]
    uncompared: tuple[str, ...]
    next: Reconciliation | None

    def to_json(self) -> dict[str, Json]:
        return {
            "connection": self.work.connection_id,
            "day": self.work.day.isoformat(),
            "counts": {finding: self.counts.get(finding, 0) for finding in Finding},
            "differences": [difference.to_json() for difference in self.differences],
            "carrier_cost": {
                currency: f"{amount:f}" for currency, amount in sorted(self.carrier_cost.items())
            },
            "uncompared": list(self.uncompared),
            "next": self.next.to_json() if self.next else None,
        }


class Tally:
    """A result in the making."""

    def __init__(self, work: Reconciliation) -> None:
        self.work = work
        self.counts: Counter[Finding] = Counter()
        self.differences: list[Difference] = []
        self.costs: dict[str, Decimal] = {}
        self.uncompared: list[str] = []

    def add(self, finding: Finding, account: str, call_id: str, detail: str) -> None:
        self.counts[finding] += 1
        if len(self.differences) < MAX_DIFFERENCES:
            self.differences.append(Difference(finding, account, call_id, detail))

    def charge(self, cost: ListedCost) -> None:
        self.costs[cost.currency] = self.costs.get(cost.currency, Decimal()) + Decimal(cost.amount)

    def result(self, left: Reconciliation | None) -> Reconciled:
        return Reconciled(
            work=self.work,
            counts=self.counts,
            differences=tuple(self.differences),
            carrier_cost=self.costs,
            uncompared=tuple(self.uncompared),
            next=left,
        )
