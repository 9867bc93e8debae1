"""What a version of a rate deck would change, and how it comes in and takes effect."""

from typing import Annotated, Any

from pydantic import Field

from api.schemas.base import AccountName, Bound, Currency, Instant, MoneyOut, Schema
from api.schemas.rate_decks import DeckVersionOut
from billing.domain.deck_cells import COLUMNS, key_cells, prefix_cell, terms_cells
from billing.domain.deck_diff import CallChange, PriceChange
from billing.domain.rates import Terms
from billing.domain.rating import Rounding
from billing.domain.units import Unit
from billing.domain.usage import CallKey
from billing.ports import UploadOffer
from billing.services.diff_decks import DeckComparison, Trial

MAX_UPLOAD_BYTES = 16 * 1024 * 1024
"""A deck of 250,000 prices has some 10 MB as CSV. What is uploaded is read within one request, for
which API Gateway waits 30 seconds (service quota)."""

_TERMS_COLUMNS = (*COLUMNS[3:], "tiers", "cap", "treatment")


class ActivationIn(Schema):
    """From when a draft prices calls; without a date as soon as it can be."""

    effective_at: Instant | None = None


class UploadIn(Schema):
    """A file larger than a request: how large exactly."""

    bytes: Annotated[int, Field(ge=1, le=MAX_UPLOAD_BYTES)]


class UploadOfferOut(Schema):
    """Send the file to ``url`` by ``method`` with ``headers`` as they are, then complete it."""

    upload: str
    method: str
    url: str
    headers: dict[str, str]
    expires_at: Instant

    @staticmethod
    def of(offer: UploadOffer) -> "UploadOfferOut":
        return UploadOfferOut(
            upload=offer.upload_id,
            method="PUT",
            url=offer.url,
            headers=dict(offer.headers),
            expires_at=offer.expires_at,
        )


class UploadCompletion(Schema):
    """How the prices of an uploaded deck become money, and from when."""

    currency: Currency
    effective_at: Instant | None = None
    rounding: Rounding = Rounding.UP
    decimals: Annotated[int, Field(ge=0, le=6)] = 6
    activate: bool = True


class PastUsageIn(Schema):
    """Usage of one account to price again: what was posted from, and not including to."""

    account: AccountName
    from_: Annotated[Bound, Field(alias="from")]
    to: Bound | None = None


class DiffIn(Schema):
    """What to compare a version with; without ``against``, with the one in force now."""

    against: Annotated[int, Field(ge=1)] | None = None
    dry_run: PastUsageIn | None = None


class PriceRow(Schema):
    """One row of a deck without its key, spelled as in the CSV."""

    destination: str
    rate: str
    connect_fee: str
    first_increment_seconds: str
    next_increment_seconds: str
    tiers: str
    cap: str
    treatment: str
    window: str


class PriceChangeOut(Schema):
    """One prefix that has other rows; none on the side where it has none."""

    difference: str
    unit: str
    direction: str
    prefix: str
    before: list[PriceRow]
    after: list[PriceRow]

    @staticmethod
    def of(change: PriceChange) -> "PriceChangeOut":
        unit, direction = key_cells(change.unit, change.direction)
        return PriceChangeOut(
            difference=change.difference.value,
            unit=unit,
            direction=direction,
            prefix=prefix_cell(change.prefix),
            before=_rows(change.unit, change.before),
            after=_rows(change.unit, change.after),
        )


class CallChangeOut(Schema):
    """One call that would cost something else; null where it would have no price."""

    provider: str
    provider_account: str
    call_id: str
    before: MoneyOut | None
    after: MoneyOut | None

    @staticmethod
    def of(key: CallKey, change: CallChange, currency: str) -> "CallChangeOut":
        return CallChangeOut(
            provider=key.provider,
            provider_account=key.provider_account,
            call_id=key.call_id,
            before=_money(change.before_micros, currency),
            after=_money(change.after_micros, currency),
        )


class TrialOut(Schema):
    """Past usage priced by both versions, before any grant.

    ``before`` and ``after`` sum the calls that both price. Without ``is_complete`` there was more
    usage than is priced at once: narrow the range.
    """

    calls: int
    is_complete: bool
    before: MoneyOut
    after: MoneyOut
    counts: dict[str, int]
    examples: list[CallChangeOut]

    @staticmethod
    def of(trial: Trial, currency: str) -> "TrialOut":
        run = trial.run
        return TrialOut(
            calls=run.calls,
            is_complete=trial.is_complete,
            before=MoneyOut.of(run.before_micros, currency),
            after=MoneyOut.of(run.after_micros, currency),
            counts={way.value: count for way, count in run.counts.items()},
            examples=[CallChangeOut.of(key, change, currency) for key, change in trial.changed],
        )


class DiffOut(Schema):
    """One version beside another, prefix by prefix: all are counted, the weightiest are shown."""

    before: DeckVersionOut
    after: DeckVersionOut
    is_empty: bool
    unchanged: int
    counts: dict[str, int]
    zone_changed: bool
    examples: list[PriceChangeOut]
    dry_run: TrialOut | None

    @staticmethod
    def of(found: DeckComparison) -> "DiffOut":
        diff = found.diff
        return DiffOut(
            before=DeckVersionOut.of(found.before),
            after=DeckVersionOut.of(found.after),
            is_empty=diff.is_empty,
            unchanged=diff.unchanged,
            counts={way.value: count for way, count in diff.counts.items()},
            zone_changed=diff.zone_changed,
            examples=[PriceChangeOut.of(change) for change in diff.examples],
            dry_run=TrialOut.of(found.trial, found.after.currency) if found.trial else None,
        )


def _rows(unit: Unit, terms: Terms | None) -> list[PriceRow]:
    if terms is None:
        return []
    timed = [(str(window), own) for window, own in terms.windows]
    return [
        PriceRow.model_validate(_cells(unit, own) | {"window": window})
        for window, own in [("", terms), *timed]
    ]


def _cells(unit: Unit, terms: Terms) -> dict[str, Any]:
    return dict(zip(_TERMS_COLUMNS, terms_cells(unit, terms), strict=True))


def _money(micros: int | None, currency: str) -> MoneyOut | None:
    return None if micros is None else MoneyOut.of(micros, currency)
