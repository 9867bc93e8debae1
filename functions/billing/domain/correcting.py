"""Correcting: a recorded call gets other content or another price, as a reversal and a new entry.

Nothing that was posted is changed. What the call cost and burned is given back, and the call is
charged anew as it would have been in the first place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.canonical import digest
from billing.domain.change import Change
from billing.domain.errors import InvalidUsageError
from billing.domain.grants import Grant
from billing.domain.ledger import (
    USAGE_REVENUE,
    WALLET,
    EntryKind,
    LedgerEntry,
    UsageSubtotals,
    post,
)
from billing.domain.posting import (
    MAX_CALLS,
    RatedUsage,
    charge,
    subtotals,
)
from billing.domain.rating import rate_remaining
from billing.domain.recharge import level
from billing.domain.records import Operation, Record
from billing.domain.spend import with_spend
from billing.domain.units import Unit
from billing.domain.usage import (
    EARLIEST_AT,
    Call,
    CallStatus,
    Corrected,
    CorrectionSource,
    UsageEvent,
)

Parts = tuple[tuple[str, int], ...]

KEPT = "kept/"
"""Before the name of a lot: what a call keeps of it. No lot's own name has a slash."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One call, and what it should have been.

    Args:
        current: The revision that stands.
        usage: The same call with its right content, at its right price.
    """

    current: Call
    usage: RatedUsage

    def __post_init__(self) -> None:
        was, becomes = self.current.event, self.usage.event
        assert was.key == becomes.key, "a correction is of one call"
        if was.unit != becomes.unit:
            raise InvalidUsageError("a correction keeps what a call is counted in", field="unit")

    @property
    def changes_anything(self) -> bool:
        """Whether the call's content, what it burns or what it costs would be other than it is."""
        call, rated = self.current, self.usage.rated
        if _content(self.usage.event) != _content(call.event):
            return True
        if rated is None:
            return call.billed_quantity != 0 or call.cost_micros != 0
        granted = sum(quantity for _, quantity in call.granted)
        return (
            rated.billed_quantity != call.billed_quantity
            or rated.cost_micros != call.cost_micros
            # The same price may be made up of another fee and another price per minute.
            or rate_remaining(rated, granted).wallet_micros != call.wallet_micros
        )


def _content(event: UsageEvent) -> tuple[str, CallStatus, datetime | None, datetime]:
    """What a price, a day, or what is shown of a call depends on."""
    return event.fingerprint, event.status, event.answered_at, event.ended_at


def correction_id(source: CorrectionSource, event: UsageEvent) -> str:
    """The operation of one correction: who says that which call was how."""
    name = digest([str(event.key), source, event.to_json()])
    return f"correction/{source}/{name[:32]}"


def correct_usage(
    account: Account,
    corrections: Sequence[Correction],
    source: CorrectionSource,
    operation: Operation,
    now: datetime,
    records: tuple[Record, ...] = (),
) -> Change:
    """Take calls back, and charge them as they should have been.

    All are given back before the first is charged again, each with the lots that were valid when
    the call was first posted. Seconds go back to the very lots they came from. What a lot cannot
    take back, because it is gone or smaller now, stays with its call: nobody pays for seconds that
    were granted because a period has turned, or a plan has changed.

    Args:
        account: Current as of ``now`` (its period is not over).
        corrections: 1 to ``MAX_CALLS`` of this account's calls, in posting order.
        operation: The cause; new to the book.
        now: Aware UTC.
        records: To be written with it, such as an audit record.

    Returns:
        A Change with the reversal, the entry that charges anew, the calls' next revisions, and the
        recharge timer levelled.

    Source:
        docs/ledger.md, "Corrections".
    """
    assert 0 < len(corrections) <= MAX_CALLS, len(corrections)
    assert now < account.period.end_at, "bring the account current first"
    assert all(c.current.account == account.ref for c in corrections), "another account's call"
    state = account
    kept: list[Parts] = []
    for correction in corrections:
        state, stays = _given_back(state, correction.current, now)
        kept.append(stays)
    revised: list[Call] = []
    for correction, stays in zip(corrections, kept, strict=True):
        state, call = _charged_anew(state, correction, stays, now)
        revised.append(_revision(correction.current, call, source))
    olds = [correction.current for correction in corrections]
    state, reversal = _reversal(state, olds, operation.operation_id, now)
    state, entry = _entry(state, revised, operation.operation_id, now)
    timers = level(state, entry.posted_at)
    return Change(
        before=account,
        after=timers.account.next_version(),
        operation=operation,
        entries=(reversal, entry),
        revisions=tuple(
            replace(call, sequence=entry.sequence, posted_at=entry.posted_at) for call in revised
        ),
        records=records,
        timers_set=timers.timers_set,
        timers_cleared=timers.timers_cleared,
        events=timers.events,
    )


