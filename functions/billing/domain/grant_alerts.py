"""Whom it concerns is told when a grant is nearly, and when it is all used."""

from collections.abc import Iterator
from datetime import datetime

from billing.domain.account import Account
from billing.domain.canonical import Json, digest
from billing.domain.grants import Grant
from billing.domain.records import Event, EventType


def grant_events(before: Account, after: Account, at: datetime) -> tuple[Event, ...]:
    """One event for all thresholds that a Change crosses, or none.

    A plan's lot is one period's, so each threshold is told once per period. The event is named by
    what it tells: a correction that gives minutes back, or a threshold that is taken away and set
    again, lets the same one be crossed again, under the same id.
    """
    crossed = tuple(crossed_grants(before, after))
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


def crossed_grants(before: Account, after: Account) -> Iterator[tuple[Grant, int]]:
    """What stands after a Change and did not before, lot by lot.

    A lot that is new tells nothing, and neither does one whose total changed: it is another quota.
    """
    lots = {grant.grant_id: grant for grant in before.grants}
    stood = {(grant.grant_id, percent) for grant, percent in reached_grants(before)}
    for grant, percent in reached_grants(after):
        was = lots.get(grant.grant_id)
        if was is None or was.total != grant.total:
            continue
        if (grant.grant_id, percent) not in stood:
            yield grant, percent


def reached_grants(account: Account) -> Iterator[tuple[Grant, int]]:
    """Lots with each threshold they have reached. Of an unlimited lot no part is ever used."""
    for grant in account.grants:
        if grant.unlimited or not grant.total:
            continue
        for percent in account.alerting.grant_percents:
            if (grant.total - grant.remaining) * 100 >= grant.total * percent:
                yield grant, percent


def _shown(grant: Grant, percent: int) -> dict[str, Json]:
    return {
        "grant": grant.recurring_id or grant.grant_id,
        "unit": grant.unit.value,
        "threshold_percent": percent,
        "total": grant.total,
        "remaining": grant.remaining,
    }
