"""Summaries of usage: series for charts."""

from typing import Literal

from pydantic import Field

from api.schemas.base import Day, MeteredOut, MoneyOut, Query, Schema
from api.schemas.usage import Country
from billing.domain.summaries import Figures
from billing.services.summarise_usage import UsageSummary


class UsageSummaryQuery(Query):
    """Days are the account's own; usage counts on the day it ended, whenever it was posted."""

    by: Literal["hour", "day", "direction", "destination"] = "day"
    from_: Day | None = Field(None, alias="from", description="The first day; 30 before `to`.")
    to: Day | None = Field(None, description="The day after the last; tomorrow.")
    direction: Literal["inbound", "outbound"] | None = None
    country: Country | None = None


class UsageSummaryRow(Schema):
    """What a row stands for is in ``key``: a day, an hour's first instant (UTC), a direction, or
    the country of the called numbers (ISO 3166; ``ZZ``: of none).

    Seconds and messages are billed ones, after increments; other units, where there are any, are in
    ``metered``. For a member of the tenant the money is
    left out.
    """

    key: str
    calls: int
    voice_seconds: int
    granted_voice_seconds: int
    messages: int
    granted_messages: int
    metered: list[MeteredOut] | None = None
    wallet: MoneyOut | None = None

    @staticmethod
    def of(key: str, figures: Figures, currency: str, *, with_money: bool) -> "UsageSummaryRow":
        row = UsageSummaryRow(
            key=key,
            calls=figures.calls,
            voice_seconds=figures.voice_seconds,
            granted_voice_seconds=figures.granted_voice_seconds,
            messages=figures.messages,
            granted_messages=figures.granted_messages,
        )
        row = row.model_copy(update=MeteredOut.given(figures.metered))
        if not with_money:
            return row
        wallet = MoneyOut.of(figures.wallet_micros, currency)
        return row.model_copy(update={"wallet": wallet})


class UsageSummaryOut(Schema):
    """A series without gaps, and its total. ``pending_entries``: ledger entries that are posted and
    not in here yet; a few seconds later they are."""

    by: str
    from_: Day = Field(alias="from")
    to: Day
    time_zone: str
    currency: str
    pending_entries: int
    total: UsageSummaryRow
    data: list[UsageSummaryRow]

    @staticmethod
    def of(by: str, summary: UsageSummary, *, with_money: bool) -> "UsageSummaryOut":
        def row(key: str, figures: Figures) -> UsageSummaryRow:
            return UsageSummaryRow.of(key, figures, summary.currency, with_money=with_money)

        return UsageSummaryOut.model_validate(
            {
                "by": by,
                "from": summary.begin,
                "to": summary.end,
                "time_zone": summary.time_zone,
                "currency": summary.currency,
                "pending_entries": summary.pending_entries,
                "total": row("total", Figures.total(figures for _, figures in summary.rows)),
                "data": [row(key, figures) for key, figures in summary.rows],
            }
        )
