"""What was given back of a payment: as we know it, and as its gateway tells it.

A gateway tells one running total, which rises with every refund and falls with every one that comes
back. Who gave it back is not said, and totals arrive late, twice and in any order. Two sums only
ever rise, and are compared: everything the gateway ever gave back, and everything we know of, ours
that are still on their way included. What the first has more was given back at the gateway.

Once everything that happened has been told, both are equal, in whatever order it was.

Source: docs/refunds.md, "The gateway's total".
"""

from dataclasses import replace
from datetime import datetime

from billing.domain.records import Payment, ReturnedRefund


def returned_micros(payment: Payment) -> int:
    """What came back, of ours and of the gateway's own."""
    return sum(one.amount_micros for one in payment.returned)


def elsewhere_left_micros(payment: Payment) -> int:
    """What was given back at the gateway and has stayed so."""
    return payment.elsewhere_micros - _returned_elsewhere_micros(payment)


def with_total(payment: Payment, total_micros: int, told_at: datetime | None) -> Payment:
    """The gateway has told a total. An older one than it told before says nothing.

    Args:
        told_at: When it was so, by the gateway's clock (aware UTC); None: it did not say, and only
            a total that is higher counts.
    """
    at = told_at or payment.gateway_told_at or payment.captured_at
    if payment.gateway_told_at is not None and at < payment.gateway_told_at:
        return payment
    # What came back in the same instant is taken for still given back: a refund that comes back at
    # once is told of first.
    back = sum(one.amount_micros for one in payment.returned if one.at < at)
    ever = total_micros + back
    if at == payment.gateway_told_at or told_at is None:
        ever = max(ever, payment.gateway_refunded_micros)
    return replace(payment, gateway_refunded_micros=ever, gateway_told_at=at)


def with_own_returned(payment: Payment, returned: ReturnedRefund, *, was_refused: bool) -> Payment:
    """A refund of ours came back.

    Args:
        was_refused: We took it for never made. Whatever of the gateway's total it explains was
            taken for given back at the gateway, and is not.
    """
    noted = _noted(payment, returned)
    if not was_refused:
        return replace(noted, refunded_micros=noted.refunded_micros - returned.amount_micros)
    explained = max(
        noted.gateway_refunded_micros - _ours_micros(noted), _returned_elsewhere_micros(noted), 0
    )
    elsewhere = min(noted.elsewhere_micros, explained)
    return replace(
        noted,
        elsewhere_micros=elsewhere,
        refunded_micros=noted.refunded_micros - (noted.elsewhere_micros - elsewhere),
    )


def with_elsewhere_returned(payment: Payment, returned: ReturnedRefund) -> Payment:
    """A refund made at the gateway came back, perhaps before we were told that it was made."""
    untold = max(0, returned.amount_micros - elsewhere_left_micros(payment))
    noted = _noted(payment, returned)
    return replace(
        noted,
        elsewhere_micros=noted.elsewhere_micros + untold,
        refunded_micros=noted.refunded_micros - (returned.amount_micros - untold),
    )


def caught_up(payment: Payment) -> Payment:
    """The payment with everything that can only have been given back at the gateway."""
    unknown = max(0, payment.gateway_refunded_micros - _known_micros(payment))
    return replace(
        payment,
        elsewhere_micros=payment.elsewhere_micros + unknown,
        refunded_micros=payment.refunded_micros + unknown,
    )


def _noted(payment: Payment, returned: ReturnedRefund) -> Payment:
    """The total that was told after it came back had it taken off already."""
    told_at = payment.gateway_told_at
    is_taken_off = told_at is not None and returned.at < told_at
    ever = payment.gateway_refunded_micros + (returned.amount_micros if is_taken_off else 0)
    return replace(payment, returned=(*payment.returned, returned), gateway_refunded_micros=ever)


def _known_micros(payment: Payment) -> int:
    """Everything that we know was ever given back, or may be being given back now."""
    return payment.refunded_micros + returned_micros(payment)


def _ours_micros(payment: Payment) -> int:
    return _known_micros(payment) - payment.elsewhere_micros


def _returned_elsewhere_micros(payment: Payment) -> int:
    return sum(one.amount_micros for one in payment.returned if not one.number)