def _given_back(account: Account, call: Call, now: datetime) -> tuple[Account, Parts]:
    """The account without the call's usage, and what its lots gave and cannot take back."""
    given = dict(call.granted)
    taken = {
        lot.grant_id: given[lot.grant_id]
        if lot.unlimited
        else min(given[lot.grant_id], lot.total - lot.remaining)
        for lot in account.grants
        if lot.grant_id in given
    }
    grants = tuple(
        replace(lot, remaining=lot.remaining + taken[lot.grant_id])
        if lot.grant_id in taken and not lot.unlimited
        else lot
        for lot in account.grants
    )
    granted = sum(given.values())
    event = call.event
    state = replace(
        account,
        grants=grants,
        totals=account.totals.minus(event.unit, call.billed_quantity, granted, call.wallet_micros),
    )
    state = with_spend(state, event.ended_at, -call.wallet_micros, now)
    stays = ((lot, quantity - taken.get(lot, 0)) for lot, quantity in call.granted)
    return state, tuple(part for part in stays if part[1])


def _charged_anew(
    account: Account, correction: Correction, stays: Parts, now: datetime
) -> tuple[Account, Call]:
    """Charge as the posting did, at the time of the first posting: the same lots are valid."""
    event = correction.usage.event
    gone = _stand_ins(account.grants, stays, event.unit)
    offered = replace(account, grants=(*account.grants, *gone))
    charged, call = charge(offered, correction.usage, correction.current.first_posted_at)
    call = replace(call, granted=_by_lot(call.granted))
    granted = sum(quantity for _, quantity in call.granted)
    state = replace(
        account,
        grants=tuple(lot for lot in charged.grants if not lot.grant_id.startswith(KEPT)),
        totals=account.totals.plus(event.unit, call.billed_quantity, granted, call.wallet_micros),
    )
    # Which days are still remembered depends on today, not on the day of the first posting.
    return with_spend(state, event.ended_at, call.wallet_micros, now), call


def _stand_ins(grants: tuple[Grant, ...], stays: Parts, unit: Unit) -> tuple[Grant, ...]:
    """Lots for what lots gave and cannot take back: this call burns them, before any other."""
    first = min((lot.priority for lot in grants), default=0) - 1
    return tuple(
        Grant(
            grant_id=f"{KEPT}{lot}",
            unit=unit,
            total=quantity,
            remaining=quantity,
            priority=first,
            granted_at=EARLIEST_AT,
            expires_at=None,
        )
        for lot, quantity in stays
    )


def _by_lot(parts: Parts) -> Parts:
    """What each lot gave, whether the call kept it or burns it now."""
    given: dict[str, int] = {}
    for name, quantity in parts:
        lot = name.removeprefix(KEPT)
        given[lot] = given.get(lot, 0) + quantity
    return tuple(given.items())


def _revision(current: Call, call: Call, source: CorrectionSource) -> Call:
    corrected = Corrected(
        revision=current.revision + 1,
        source=source,
        first_sequence=current.first_sequence,
        first_posted_at=current.first_posted_at,
    )
    return replace(call, corrected=corrected)


def _reversal(
    account: Account, calls: Sequence[Call], cause: str, now: datetime
) -> tuple[Account, LedgerEntry]:
    return post(
        account,
        kind=EntryKind.REVERSAL,
        cause=cause,
        debit=USAGE_REVENUE,
        credit=WALLET,
        amount_micros=sum(call.wallet_micros for call in calls),
        now=now,
        usage=_named(calls),
    )


def _entry(
    account: Account, calls: Sequence[Call], cause: str, now: datetime
) -> tuple[Account, LedgerEntry]:
    return post(
        account,
        kind=EntryKind.USAGE,
        cause=cause,
        debit=WALLET,
        credit=USAGE_REVENUE,
        amount_micros=sum(call.wallet_micros for call in calls),
        now=now,
        usage=_named(calls),
    )


def _named(calls: Sequence[Call]) -> UsageSubtotals:
    return replace(subtotals(calls), revisions=tuple(call.revision for call in calls))
