"""Funding sources: cards and mandates, known here only as a gateway's tokens."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.base import Acceptance, Day, Id, Instant, MoneyIn, MoneyOut, Name, Schema
from billing.domain.account import Account
from billing.domain.canonical import canonical_json
from billing.domain.funding import MAX_SOURCES
from billing.domain.records import FundingSource
from billing.domain.source_shown import source_json
from billing.ports import Setup


class FundingSourceIn(Schema):
    """A card or UPI mandate to be saved. Without a ``token`` it is begun, and its customer finishes
    it in the gateway's hosted fields. A ``token`` is for the sandbox, whose hosted fields hand one
    over. ``limit`` is the most one debit under a mandate may be. Card numbers are refused."""

    method: Literal["card", "upi"] = "card"
    label: Name
    gateway: Id | None = None
    token: Annotated[str, Field(pattern=r"^(tok|upi)_[A-Za-z0-9_]{1,128}$")] | None = None
    limit: MoneyIn | None = None
    acceptance: Acceptance | None = None


class SetupOut(Schema):
    """For the gateway's hosted fields, in the customer's browser; shown to nobody else."""

    setup_id: str
    client_secret: str


class FundingSourceOut(Schema):
    """One source. ``message`` says what can be done where it cannot be charged; ``position`` is its
    place in the order in which sources are asked. One whose saving came to nothing is ``removed``,
    with the gateway's code."""

    source: Id
    gateway: str
    method: Literal["card", "upi"]
    label: str
    brand: str | None
    last4: str | None
    expires_on: Day | None
    limit: MoneyOut | None
    state: Literal["pending", "active", "blocked", "expired", "removed"]
    blocked_code: str | None
    message: str | None
    is_default: bool
    position: int | None
    created_at: Instant
    setup: SetupOut | None = None

    @staticmethod
    def of(account: Account, source: FundingSource, now: datetime) -> "FundingSourceOut":
        return FundingSourceOut.recorded(source_json(account, source, now))

    @staticmethod
    def recorded(answer: Any, setup: Setup | None = None) -> "FundingSourceOut":
        """As it was kept with the operation; what its customer needs is not kept, and beside it."""
        shown = FundingSourceOut.model_validate_json(canonical_json(answer))
        if setup is None:
            return shown
        given = SetupOut(setup_id=setup.setup_id, client_secret=setup.client_secret)
        return shown.model_copy(update={"setup": given})


class SourceChangeIn(Schema):
    """Nothing but who agrees."""

    acceptance: Acceptance | None = None


class SourceOrderIn(Schema):
    """Every backup's id, once, in the order in which they are to be asked."""

    sources: Annotated[list[Id], Field(max_length=2 * MAX_SOURCES)]
    acceptance: Acceptance | None = None


class SourceOrderOut(Schema):
    """Who is asked first, and who then."""

    default: Id | None
    backups: list[Id]
