"""An account begins empty, in the period it is opened in, with its grants whole."""

from datetime import UTC, datetime

import pytest

from billing.domain.account import Account, AccountRef, PlanTerms
from billing.domain.errors import InvalidInputError
from billing.domain.grants import RecurringGrant
from billing.domain.ledger import prove
from billing.domain.opening import new_account, open_account
from billing.domain.records import AccountListing, Timer, TimerKind
from billing.domain.units import Unit
from builders import ACME, NOON, a_tenant, an_account, an_operation

PLAN = PlanTerms("starter", 4, (RecurringGrant("minutes", Unit.VOICE_SECONDS, 600),))


def opened(**altered: object) -> Account:
    asked: dict[str, object] = {
        "ref": ACME,
        "currency": "USD",
        "time_zone": "Europe/Berlin",
        "billing_day": 31,
        "plan": PLAN,
        "rate_deck": "standard",
        "now": NOON,
    } | altered
    return new_account(asked.pop("ref"), **asked)  # type: ignore[arg-type]


def test_a_new_account_is_empty_and_its_ledger_is_sound() -> None:
    account = opened()
    assert (account.version, account.wallet_micros, account.head.sequence) == (0, 0, 0)
    assert (account.created_at, account.plan) == (NOON, PLAN)
    assert prove(account, []).is_sound


def test_the_first_period_runs_from_now_to_the_first_local_turn() -> None:
    period = opened().period
    assert period.start_at == NOON
    assert period.end_at == datetime(2026, 3, 30, 22, tzinfo=UTC)


def test_the_first_grants_are_whole_and_valid_from_now() -> None:
    (lot,) = opened().grants
    assert (lot.total, lot.remaining) == (600, 600)
    assert (lot.granted_at, lot.expires_at) == (NOON, opened().period.end_at)
    assert lot.serves(Unit.VOICE_SECONDS, NOON)


def test_an_account_opened_at_the_turn_begins_the_period_that_begins() -> None:
    turn = datetime(2026, 3, 30, 22, tzinfo=UTC)
    assert opened(now=turn).period.end_at == datetime(2026, 4, 29, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("altered", "field"),
    [
        pytest.param({"ref": AccountRef("a#b", "main")}, "tenant", id="a tenant with a separator"),
        pytest.param({"ref": AccountRef("acme", "")}, "account", id="an account without an id"),
        pytest.param({"ref": AccountRef("acme", "x" * 65)}, "account", id="an overlong id"),
        pytest.param({"rate_deck": "decks/retail"}, "rate_deck", id="a deck with a slash"),
        pytest.param({"currency": "usd"}, "currency", id="a currency in small letters"),
        pytest.param({"time_zone": "Mars/Olympus"}, "time_zone", id="a zone that is none"),
        pytest.param({"billing_day": 32}, "billing_day", id="a billing day that is none"),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_its_field(
    altered: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        opened(**altered)
    assert refused.value.field == field


def test_opening_writes_the_listing_and_the_timer_of_the_first_periods_end() -> None:
    account = opened()
    operation = an_operation()
    change = open_account(account, "Main", operation, None, NOON)
    assert (change.before, change.after) == (None, account.next_version())
    assert change.operation == operation
    assert change.records == (AccountListing(ACME, "Main", NOON),)
    assert change.timers_set == (Timer(TimerKind.PERIOD_END, ACME, account.period.end_at),)
    assert change.entries == ()


def test_a_new_tenant_is_written_with_its_first_account() -> None:
    change = open_account(an_account(), "Main", an_operation(), a_tenant(), NOON)
    assert a_tenant() in change.records
    assert AccountListing(ACME, "Main", NOON) in change.records
