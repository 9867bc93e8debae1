"""How much money moved, as metrics: by currency and direction, and never by tenant.

Figures to look at, not to balance books with: the stream may bring an entry twice.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from billing.domain.ledger import LedgerEntry


class Flow(StrEnum):
    """Where money moved to, in micros: a metric's name each."""

    IN = "MoneyIn"
    """Collected by a payment gateway, or come back from a refund or dispute."""

    OUT = "MoneyOut"
    """Given back through a payment gateway, or taken back by a bank."""

    EARNED = "MoneyEarned"
    """Charged to wallets for usage and sales, less what was taken back of it; taxes are not."""


_GATEWAY = "gateway:"
_REVENUE = "revenue:"


class MoneyMetrics:
    """Emits what entries moved; nothing for those that moved nothing.

    Args:
        dimensions: Of every metric, beside the currency and the function's own name.
    """

    def __init__(self, dimensions: Mapping[str, str]) -> None:
        self._dimensions = dict(dimensions)

    def emit(self, entries: Iterable[LedgerEntry]) -> None:
        """One metric for each flow and currency."""
        moved: Counter[tuple[Flow, str]] = Counter()
        for entry in entries:
            for flow, micros in flows(entry).items():
                moved[flow, entry.currency] += micros
        for (flow, currency), micros in moved.items():
            dimensions = {**self._dimensions, "currency": currency}
            with single_metric(flow.value, MetricUnit.Count, micros, default_dimensions=dimensions):
                """The metric has all that it needs."""


def flows(entry: LedgerEntry) -> dict[Flow, int]:
    """What one entry moved, in micros."""
    micros = entry.amount_micros
    if not micros:
        return {}
    if entry.debit.startswith(_GATEWAY):
        return {Flow.IN: micros}
    if entry.credit.startswith(_GATEWAY):
        return {Flow.OUT: micros}
    if entry.credit.startswith(_REVENUE):
        return {Flow.EARNED: micros}
    return {Flow.EARNED: -micros} if entry.debit.startswith(_REVENUE) else {}
