"""The subscription: what is held, what it costs, and what is scheduled."""

from typing import Literal

from api.schemas.base import Acceptance, Day, Instant, MoneyOut, Schema
from api.schemas.quotes import IntervalName, Kind
from billing.domain.scheduled import ScheduledChange
from billing.domain.selling import Interval
from billing.domain.subscription import Contract
from billing.services.read_subscription import HeldItem, HeldView


class HeldItemOut(Schema):
    """The plan, the units of one licence kind, or a package.

    ``count`` are paid for in this term, at ``unit_price`` each, net; ``price`` is all of them for
    one ``billing_interval``.
    """

    kind: Literal["plan", "units", "package"]
    what: str
    name: str
    count: int
    unit_price: MoneyOut
    price: MoneyOut
    billing_interval: IntervalName

    @staticmethod
    def of(item: HeldItem, interval: Interval, currency: str) -> "HeldItemOut":
        return HeldItemOut.model_validate(_item(item, interval, currency))


class UnitsOut(HeldItemOut):
    """The same with live counts, which units alone have.

    ``created``: what exists, activated or not. ``included``: the plan's fee pays for them.
    ``contracted_minimum``: billed even where fewer exist. ``additional``: available beyond those.
    ``free``: available, and not in use. ``available``: in this term. ``next_available``: in the
    next one, as things stand.
    """

    created: int | None
    included: int | None
    contracted_minimum: int | None
    additional: int | None
    free: int | None
    available: int | None
    next_available: int | None

    @staticmethod
    def of(item: HeldItem, interval: Interval, currency: str) -> "UnitsOut":
        counts = item.counts
        return UnitsOut.model_validate(
            {
                **_item(item, interval, currency),
                "created": counts and counts.created,
                "included": counts and counts.included,
                "contracted_minimum": counts and counts.contracted,
                "additional": counts and counts.additional,
                "free": counts and counts.free,
                "available": counts and counts.quantity,
                "next_available": counts and counts.next_quantity,
            }
        )


def _item(item: HeldItem, interval: Interval, currency: str) -> dict[str, object]:
    return {
        "kind": item.kind.value,
        "what": item.what,
        "name": item.name,
        "count": item.paid,
        "unit_price": MoneyOut.of(item.unit_price_micros, currency),
        "price": MoneyOut.of(item.price_micros, currency),
        "billing_interval": interval.value,
    }


class MinimumOut(Schema):
    licence: str
    quantity: int


class ContractOut(Schema):
    """From ``starts_on`` up to, and not including, ``ends_on``."""

    starts_on: Day
    ends_on: Day
    minimums: list[MinimumOut]
    unit_commitment: Literal["period", "contract"]

    @staticmethod
    def of(contract: Contract) -> "ContractOut":
        return ContractOut(
            starts_on=contract.starts_on,
            ends_on=contract.ends_on,
            minimums=[
                MinimumOut(licence=kind, quantity=minimum) for kind, minimum in contract.minimums
            ],
            unit_commitment=contract.unit_commitment.value,
        )


class TermOut(Schema):
    """What is paid for: from ``start_at`` up to, and not including, ``end_at``."""

    start_at: Instant
    end_at: Instant


class SubscriptionOut(Schema):
    """``next_renewal`` is what the next term comes to as things stand, tax and whatever waits for
    that invoice included."""

    plan: str
    name: str
    catalog_version: int
    billing_interval: IntervalName
    term: TermOut
    items: list[UnitsOut]
    next_renewal_at: Instant
    next_renewal: MoneyOut
    contract: ContractOut | None

    @staticmethod
    def of(view: HeldView) -> "SubscriptionOut":
        subscription, currency = view.subscription, view.account.currency
        interval = subscription.interval
        plan = view.sold.plans.get(subscription.plan_id)
        return SubscriptionOut(
            plan=subscription.plan_id,
            name=plan.name if plan else subscription.plan_id,
            catalog_version=subscription.catalog_version,
            billing_interval=interval.value,
            term=TermOut(start_at=subscription.term.start_at, end_at=subscription.term.end_at),
            items=[UnitsOut.of(item, interval, currency) for item in view.items],
            next_renewal_at=view.next_renewal_at,
            next_renewal=MoneyOut.of(view.next_renewal_micros, currency),
            contract=ContractOut.of(subscription.contract) if subscription.contract else None,
        )


class ScheduledChangeOut(Schema):
    """What happens when the term turns: another plan, or so many units or packages left."""

    scheduled_change: str
    kind: Kind
    what: str
    quantity: int
    billing_interval: IntervalName | None
    at: Instant

    @staticmethod
    def of(change: ScheduledChange) -> "ScheduledChangeOut":
        return ScheduledChangeOut(
            scheduled_change=change.change_id,
            kind=change.kind.value,
            what=change.what,
            quantity=change.quantity,
            billing_interval=change.interval.value if change.interval else None,
            at=change.at,
        )


class ScheduledChangesOut(Schema):
    """All of them; there are never many."""

    data: list[ScheduledChangeOut]


class TakeBackIn(Schema):
    """Who takes it back."""

    acceptance: Acceptance | None = None
