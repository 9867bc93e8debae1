"""What is held, and what an order asks for, as audit records keep it."""

from billing.domain.canonical import Json
from billing.domain.money import Money
from billing.domain.orders import Order, Want
from billing.domain.subscription import Subscription, UnitItem


def held_json(subscription: Subscription) -> dict[str, Json]:
    """What is held before a change."""
    return {
        "plan": subscription.plan_id,
        "interval": subscription.interval.value,
        "units": _created(subscription.units),
        "packages": _created(subscription.packages),
    }


def asked_json(order: Order) -> dict[str, Json]:
    """What an order asks for, and what it comes to."""
    total = Money(order.quote.sums.total_micros, order.quote.currency)
    return {
        "order": order.order_id,
        "quote_id": order.quote.quote_id,
        "wants": [_want_json(want) for want in order.quote.wants],
        "total": {"amount": total.amount, "currency": total.currency},
    }


def _created(items: tuple[UnitItem, ...]) -> Json:
    return {item.kind: item.created for item in items}


def _want_json(want: Want) -> Json:
    told: dict[str, Json] = {
        "kind": want.kind.value,
        "what": want.what,
        "quantity": want.quantity,
    }
    if want.interval is not None:
        told["interval"] = want.interval.value
    if want.e164:
        told |= {
            "e164": want.e164,
            "capabilities": list(want.capabilities),
            "auto_pay": want.is_auto_pay,
        }
    return told
