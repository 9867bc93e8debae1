"""Who is asked for an automatic payment: default first, then the backups, in order."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from billing.domain.account import Account
from billing.domain.declines import SCHEME_DECLINES, DeclineGroup
from billing.domain.payments import PaymentMethod
from billing.domain.recharging import OpenRecharge, Recharging
from billing.domain.records import FundingSource, SourceState
from billing.domain.sources import (
    UPI_LIMIT_MICROS,
    Askable,
    askable,
    declined,
    has_paid,
    is_expired,
    is_free,
    is_usable,
    limit_micros,
)
from builders import NOON, USD, a_source, an_account

RUPEE = 1_000_000
WORN = tuple(NOON - timedelta(days=2) for _ in range(SCHEME_DECLINES))


def card(name: str = "card", **overrides: Any) -> FundingSource:
    return a_source(source_id=name, **overrides)


def upi(name: str = "upi", **overrides: Any) -> FundingSource:
    return a_source(source_id=name, method=PaymentMethod.UPI, **overrides)


def asked(
    sources: Sequence[FundingSource],
    amount: int = 20 * USD,
    *,
    is_urgent: bool = False,
    opened: Sequence[str] = (),
    **overrides: Any,
) -> Askable:
    """Who is asked where the first is the default and the others back it up."""
    first, *backups = (source.source_id for source in sources)
    recharging = Recharging(
        default_source_id=first,
        backup_source_ids=tuple(backups),
        opened=tuple(OpenRecharge(n, USD, name, NOON) for n, name in enumerate(opened, 1)),
    )
    state = an_account(recharging=recharging, **{"wallet_micros": 100 * USD, **overrides})
    known = {source.source_id: source for source in sources}
    return askable(state, known, amount_micros=amount, is_urgent=is_urgent, now=NOON)


def names(found: Askable) -> list[str]:
    return [source.source_id for source in found.sources]


def test_the_default_is_asked_first_and_then_each_backup_in_order() -> None:
    assert names(asked([card("c"), card("a"), card("b")])) == ["c", "a", "b"]


@pytest.mark.parametrize(
    "unusable",
    [
        pytest.param({"state": SourceState.PENDING}, id="not saved yet"),
        pytest.param({"state": SourceState.REMOVED}, id="removed"),
        pytest.param({"blocked_code": "stolen"}, id="blocked"),
        pytest.param({"expires_on": NOON.date() - timedelta(days=1)}, id="expired yesterday"),
        pytest.param({"declined_at": WORN}, id="at its scheme's limit"),
    ],
)
def test_a_source_is_passed_over_that_is(unusable: dict[str, Any]) -> None:
    assert names(asked([card("first", **unusable), card("second")])) == ["second"]
    alone = asked([card("first", **unusable)])
    # Nothing would be asked before a person acts, and so a person is told.
    assert alone == Askable((), 0, is_hopeless=True)


def test_a_source_whose_payment_is_open_is_not_asked_again_and_not_given_up() -> None:
    found = asked([card("first")], opened=["first"])
    assert found == Askable((), 0, is_hopeless=False)
    assert names(asked([card("first"), card("second")], opened=["first"])) == ["second"]


def test_a_busy_source_beside_one_at_its_limit_is_worth_waiting_for() -> None:
    found = asked([card("busy"), card("worn", declined_at=WORN)], opened=["busy"])
    assert found == Askable((), 0, is_hopeless=False)


def test_a_source_the_account_no_longer_names_is_not_asked() -> None:
    state = an_account(recharging=Recharging(default_source_id="gone"))
    found = askable(state, {"card": card()}, amount_micros=USD, is_urgent=True, now=NOON)
    assert found == Askable((), 0, is_hopeless=True)


@pytest.mark.parametrize(
    ("zone", "is_over"),
    [("UTC", False), ("Pacific/Kiritimati", True), ("America/New_York", False)],
)
def test_a_card_is_good_until_its_last_day_is_over_where_the_account_lives(
    zone: str, is_over: bool
) -> None:
    at = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
    last_day = card(expires_on=date(2026, 3, 31))
    assert is_expired(an_account(time_zone=zone), last_day, at) is is_over
    assert not is_expired(an_account(time_zone=zone), card(), at)


# Urgency


def test_cards_go_first_where_it_is_urgent_and_keep_their_order() -> None:
    sources = [upi("u"), card("a"), upi("v"), card("b")]
    assert names(asked(sources)) == ["u", "a", "v", "b"]
    assert names(asked(sources, is_urgent=True)) == ["a", "b", "u", "v"]


@pytest.mark.parametrize(
    ("wallet", "first"),
    [
        pytest.param(15 * USD, "card", id="gone by the time a debit comes"),
        pytest.param(15 * USD + 1, "upi", id="a micro is left by then"),
    ],
)
def test_cards_go_first_where_the_wallet_would_not_last_until_a_debit(
    wallet: int, first: str
) -> None:
    spend = tuple((NOON.date() - timedelta(days=age), 10 * USD) for age in range(30, 0, -1))
    created_at = NOON - timedelta(days=90)
    # Ten dollars a day for the day and a half from notice to money.
    found = asked([upi(), card()], wallet_micros=wallet, daily_spend=spend, created_at=created_at)
    assert names(found)[0] == first


# Mandates


@pytest.mark.parametrize(
    ("own", "limit"),
    [
        pytest.param(None, UPI_LIMIT_MICROS, id="the law's, where it has none"),
        pytest.param(5_000 * RUPEE, 5_000 * RUPEE, id="its own, where it is lower"),
        pytest.param(99_000 * RUPEE, UPI_LIMIT_MICROS, id="the law's, where its own is higher"),
    ],
)
def test_a_mandate_has_a_limit(own: int | None, limit: int) -> None:
    assert limit_micros(upi(limit_micros=own)) == limit
    assert limit_micros(card(limit_micros=own)) is None


def test_the_first_sources_mandate_cuts_the_amount_to_whole_minor_units() -> None:
    found = asked([upi(), card()], 20_000 * RUPEE, currency="INR")
    assert (names(found), found.amount_micros) == (["upi", "card"], 15_000 * RUPEE)
    odd = asked([upi(limit_micros=5_000 * RUPEE + 1)], 20_000 * RUPEE, currency="INR")
    assert odd.amount_micros == 5_000 * RUPEE
    exact = asked([upi()], 15_000 * RUPEE, currency="INR")
    assert exact.amount_micros == 15_000 * RUPEE


def test_a_backup_whose_mandate_does_not_allow_it_is_skipped() -> None:
    found = asked([card(), upi(), card("last")], 20_000 * RUPEE, currency="INR")
    assert (names(found), found.amount_micros) == (["card", "last"], 20_000 * RUPEE)


# Afterwards


@pytest.mark.parametrize("group", DeclineGroup)
def test_a_decline_is_counted_and_blocks_what_only_a_person_can_mend(group: DeclineGroup) -> None:
    after = declined(card(), "code", group, NOON)
    assert after.declined_at == (NOON,)
    assert (after.blocked_code is not None) is group.blocks_source
    assert is_usable(an_account(), after, NOON) is not group.blocks_source


@pytest.mark.parametrize("group", DeclineGroup)
def test_a_payment_unblocks_all_but_what_may_never_be_asked(group: DeclineGroup) -> None:
    blocked = replace(card(), blocked_code="code", blocked_group=group)
    is_still_blocked = has_paid(blocked).blocked_code is not None
    assert is_still_blocked is (group is DeclineGroup.NEVER)
    assert has_paid(card()) == card()


def test_a_free_source_has_nothing_open() -> None:
    state: Account = an_account(recharging=Recharging(opened=(OpenRecharge(1, USD, "card", NOON),)))
    assert not is_free(state, card(), NOON)
    assert is_free(state, card("other"), NOON)
