"""Usage that waits for a person, and what may become of it.

``parked`` → (``fixed``)* → ``replayed`` → ``resolved``, or ``dismissed`` by an operator, who
says why. What could not be posted when it was replayed is ``parked`` again. Nothing is deleted.

Replaying only posts again. It never corrects: a ``conflicting_report`` that is replayed meets the
recorded call once more, and stays a conflict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from billing.domain.account import AccountRef
from billing.domain.canonical import Json, digest
from billing.domain.checked_fields import CheckedFields, Fault
from billing.domain.errors import InvalidInputError, InvalidUsageError, ItemClosedError
from billing.domain.units import Direction
from billing.domain.usage import Call, CallKey, CallStatus, UsageEvent

POSTING_REASONS = (
    "conflicting_report",
    "currency_mismatch",
    "destination_blocked",
    "destination_not_rated",
    "invalid_usage",
    "no_rate_deck",
    "not_found",
)
"""Why posting parks. Whatever is replayed is posted, or is parked again for one of these."""

HALF_OF_A_CALL = "half_of_a_call"

IDENTITY = ("provider", "provider_account", "call_id")
"""What names a call. Changed, it would be another call, billed beside the first."""

FIELDS = (
    *IDENTITY,
    "unit",
    "direction",
    "from",
    "to",
    "status",
    "quantity",
    "answered_at",
    "ended_at",
)
"""What can be fixed of the event."""

ACCOUNT = "account"

MAX_STEPS = 300
"""Fixes and replays one item remembers: an item of the table has room for no more than 400 KB."""


class ParkedState(StrEnum):
    """Where it stands. The first three wait for somebody."""

    PARKED = "parked"
    FIXED = "fixed"
    REPLAYED = "replayed"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


OPEN = frozenset({ParkedState.PARKED, ParkedState.FIXED, ParkedState.REPLAYED})


class Action(StrEnum):
    """What a person does with it."""

    FIX = "fix"
    REPLAY = "replay"
    DISMISS = "dismiss"


@dataclass(frozen=True, slots=True)
class Step:
    """What one person did, for the audit.

    Args:
        before: The fields that were changed, as they were; absent where there was none.
        after: The same fields, as they are.
    """

    action: Action
    actor: str
    at: datetime
    reason: str
    before: Mapping[str, Json]
    after: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Parked:
    """Usage that could not be placed or priced, kept whatever becomes of it.

    Args:
        parked_id: Digest of the event and reason, so that parking twice is parking once.
        reason: A stable code, such as ``account_not_mapped``.
        detail: One sentence.
        account: Whose usage it is, as far as anybody knows.
        event: The normalised event, or the raw callback where it could not be read; as it came in.
        version: Goes up with every change.
        fixed: The event as an operator corrected it.
        attempts: How often it was replayed. In any state but ``replayed``: in vain.
        returned_at: When it was last parked again after having been replayed.
        closed_at: When the call was posted, or the item dismissed.
        parked_as: The item that goes on with this call, where posting parked it for another reason
            or with other content.
    """

    parked_id: str
    reason: str
    detail: str
    connection_id: str
    account: AccountRef | None
    event: Mapping[str, Json]
    parked_at: datetime
    state: ParkedState = ParkedState.PARKED
    version: int = 1
    fixed: Mapping[str, Json] | None = None
    steps: tuple[Step, ...] = ()
    attempts: int = 0
    returned_at: datetime | None = None
    closed_at: datetime | None = None
    parked_as: str | None = None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def current(self) -> Mapping[str, Json]:
        """The event as it would be posted."""
        return self.event if self.fixed is None else self.fixed

    def usage(self) -> UsageEvent:
        """
        Raises:
            InvalidUsageError: It cannot be read as usage yet.
        """
        return UsageEvent.from_json(self.current)

    def key(self) -> CallKey | None:
        """Which call it is about, where that is known."""
        names = [self.current.get(name) for name in IDENTITY]
        if not all(isinstance(name, str) and name for name in names):
            return None
        provider, provider_account, call_id = map(str, names)
        return CallKey(provider, provider_account, call_id)


def posting_id(ref: AccountRef, reason: str, event: UsageEvent) -> str:
    """The item that posting an event to an account parks, should it have to.

    Times lie outside, as in the fingerprint: the same report, delivered again, parks once.
    """
    return digest([str(ref), reason, str(event.key), event.fingerprint])[:32]


def successor_ids(parked: Parked) -> tuple[str, ...]:
    """Every other item that replaying this one may have led to."""
    try:
        usage = parked.usage()
    except InvalidUsageError:
        return ()
    if parked.state is not ParkedState.REPLAYED or parked.account is None:
        return ()
    ids = (posting_id(parked.account, reason, usage) for reason in POSTING_REASONS)
    return tuple(id_ for id_ in ids if id_ != parked.parked_id)


def is_successor(parked: Parked, other: Parked) -> bool:
    """Whether an item that replaying may have led to goes on with the call.

    One that was closed before knows nothing of this replay.
    """
    replayed_at = parked.steps[-1].at
    return other.is_open or (other.returned_at or other.parked_at) >= replayed_at


def is_of_posting(parked: Parked) -> bool:
    """Whether it was posting that parked it, and not a provider who delivered once more."""
    if parked.account is None or parked.reason not in POSTING_REASONS:
        return False
    try:
        usage = parked.usage()
    except InvalidUsageError:
        return False
    return parked.parked_id == posting_id(parked.account, parked.reason, usage)


def park_again(kept: Parked, again: Parked) -> Parked | None:
    """What becomes of an item that is parked once more; None: it stays as it is.

    Only what was replayed comes back. A fix stays, and so does what was decided: a dismissed report
    that a provider delivers again is still dismissed.
    """
    if kept.state is not ParkedState.REPLAYED:
        return None
    return replace(
        kept,
        state=ParkedState.PARKED,
        version=kept.version + 1,
        detail=again.detail,
        returned_at=again.parked_at,
    )


def fix(parked: Parked, changes: Mapping[str, Json], actor: str, now: datetime) -> Parked:
    """Change fields of the event, or whose it is. Changing nothing leaves it as it is.

    Args:
        changes: By the names of ``FIELDS``; ``account`` is a tenant and an account, or None to look
            the connection's mapping up again.

    Raises:
        ItemClosedError: It is closed, or was changed too often.
        InvalidInputError: It would become another call.
        InvalidFieldsError: It cannot be usage so; every wrong or missing field is named.
        InvalidUsageError: It cannot be true so.
    """
    _require_open(parked)
    _require_room(parked)
    _require_same_call(parked, changes)
    known = {name: parked.current[name] for name in FIELDS if name in parked.current}
    account = _account_json(parked.account)
    fields = {name: value for name, value in changes.items() if name != ACCOUNT}
    fixed = parked.fixed
    if fields or fixed is not None:
        fixed = _checked({**known, **fields}, parked.connection_id).to_json()
    after = {ACCOUNT: changes.get(ACCOUNT, account), **_of_interest(fixed or known)}
    before = {ACCOUNT: account, **_of_interest(known)}
    changed = sorted(name for name in after if before.get(name) != after[name])
    if not changed:
        return parked
    step = Step(
        Action.FIX,
        actor,
        now,
        "",
        {name: before[name] for name in changed if name in before},
        {name: after[name] for name in changed},
    )
    return replace(
        parked,
        state=ParkedState.FIXED,
        version=parked.version + 1,
        account=_account(after[ACCOUNT]),
        fixed=fixed,
        steps=(*parked.steps, step),
    )


def replay(parked: Parked, ref: AccountRef, actor: str, now: datetime) -> Parked:
    """Mark that its event goes to posting once more.

    Raises:
        ItemClosedError: It is closed, or was replayed too often.
    """
    _require_open(parked)
    _require_room(parked)
    attempts = parked.attempts + 1
    step = Step(
        Action.REPLAY, actor, now, "", {}, {ACCOUNT: _account_json(ref), "attempts": attempts}
    )
    return replace(
        parked,
        state=ParkedState.REPLAYED,
        version=parked.version + 1,
        account=ref,
        steps=(*parked.steps, step),
        attempts=attempts,
    )


def dismiss(parked: Parked, reason: str, actor: str, now: datetime) -> Parked:
    """Decide that it will never be posted. Dismissing it again leaves the first reason.

    Raises:
        ItemClosedError: It has been posted.
    """
    if parked.state is ParkedState.DISMISSED:
        return parked
    _require_open(parked)
    return replace(
        parked,
        state=ParkedState.DISMISSED,
        version=parked.version + 1,
        steps=(*parked.steps, Step(Action.DISMISS, actor, now, reason, {}, {})),
        closed_at=now,
    )


def settle(parked: Parked, recorded: Sequence[Call], successor: Parked | None) -> Parked:
    """How it stands, now that the book was read.

    Args:
        recorded: The record of its call in its account's tenant, and its last correction.
        successor: The item that replaying it led to.
    """
    if not parked.is_open:
        return parked
    for call in recorded:
        if _is_record_of(call, parked):
            return replace(
                parked,
                state=ParkedState.RESOLVED,
                version=parked.version + 1,
                closed_at=call.posted_at,
            )
    if parked.state is ParkedState.REPLAYED and successor is not None:
        return replace(
            parked,
            state=ParkedState.RESOLVED,
            version=parked.version + 1,
            closed_at=successor.returned_at or successor.parked_at,
            parked_as=successor.parked_id,
        )
    return parked


def _is_record_of(recorded: Call, parked: Parked) -> bool:
    """Half a call is done with once the call is recorded; a report, if it says the same."""
    try:
        return recorded.fingerprint == parked.usage().fingerprint
    except InvalidUsageError:
        return parked.reason == HALF_OF_A_CALL


def _require_open(parked: Parked) -> None:
    if not parked.is_open:
        raise ItemClosedError(f"this item is {parked.state}; nothing is left to be done with it")


def _require_room(parked: Parked) -> None:
    if len(parked.steps) >= MAX_STEPS:
        raise ItemClosedError(
            f"this item was changed or replayed {MAX_STEPS} times; it can only be dismissed now"
        )


def _require_same_call(parked: Parked, changes: Mapping[str, Json]) -> None:
    # Once it was replayed, it may be posted under the name that was filled in.
    named = parked.current if parked.attempts else parked.event
    for name in IDENTITY:
        known = named.get(name)
        if name in changes and isinstance(known, str) and known and changes[name] != known:
            raise InvalidInputError("it would be another call", field=name)


def _checked(fields: Mapping[str, Json], connection_id: str) -> UsageEvent:
    faults: list[Fault] = []
    checked = CheckedFields(fields, "", faults)
    key = CallKey(*(checked.id(name) for name in IDENTITY))
    unit, direction = checked.unit("unit"), checked.choice("direction", Direction)
    # A provider may not know who called, and says so with an empty text.
    from_number = checked.text("from") if fields.get("from") else ""
    to_number = checked.text("to") if fields.get("to") or not unit.is_own else ""
    status, quantity = checked.choice("status", CallStatus), checked.count("quantity")
    answered_at, ended_at = checked.optional_instant("answered_at"), checked.instant("ended_at")
    checked.finished()
    assert ended_at is not None
    return UsageEvent(
        key=key,
        unit=unit,
        direction=direction,
        from_number=from_number,
        to_number=to_number,
        status=status,
        quantity=quantity,
        answered_at=answered_at,
        ended_at=ended_at,
        connection_id=connection_id,
    )


def _of_interest(event: Mapping[str, Json]) -> dict[str, Json]:
    return {name: event[name] for name in FIELDS if name in event}


def _account_json(ref: AccountRef | None) -> Json:
    return None if ref is None else [ref.tenant_id, ref.account_id]


def _account(value: Json) -> AccountRef | None:
    match value:
        case [str(tenant_id), str(account_id)]:
            return AccountRef(tenant_id, account_id)
    assert value is None, value
    return None
