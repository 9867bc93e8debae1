"""Call authorisation: what may begin, for how long, and at which price."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from api.schemas.base import Id, Instant, MoneyOut, Schema
from api.schemas.corrections import Part
from billing.domain.authorising import LONGEST_SECONDS, CallWanted
from billing.domain.covering import Destination
from billing.domain.errors import TalktimeError
from billing.domain.rating import Rate
from billing.domain.units import Direction, Unit
from billing.domain.usage import MAX_TEXT_CHARACTERS, CallKey
from billing.services.authorise_call import Authorised

CallId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
Number = Annotated[str, StringConstraints(pattern=r"^(\+[1-9][0-9]{1,14}|[0-9]{1,6})$")]
Caller = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARACTERS)]
Seconds = Annotated[int, Field(ge=1, le=LONGEST_SECONDS)]

UNITS = {
    "call": Unit.VOICE_SECONDS,
    "voice_message": Unit.VOICE_SECONDS,
    "message": Unit.MESSAGES,
}


class AuthoriseIn(Schema):
    """A call or message that somebody wants to make or take.

    ``account`` is a billing account's id, or ``default`` for the tenant's first. ``call_id`` is the
    dialler's own, and the same again is the same call. ``to`` is the called number in both
    directions, E.164 or a short code. ``from`` prices nothing; a number of the account's own that
    is on hold starts no call, and takes none. ``duration_seconds`` is how long
    the call should be covered at first; ten minutes, if it is left out. ``licence`` is the kind of
    licence that it needs, and ``member`` who makes or takes it: a call takes a port of a pool for
    as long as its reservation counts, unless the member's lease covers it.
    """

    account: Id
    call_id: CallId
    direction: Direction
    kind: Literal["call", "voice_message", "message"]
    to: Number
    from_: Annotated[Caller | None, Field(alias="from")] = None
    duration_seconds: Seconds | None = None
    licence: Id | None = None
    member: Id | None = None

    def wanted(self) -> CallWanted:
        destination = Destination(UNITS[self.kind], self.direction, self.to)
        return CallWanted(
            self.call_id,
            destination,
            self.duration_seconds,
            licence=self.licence or "",
            member_id=self.member or "",
            own_number=(self.to if self.direction is Direction.INBOUND else self.from_) or "",
        )


class RateOut(Schema):
    """The price of an answer now: per minute of a call, or per message, and its increments."""

    prefix: str
    destination: str
    price: MoneyOut
    connect_fee: MoneyOut
    first_increment_seconds: int
    next_increment_seconds: int

    @staticmethod
    def of(rate: Rate, currency: str) -> "RateOut":
        return RateOut(
            prefix=rate.prefix,
            destination=rate.destination,
            price=MoneyOut.of(rate.rate_micros, currency),
            connect_fee=MoneyOut.of(rate.connect_fee_micros, currency),
            first_increment_seconds=rate.first_increment_seconds,
            next_increment_seconds=rate.next_increment_seconds,
        )


class AuthorisedOut(Schema):
    """Whether it may begin; if not, why, as a code and in a sentence.

    ``max_duration_seconds`` counts from the answer; a message has none. Where a licence is missing,
    ``assign`` is the path whose ``PUT`` assigns it; ``cause`` is ``not_assigned`` or
    ``pool_exhausted``, with how many ports there are and how many are in use.
    """

    allowed: bool
    reservation_id: str | None = None
    max_duration_seconds: int | None = None
    reservation_expires_at: Instant | None = None
    rate: RateOut | None = None
    queue_priority: int | None = None
    reason: str | None = None
    message: str | None = None
    cause: str | None = None
    licence: str | None = None
    assign: str | None = None
    in_use: int | None = None
    quantity: int | None = None

    @staticmethod
    def of(found: Authorised) -> "AuthorisedOut":
        made = found.reservation
        is_timed = made.destination.unit.is_timed
        return AuthorisedOut(
            allowed=True,
            reservation_id=made.reservation_id,
            max_duration_seconds=made.cover.seconds if is_timed else None,
            reservation_expires_at=made.expires_at,
            rate=RateOut.of(found.rate, found.currency),
            queue_priority=found.queue_priority,
        )

    @staticmethod
    def refused(error: TalktimeError) -> "AuthorisedOut":
        shown = ("cause", "licence", "assign", "in_use", "quantity")
        return AuthorisedOut.model_validate(
            {
                "allowed": False,
                "reason": error.code,
                "message": error.detail,
                **{name: error.members[name] for name in shown if name in error.members},
            }
        )


class ExtendIn(Schema):
    """How long the call should be covered in all, from its answer."""

    duration_seconds: Seconds


class LinkIn(Schema):
    """The carrier's call, as its usage will name it."""

    provider: Part
    provider_account: Part
    call_id: Part

    @property
    def key(self) -> CallKey:
        return CallKey(self.provider, self.provider_account, self.call_id)
