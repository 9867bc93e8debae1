"""Units of the operator's own are stored where there are any, and cost nothing elsewhere."""

from dataclasses import replace
from datetime import date

from billing.adapters.dynamodb import items, summaries
from billing.adapters.dynamodb.packing import unpack
from billing.domain.account import PeriodTotals
from billing.domain.summaries import Bucket, Figures
from billing.domain.units import Direction, Unit
from builders import a_posting, a_usage_event, an_account

RECORDINGS = ((Unit("recordings"), 12, 10),)


def test_an_account_keeps_them() -> None:
    account = an_account(totals=PeriodTotals(calls=1, metered=RECORDINGS))
    assert items.account_of(items.account_item(account).serialize()) == account
    plain = items.account_item(an_account()).serialize()
    assert "metered" not in unpack(plain["packed"]["B"])["totals"]


def test_an_entry_keeps_them() -> None:
    account = an_account()
    (entry,) = a_posting(account, [a_usage_event(1)]).entries
    plain = items.entry_item(account.ref, entry).serialize()
    assert "metered" not in unpack(plain["packed"]["B"])["usage"]
    entry = replace(entry, usage=replace(entry.usage, metered=RECORDINGS))
    assert items.entry_of(items.entry_item(account.ref, entry).serialize()) == entry


def test_a_day_of_summaries_keeps_them() -> None:
    bucket = Bucket(11, Direction.OUTBOUND, "GB")
    ref = an_account().ref
    for figures in (Figures(1, 60, 60), Figures(0, 0, 0, 2, 1, 5, RECORDINGS)):
        raw = summaries._day_item(ref, 1, date(2026, 3, 14), {bucket: figures}).serialize()
        assert summaries._day_of(raw) == (date(2026, 3, 14), {bucket: figures})
    assert summaries._packed({bucket: Figures(1, 60)}) == {"outbound": {"GB": [[11, 1, 60]]}}
