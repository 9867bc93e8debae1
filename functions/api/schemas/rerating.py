"""Re-rating: what is asked, what would change, and what was changed."""

from typing import Annotated

from pydantic import Field

from api.schemas.base import Bound, Id, Instant, MoneyOut, Schema
from billing.domain.rerating import RatedAnew
from billing.services.rerate_usage import Rerated

Posting = Annotated[
    Annotated[int, Field(ge=1, lt=10**12)] | Bound,
    Field(
        description="A posting's sequence in the ledger, an RFC 3339 time, or a day in the"
        " account's time zone."
    ),
]


class RerateIn(Schema):
    """Which calls are re-rated, at which version of which deck.

    The range goes by posting, begins with ``from`` and leaves out ``to``, and is over. Send the
    same body with ``next_cursor`` as ``cursor`` until it is null; one Idempotency-Key serves all
    pages of a range.
    """

    from_: Annotated[Posting, Field(alias="from")]
    to: Posting
    deck: Id
    version: Annotated[int, Field(ge=1, lt=10**6)]
    dry_run: bool
    cursor: Annotated[str, Field(min_length=1, max_length=512)] | None = None


class RatedAnewOut(Schema):
    """One call of a dry run: what it costs, and what it would cost.

    ``wallet_difference`` is what the wallet would pay more. A call that the deck has no price for
    says so in ``refused``, and stays as it is.
    """

    provider: str
    provider_account: str
    call_id: str
    posted_at: Instant
    sequence: int
    changed: bool
    old_cost: MoneyOut
    new_cost: MoneyOut
    wallet_difference: MoneyOut
    refused: str | None

    @staticmethod
    def of(row: RatedAnew, currency: str) -> "RatedAnewOut":
        before, after = row.before, row.after
        key = before.event.key
        return RatedAnewOut(
            provider=key.provider,
            provider_account=key.provider_account,
            call_id=key.call_id,
            posted_at=before.first_posted_at,
            sequence=before.first_sequence,
            changed=after is not before,
            old_cost=MoneyOut.of(before.cost_micros, currency),
            new_cost=MoneyOut.of(after.cost_micros, currency),
            wallet_difference=MoneyOut.of(after.wallet_micros - before.wallet_micros, currency),
            refused=row.refusal.code if row.refusal else None,
        )


class RerateOut(Schema):
    """What this page came to. ``data`` lists the calls of a dry run, and is empty otherwise."""

    dry_run: bool
    deck: str
    version: int
    calls: int
    changed: int
    unchanged: int
    refused: int
    old_cost: MoneyOut
    new_cost: MoneyOut
    wallet_difference: MoneyOut
    data: list[RatedAnewOut]
    next_cursor: str | None

    @staticmethod
    def of(asked: RerateIn, rerated: Rerated, next_cursor: str | None) -> "RerateOut":
        figures, currency = rerated.figures, rerated.currency
        return RerateOut(
            dry_run=asked.dry_run,
            deck=asked.deck,
            version=asked.version,
            calls=figures.calls,
            changed=figures.changed,
            unchanged=figures.unchanged,
            refused=figures.refused,
            old_cost=MoneyOut.of(figures.old_cost_micros, currency),
            new_cost=MoneyOut.of(figures.new_cost_micros, currency),
            wallet_difference=MoneyOut.of(figures.wallet_micros, currency),
            data=[RatedAnewOut.of(row, currency) for row in rerated.rows],
            next_cursor=next_cursor,
        )
