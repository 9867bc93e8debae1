"""Usage that waits for a person, and what a person may do with it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from api.schemas.base import (
    AccountName,
    Instant,
    Name,
    PageQuery,
    Schema,
    UnitName,
    format_instant,
)
from billing.domain.checked_fields import MAX_TEXT
from billing.domain.errors import InvalidUsageError
from billing.domain.quarantine import Parked, Step
from billing.domain.units import Direction
from billing.domain.usage import MAX_QUANTITY, CallStatus, UsageEvent
from billing.services.replay_parked import Replayed

State = Literal["open", "parked", "fixed", "replayed", "resolved", "dismissed"]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable characters alone")
    return text


Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(_printable)]
CallId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[!-~]+$")]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Named = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class ParkedQuery(PageQuery):
    """Which items. ``open``: those that wait for somebody, in any of the first three states."""

    reason: Code | None = None
    state: State | None = None
    tenant: Named | None = None
    account: Named | None = None
    connection: Named | None = None


class UsageOut(Schema):
    """The event as it would be posted."""

    provider: str
    provider_account: str
    call_id: str
    unit: str
    direction: str
    from_: Annotated[str, Field(alias="from")]
    to: str
    status: str
    quantity: int
    answered_at: Instant | None
    ended_at: Instant

    @staticmethod
    def of(event: UsageEvent) -> "UsageOut":
        return UsageOut.model_validate(
            {
                "provider": event.key.provider,
                "provider_account": event.key.provider_account,
                "call_id": event.key.call_id,
                "unit": event.unit.value,
                "direction": event.direction.value,
                "from": event.from_number,
                "to": event.to_number,
                "status": event.status.value,
                "quantity": event.quantity,
                "answered_at": event.answered_at,
                "ended_at": event.ended_at,
            }
        )


class StepOut(Schema):
    """What one person did: which fields were changed, from what to what."""

    action: str
    actor: str
    at: Instant
    reason: str | None
    before: dict[str, Any]
    after: dict[str, Any]

    @staticmethod
    def of(step: Step) -> "StepOut":
        return StepOut(
            action=step.action.value,
            actor=step.actor,
            at=step.at,
            reason=step.reason or None,
            before=dict(step.before),
            after=dict(step.after),
        )


class ParkedOut(Schema):
    """Usage that could not be placed or priced, why, and what became of it.

    ``event`` is as it came in, ``usage`` as it would be posted, or null where it cannot be read as
    usage. ``attempts`` counts replays: in any state but ``replayed`` and ``resolved``, in vain.
    ``parked_as`` names the item that goes on with the call, where replaying parked it anew. Lists
    leave ``history`` out: it may be long.
    """

    id: str
    reason: str
    detail: str
    state: str
    connection: str
    account: AccountName | None
    event: dict[str, Any]
    usage: UsageOut | None
    parked_at: Instant
    attempts: int
    returned_at: Instant | None
    closed_at: Instant | None
    parked_as: str | None
    version: int
    history: list[StepOut] = []

    @staticmethod
    def of(parked: Parked) -> "ParkedOut":
        return ParkedOut(
            id=parked.parked_id,
            reason=parked.reason,
            detail=parked.detail,
            state=parked.state.value,
            connection=parked.connection_id,
            account=AccountName.of(parked.account) if parked.account else None,
            event=dict(parked.event),
            usage=_usage(parked),
            parked_at=parked.parked_at,
            attempts=parked.attempts,
            returned_at=parked.returned_at,
            closed_at=parked.closed_at,
            parked_as=parked.parked_as,
            version=parked.version,
        )

    @staticmethod
    def whole(parked: Parked) -> "ParkedOut":
        """With its history."""
        history = [StepOut.of(step) for step in parked.steps]
        return ParkedOut.of(parked).model_copy(update={"history": history})


class ParkedRow(Schema):
    """An item as a row of CSV."""

    id: str
    reason: str
    detail: str
    state: str
    connection: str
    account: AccountName | None
    usage: UsageOut | None
    parked_at: Instant
    attempts: int
    returned_at: Instant | None
    closed_at: Instant | None
    parked_as: str | None


class FixIn(Schema):
    """What is wrong with the event, corrected. What is left out stays as it is.

    ``account: null`` looks the connection's mapping up again, ``answered_at: null`` says it was
    not answered. What names the call can be given where it is unknown, and is never changed.
    """

    account: AccountName | None = None
    provider: CallId | None = None
    provider_account: CallId | None = None
    call_id: CallId | None = None
    unit: UnitName | None = None
    direction: Direction | None = None
    from_: Annotated[Text | None, Field(alias="from")] = None
    to: Text | None = None
    status: CallStatus | None = None
    quantity: Annotated[int, Field(ge=0, le=MAX_QUANTITY)] | None = None
    answered_at: Instant | None = None
    ended_at: Instant | None = None

    def changes(self) -> dict[str, Any]:
        """Fields of the event by name, as they are stored; without the account."""
        given = {
            field.alias or name: getattr(self, name)
            for name, field in type(self).model_fields.items()
            if name in self.model_fields_set and name != "account"
        }
        for name in ("answered_at", "ended_at"):
            if given.get(name) is not None:
                given[name] = format_instant(given[name])
        return given


class DismissIn(Schema):
    """Why this will never be posted."""

    reason: Name


class ReplayIn(Schema):
    """Which items to post again: all that wait for this reason."""

    reason: Code
    connection: Named | None = None
    cursor: Annotated[str, Field(min_length=1, max_length=512)] | None = None


class SkippedOut(Schema):
    """An item that cannot be replayed as it is."""

    id: str
    code: str
    detail: str


class ReplayOut(Schema):
    """How many were posted again. There is more to do while ``next_cursor`` is not null."""

    replayed: int
    skipped: list[SkippedOut]
    next_cursor: str | None

    @staticmethod
    def of(done: Replayed, next_cursor: str | None) -> "ReplayOut":
        return ReplayOut(
            replayed=done.replayed,
            skipped=[
                SkippedOut(id=one.parked_id, code=one.code, detail=one.detail)
                for one in done.skipped
            ],
            next_cursor=next_cursor,
        )


def _usage(parked: Parked) -> UsageOut | None:
    try:
        return UsageOut.of(parked.usage())
    except InvalidUsageError:
        return None
