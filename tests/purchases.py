"""A customer who buys, for tests of what is bought: every purchase goes through quote and order."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from billing.domain import turning
from billing.domain.account import Account
from billing.domain.catalog import Catalog
from billing.domain.catalog_versions import Versions
from billing.domain.documents import DocumentNumbers, Invoice, Line, sums
from billing.domain.effects import Effect
from billing.domain.ledger import WALLET, EntryKind, post
from billing.domain.member_units import with_members
from billing.domain.opening import new_account
from billing.domain.ordering import check_placeable, deliver
from billing.domain.orders import Order, OrderState, Quote, Want, WantKind
from billing.domain.periods import local_day
from billing.domain.quoting import make_quote
from billing.domain.renewing import next_term, with_next_plan
from billing.domain.selling import Interval
from billing.domain.subscription import Subscription, first_subscription
from billing.domain.unit_counts import UnitCounts, counts
from billing.ports import StoredCatalog
from builders import ACME
from catalogs import a_catalog

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
PLENTY = 10**12


def plan(plan_id: str, interval: Interval | None = None) -> Want:
    return Want(WantKind.PLAN, plan_id, interval=interval)


def units(kind: str, quantity: int) -> Want:
    return Want(WantKind.UNITS, kind, quantity)


def package(package_id: str, quantity: int = 1) -> Want:
    return Want(WantKind.PACKAGE, package_id, quantity)


def bundle(bundle_id: str, quantity: int = 1) -> Want:
    return Want(WantKind.BUNDLE, bundle_id, quantity)


def product(product_id: str, quantity: int = 1) -> Want:
    return Want(WantKind.PRODUCT, product_id, quantity)


def number(e164: str, *capabilities: str, auto_pay: bool = True) -> Want:
    return Want(
        WantKind.NUMBER,
        "local",
        e164=e164,
        capabilities=capabilities or ("voice", "sms"),
        is_auto_pay=auto_pay,
    )


class Customer:
    """One account, with all that is written of its purchases.

    Args:
        catalog: Version 1: what is sold, and what the account was opened under.
        opened_at: Midnight of a billing day makes its first period a whole one.
    """

    def __init__(
        self,
        plan_id: str = "growth",
        catalog: Catalog | None = None,
        opened_at: datetime = MARCH,
        *,
        time_zone: str = "UTC",
        billing_day: int = 1,
        currency: str = "USD",
    ) -> None:
        offered = StoredCatalog(1, catalog or a_catalog())
        self.versions = Versions(offered, offered, offered)
        opened = new_account(
            ACME,
            currency=currency,
            time_zone=time_zone,
            billing_day=billing_day,
            plan=offered.catalog.terms_of(plan_id, 1),
            rate_deck="standard",
            now=opened_at,
        )
        self.account, self.recharged = post(
            opened.next_version(),
            kind=EntryKind.RECHARGE,
            cause="recharge",
            debit="gateway:sandbox",
            credit=WALLET,
            amount_micros=PLENTY,
            now=opened_at,
        )
        self.subscription = first_subscription(self.account)
        self.documents = DocumentNumbers(ACME)
        self.invoices: list[Invoice] = []
        self.orders = 0

    @property
    def spent_micros(self) -> int:
        return PLENTY - self.account.wallet_micros

    def publishes(self, **changes: Any) -> None:
        """The operator publishes another version."""
        offered = self.versions.offered
        later = StoredCatalog(offered.version + 1, a_catalog(**changes))
        self.versions = replace(self.versions, offered=later)

    def quote(self, *wants: Want, at: datetime, numbers: int = 0) -> Quote:
        return make_quote(self.account, self.subscription, self.versions, wants, numbers, "q", at)

    def placed(self, quote: Quote, at: datetime, **changes: Any) -> Order:
        """An order of the quote."""
        order = Order(
            account=ACME,
            order_id=f"order-{self.orders + 1}",
            quote=quote,
            state=OrderState.PENDING,
            placed_at=at,
            actor="user-1",
            acceptance=None,
        )
        return replace(order, **changes)

    def delivered(self, order: Order, at: datetime, **paid: Any) -> Effect:
        cause = order.order_id.replace("-", "/")
        return deliver(
            self.account,
            self.subscription,
            self.documents,
            order,
            self.versions,
            at,
            cause=cause,
            **paid,
        )

    def delivery(self, quote: Quote, at: datetime, **paid: Any) -> Effect:
        version = self.versions.offered.version
        check_placeable(quote, self.account, self.subscription, version, at)
        return self.delivered(self.placed(quote, at), at, **paid)

    def order(self, *wants: Want, at: datetime) -> tuple[Line, ...]:
        """Quote and order at once; the lines it was charged."""
        quote = self.quote(*wants, at=at)
        self.takes(self.delivery(quote, at))
        return quote.lines

    def takes(self, effect: Effect) -> None:
        """An effect is committed."""
        self.orders += 1
        self.account = effect.account
        for record in effect.records:
            if isinstance(record, Subscription):
                self.holds(record)
            elif isinstance(record, DocumentNumbers):
                self.documents = record
            elif isinstance(record, Invoice):
                self.invoices.append(record)

    def holds(self, subscription: Subscription) -> None:
        """The subscription is committed, and its versions read again."""
        known = self.versions
        waiting = subscription.next_plan
        sold = known.numbered(subscription.catalog_version)
        self.versions = Versions(
            known.offered, sold, sold, known.numbered(waiting.catalog_version) if waiting else None
        )
        self.subscription = subscription

    def joins(self, kind: str, at: datetime, members: int = 1) -> int:
        """Members hold a kind, or hold it no longer; what that costs, tax included."""
        subscription, lines = with_members(
            self.account, self.subscription, self.versions.sold, kind, members, at
        )
        self.holds(subscription)
        return sums(lines).total_micros

    def renews(self) -> tuple[Line, ...]:
        """The account's period turns, and is billed: the lines of the renewal."""
        self.account = turning.begin_next_period(self.account)
        lines: tuple[Line, ...] = ()
        renewed = self.subscription
        if renewed.term.end_at == self.account.period.start_at:
            coming = next_term(self.account, renewed, self.versions)
            lines = coming.lines(self.account)
            renewed = coming.subscription
        self.holds(replace(renewed, billed_until=self.account.period.end_at).revised())
        self.account = with_next_plan(self.account, self.subscription, self.versions)
        return lines

    def counts(self, kind: str, at: datetime) -> UnitCounts:
        sold = self.versions.sold.catalog
        held = sold.plans[self.subscription.plan_id]
        day = local_day(at, self.account.time_zone)
        turns = local_day(self.subscription.term.end_at, self.account.time_zone)
        return counts(self.subscription, kind, held, day, renews_on=turns)


def account_of(customer: Customer, **changes: Any) -> Account:
    """The customer's account, with something of it as a test wants it."""
    customer.account = replace(customer.account, **changes)
    return customer.account
