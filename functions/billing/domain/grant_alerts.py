"""Whom it concerns is told when a grant is nearly, and when it is all used."""

from collections.abc import Iterator
from datetime import datetime

from billing.domain.account import Account
from billing.domain.canonical import Json, digest
from billing.domain.grants import Grant
from billing.domain.records import Event, EventType

THRESHOLDS_PERCENT = (80, 100)
"""Of a lot's total (the contract, "Events out")."""


def grant_events(before: Account, after: Account, at: datetime) -> tuple[Event, ...]:
    """One event for all thresholds that a Change crosses, or none.

    A plan's lot is one period's, so each threshold is told once per period. The event is named by
    what it tells: a correction that gives minutes back lets the same threshold be crossed again,
    under the same id.
    """
    crossed = tuple(_crossed(before, after))
    if not crossed:
        return ()
    named: list[Json] = [[grant.grant_id, percent] for grant, percent in crossed]
    type_ = EventType.GRANT_THRESHOLD_REACHED
    return (
        Event(
            event_id=f"{after.ref.account_id}/{digest(named)[:24]}/{type_}",
            type=type_,
            account=after.ref,
            occurred_at=at,
            data={"grants": [_shown(grant, percent) for grant, percent in crossed]},
        ),
    )


def _crossed(before: Account, after: Account) -> Iterator[tuple[Grant, int]]:
    lots = {grant.grant_id: grant for grant in before.grants}
    for grant in after.grants:
        was = lots.get(grant.grant_id)
        # Of an unlimited lot no part is ever used; a total that changed is another quota.
        if was is None or grant.unlimited or was.total != grant.total:
            continue
        for percent in THRESHOLDS_PERCENT:
            if _is_reached(grant, percent) and not _is_reached(was, percent):
                yield grant, percent


def _is_reached(grant: Grant, percent: int) -> bool:
    return (grant.total - grant.remaining) * 100 >= grant.total * percent


def _shown(grant: Grant, percent: int) -> dict[str, Json]:
    return {
        "grant": grant.recurring_id or grant.grant_id,
        "unit": grant.unit.value,
        "threshold_percent": percent,
        "total": grant.total,
        "remaining": grant.remaining,
    }
