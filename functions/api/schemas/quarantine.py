"""Usage that waits for a person."""

from typing import Any

from api.schemas.base import AccountName, Instant, Schema
from billing.ports import Parked


class ParkedOut(Schema):
    """Usage that could not be placed or priced: the event as it came in, and why."""

    id: str
    reason: str
    detail: str
    connection: str
    account: AccountName | None
    event: dict[str, Any]
    parked_at: Instant

    @staticmethod
    def of(parked: Parked) -> "ParkedOut":
        return ParkedOut(
            id=parked.parked_id,
            reason=parked.reason,
            detail=parked.detail,
            connection=parked.connection_id,
            account=AccountName.of(parked.account) if parked.account else None,
            event=parked.event,
            parked_at=parked.parked_at,
        )
