"""A funding source as it is shown and told of: never with the gateway's token."""

from datetime import datetime

from billing.domain.account import Account
from billing.domain.canonical import Json
from billing.domain.declines import DeclineGroup
from billing.domain.money import Money
from billing.domain.records import FundingSource, SourceState
from billing.domain.sources import is_expired

_BLOCKED = {
    DeclineGroup.NEW_SOURCE: "It can no longer be charged. Add another one, and remove this one.",
    DeclineGroup.NEVER: "It must not be charged again. Add another one, and remove this one.",
    DeclineGroup.CUSTOMER_ACTION: (
        "The bank wants its holder to approve payments. Make it the default to have it tried again,"
        " or add another one."
    ),
}
_TRIED_AGAIN = "Make it the default to have it tried again, or add another one."
_PENDING = "Its holder has not finished saving it yet. Finish, or remove it and begin again."
_EXPIRED = "It has expired. Add its successor, and remove this one."
_FAILED = "It was not saved. Begin again, or try another one."


def source_json(account: Account, source: FundingSource, now: datetime) -> dict[str, Json]:
    """How a source stands.

    Args:
        account: With its order of sources.
        now: Aware UTC; an expiry is the end of the last valid day in the account's zone.
    """
    order = account.recharging.source_ids
    state, message = _standing(account, source, now)
    is_listed = source.source_id in order
    return {
        "source": source.source_id,
        "gateway": source.gateway,
        "method": source.method.value,
        "label": source.label,
        "brand": source.brand or None,
        "last4": source.last4 or None,
        "expires_on": source.expires_on.isoformat() if source.expires_on else None,
        "limit": _money(source.limit_micros, account.currency),
        "state": state,
        "blocked_code": source.blocked_code,
        "message": message,
        "is_default": source.source_id == account.recharging.default_source_id,
        "position": order.index(source.source_id) + 1 if is_listed else None,
        "created_at": source.created_at.isoformat(),
    }


def told_json(account: Account, source: FundingSource) -> dict[str, Json]:
    """What an event says of a source, and of whether its account owes what it could pay."""
    return {
        "source": source.source_id,
        "label": source.label,
        "method": source.method.value,
        "brand": source.brand or None,
        "last4": source.last4 or None,
        "expires_on": source.expires_on.isoformat() if source.expires_on else None,
        "is_default": source.source_id == account.recharging.default_source_id,
        "standing": account.standing.value,
    }


def _standing(account: Account, source: FundingSource, now: datetime) -> tuple[str, str | None]:
    """One word, and a sentence with what can be done; None: nothing has to be."""
    if source.state is SourceState.PENDING:
        return "pending", _PENDING
    if source.state is SourceState.REMOVED:
        return "removed", _FAILED if source.blocked_code else None
    if source.blocked_code is not None:
        group = source.blocked_group
        return "blocked", _BLOCKED.get(group, _TRIED_AGAIN) if group else _TRIED_AGAIN
    if is_expired(account, source, now):
        return "expired", _EXPIRED
    return "active", None


def _money(micros: int | None, currency: str) -> Json:
    if micros is None:
        return None
    return {"amount": Money(micros, currency).amount, "currency": currency}
