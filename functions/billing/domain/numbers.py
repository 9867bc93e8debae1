"""Phone numbers: ordered, provided by the operator, renewed with every period, and let go of.

``pending → active → on_hold → released``; one that the carrier does not provide has ``failed``, and
what was paid for it is given back. A number that is paid for is never released, and one that is
released is never billed.

Source of the rules: docs/numbers.md.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from billing.domain.account import Account, AccountRef
from billing.domain.canonical import Json
from billing.domain.errors import ConflictError, InvalidInputError
from billing.domain.money import Money
from billing.domain.periods import local_day, start_of_day
from billing.domain.selling import NumberRule

_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


class NumberState(StrEnum):
    """Where a number stands."""

    PENDING = "pending"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    RELEASED = "released"
    FAILED = "failed"

    @property
    def is_held(self) -> bool:
        """Whether it is the account's, and nobody else's."""
        return self not in (NumberState.RELEASED, NumberState.FAILED)


class HoldReason(StrEnum):
    """Why a number is on hold."""

    AUTO_PAY_OFF = "auto_pay_off"
    PAYMENT_FAILED = "payment_failed"


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """One number of an account.

    Args:
        type_id: Of the catalogue's number types.
        capabilities: What its buyer confirmed that it can do.
        is_auto_pay: Whether its renewals are paid by themselves.
        catalog_version: The version its price is of.
        invoice: What it was ordered on; None: it cost nothing.
        paid_until: The end of what is paid for; None: it is not provided yet.
        renewal: The payment that its renewal waits for; empty: none.
        hold_reason: Why it is on hold.
        on_hold_at: Since when (aware UTC).
        release_at: When it is released, unless it is paid for by then.
        noticed_days: Days before its release of the notice that was given last.
        is_leaving: It is released when what is paid for ends.
        ended_at: When it was released, or had failed.
    """

    KIND: ClassVar[str] = "NUMBER"

    account: AccountRef
    e164: str
    type_id: str
    capabilities: tuple[str, ...]
    state: NumberState
    is_auto_pay: bool
    catalog_version: int
    ordered_at: datetime
    invoice: int | None = None
    paid_until: datetime | None = None
    renewal: str = ""
    hold_reason: HoldReason | None = None
    on_hold_at: datetime | None = None
    release_at: datetime | None = None
    noticed_days: int | None = None
    is_leaving: bool = False
    ended_at: datetime | None = None

    @property
    def thing_name(self) -> str:
        return self.e164


def checked_e164(e164: str, field: str) -> str:
    """
    Raises:
        InvalidInputError: It is no number in E.164.
    """
    if _E164.fullmatch(e164) is None:
        raise InvalidInputError(f"{field} is a number such as +14155550100", field=field)
    return e164


def held(numbers: Iterable[PhoneNumber]) -> tuple[PhoneNumber, ...]:
    """Those that are the account's, in the order in which the plan's included ones are counted."""
    standing = (one for one in numbers if one.state.is_held)
    return tuple(sorted(standing, key=lambda one: (one.ordered_at, one.e164)))


def provisioned(number: PhoneNumber, account: Account) -> PhoneNumber:
    """The operator's carrier has provided it. What was paid at its order lasts to the end of the
    account's present period, however long that took: nobody pays for a number he has not.

    Raises:
        ConflictError: It is not pending; the same again changes nothing.
    """
    if number.state is NumberState.ACTIVE:
        return number
    _require(number, NumberState.PENDING)
    return replace(number, state=NumberState.ACTIVE, paid_until=account.period.end_at)


def failed(number: PhoneNumber, now: datetime) -> PhoneNumber:
    """The carrier does not provide it. What it cost is given back by whoever calls this.

    Raises:
        ConflictError: It is not pending.
    """
    _require(number, NumberState.PENDING)
    return replace(number, state=NumberState.FAILED, ended_at=now)


def leaving(number: PhoneNumber, *, is_leaving: bool = True) -> PhoneNumber:
    """It is to be released when what is paid for ends, or is to stay after all.

    Raises:
        ConflictError: It is neither active nor on hold.
    """
    _require(number, NumberState.ACTIVE, NumberState.ON_HOLD)
    return replace(number, is_leaving=is_leaving)


def is_renewed(number: PhoneNumber) -> bool:
    """Whether it is paid for by itself when the period turns, as things stand."""
    return number.state is NumberState.ACTIVE and number.is_auto_pay and not number.is_leaving


def on_hold(
    number: PhoneNumber, reason: HoldReason, rule: NumberRule, time_zone: str, now: datetime
) -> PhoneNumber:
    """It is not paid for: nothing starts from it or reaches it, and its days are counted.

    Args:
        rule: How many local days it has; today is none of them.
    """
    _require(number, NumberState.ACTIVE)
    last = local_day(now, time_zone) + timedelta(days=rule.grace_days + 1)
    return replace(
        number,
        state=NumberState.ON_HOLD,
        hold_reason=reason,
        on_hold_at=now,
        release_at=start_of_day(last, time_zone),
        noticed_days=None,
        renewal="",
    )


def paid(number: PhoneNumber, until: datetime, invoice: int | None = None) -> PhoneNumber:
    """It is paid for, and back at once where it was on hold.

    Args:
        invoice: Which invoice it was paid on; None: it cost nothing.
    """
    _require(number, NumberState.ACTIVE, NumberState.ON_HOLD)
    return replace(
        number,
        state=NumberState.ACTIVE,
        paid_until=until,
        invoice=number.invoice if invoice is None else invoice,
        renewal="",
        hold_reason=None,
        on_hold_at=None,
        release_at=None,
        noticed_days=None,
    )


def released(number: PhoneNumber, now: datetime) -> PhoneNumber:
    """It is nobody's any more.

    Args:
        now: Not before what is paid for has ended.
    """
    _require(number, NumberState.ACTIVE, NumberState.ON_HOLD)
    assert number.paid_until is not None, "it was provided"
    assert number.paid_until <= now, "a number that is paid for is never released"
    return replace(number, state=NumberState.RELEASED, renewal="", ended_at=now)


def notice_days(number: PhoneNumber, rule: NumberRule, time_zone: str, now: datetime) -> int | None:
    """Which notice of its release is due; None: none is.

    Where several have been missed, the last one alone is given: it is the one that is true.
    """
    if number.release_at is None or number.renewal:
        return None
    left = (local_day(number.release_at, time_zone) - local_day(now, time_zone)).days
    due = [days for days in rule.notice_days if left <= days]
    if not due or left <= 0:
        return None
    nearest = min(due)
    was_given = number.noticed_days is not None and number.noticed_days <= nearest
    return None if was_given else nearest


def due_at(number: PhoneNumber, rule: NumberRule, time_zone: str) -> datetime | None:
    """When something has to be done about a number on hold; None: it is not on hold, or waits for
    a payment."""
    if number.state is not NumberState.ON_HOLD or number.release_at is None or number.renewal:
        return None
    last_day = local_day(number.release_at, time_zone)
    given = number.noticed_days
    coming = [days for days in rule.notice_days if given is None or days < given]
    notices = [start_of_day(last_day - timedelta(days=days), time_zone) for days in coming]
    return min([*notices, number.release_at])


def number_json(number: PhoneNumber, price: Money) -> dict[str, Json]:
    """A number as it is shown and told of.

    Args:
        price: Of its next renewal, net.
    """
    release_at = number.release_at
    return {
        "number": number.e164,
        "type": number.type_id,
        "capabilities": list(number.capabilities),
        "state": number.state.value,
        "auto_pay": number.is_auto_pay,
        "price": {"amount": price.amount, "currency": price.currency},
        "ordered_at": number.ordered_at.isoformat(),
        "paid_until": number.paid_until.isoformat() if number.paid_until else None,
        "hold_reason": number.hold_reason.value if number.hold_reason else None,
        "release_at": release_at.isoformat() if release_at else None,
        "is_leaving": number.is_leaving,
    }


def _require(number: PhoneNumber, *states: NumberState) -> None:
    if number.state not in states:
        wanted = " or ".join(state.value for state in states)
        raise ConflictError(f"{number.e164} is {number.state}, not {wanted}")
