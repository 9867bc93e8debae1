"""Quotes and orders: the one door for everything that is bought or changed.

A quote says what would be charged now, and uses nothing up; an order is placed by a quote, and does
exactly that or nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from billing.domain.account import AccountRef
from billing.domain.documents import Line, Sums, sums
from billing.domain.records import Acceptance
from billing.domain.selling import Interval

FORGOTTEN_AFTER = timedelta(days=2)
"""How long an expired quote can still be told from one that never was."""


class WantKind(StrEnum):
    """What can be wanted."""

    PLAN = "plan"
    UNITS = "units"
    PACKAGE = "package"
    BUNDLE = "bundle"
    PRODUCT = "product"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Want:
    """One wish of a quote.

    Args:
        what: The plan, licence kind, package, bundle, product or number type, by its id.
        quantity: Units and packages: how many there shall be afterwards; bundles and products: how
            many are bought; a number: 1.
        interval: Plan: of its terms.
        e164: Number: which one.
        capabilities: Number: what the buyer confirms that it can do.
        is_auto_pay: Number: whether its renewals are paid by themselves.
    """

    kind: WantKind
    what: str
    quantity: int = 1
    interval: Interval | None = None
    e164: str = ""
    capabilities: tuple[str, ...] = ()
    is_auto_pay: bool = True


@dataclass(frozen=True, slots=True)
class Quote:
    """What a purchase or change would come to, pinned to what it was computed from.

    Args:
        lines: What is charged now.
        next_recurring_micros: What the next renewal comes to once it is placed, tax included.
        next_recurring_at: When that is.
        quoted_at: Prices and days are as of then.
        expires_at: From then on it cannot be ordered.
        subscription_revision: It is stale once this is another one.
        catalog_version: The same; it is what is sold under.
        period_start_at: The same, of the account's period.
        scheduled: What happens when the term turns, in words.
    """

    KIND: ClassVar[str] = "QUOTE"

    account: AccountRef
    quote_id: str
    wants: tuple[Want, ...]
    lines: tuple[Line, ...]
    currency: str
    next_recurring_micros: int
    next_recurring_at: datetime
    quoted_at: datetime
    expires_at: datetime
    subscription_revision: int
    catalog_version: int
    period_start_at: datetime
    scheduled: tuple[str, ...] = ()

    @property
    def thing_name(self) -> str:
        return self.quote_id

    @property
    def forgotten_at(self) -> datetime:
        """An order keeps its quote; one that was not ordered is nobody's."""
        return self.expires_at + FORGOTTEN_AFTER

    @property
    def sums(self) -> Sums:
        return sums(self.lines)

    @property
    def up_front_micros(self) -> int:
        """Net, of what is paid once and never again."""
        return sum(one.amount_micros for one in self.lines if one.is_up_front)


class OrderState(StrEnum):
    """Where an order stands. Only a delivered one has changed anything."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Order:
    """One purchase or change.

    Args:
        order_id: Derived from the idempotency key.
        quote: What is delivered, whole, so that a deleted quote changes nothing.
        actor: The token's ``sub``.
        acceptance: None for machines.
        recharge: The ordinal of the payment that pays for it; None: the wallet does, or nothing.
        invoice: Its number, once it is delivered and was charged.
        failure_code: Why nothing was delivered.
    """

    KIND: ClassVar[str] = "ORDER"

    account: AccountRef
    order_id: str
    quote: Quote
    state: OrderState
    placed_at: datetime
    actor: str
    acceptance: Acceptance | None
    recharge: int | None = None
    invoice: int | None = None
    settled_at: datetime | None = None
    failure_code: str | None = None
    failure_detail: str = ""

    @property
    def thing_name(self) -> str:
        return self.order_id
