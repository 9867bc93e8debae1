"""Whose usage waits for a person is told so, once, where it is known whose it is."""

from billing.domain.canonical import Json
from billing.domain.quarantine import Parked
from billing.domain.records import Event, EventType

NO_SUCH_ACCOUNT = "not_found"
"""Why posting parks what it was to charge to an account that does not exist: there is nobody there
to be told."""


def quarantined_event(parked: Parked) -> Event | None:
    """What is told when usage is parked for the first time; None: only the operator sees it.

    Usage of no known account is nobody's who could be told. Being replayed, and parked again, is
    between the operator and his deck: it is not told once more.
    """
    ref = parked.account
    if ref is None or parked.reason == NO_SUCH_ACCOUNT:
        return None
    key = parked.key()
    call: Json = None
    if key is not None:
        call = {
            "provider": key.provider,
            "provider_account": key.provider_account,
            "call_id": key.call_id,
        }
    type_ = EventType.USAGE_QUARANTINED
    return Event(
        event_id=f"{ref.account_id}/quarantine/{parked.parked_id}/{type_}",
        type=type_,
        account=ref,
        occurred_at=parked.parked_at,
        data={
            "item": parked.parked_id,
            "reason": parked.reason,
            "detail": parked.detail,
            "call": call,
        },
    )
