"""Keys have one reading only, whatever text is in them, and sort as what they name does."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from billing.adapters.dynamodb import keys
from billing.domain.account import AccountRef
from billing.domain.records import TimerKind
from billing.domain.usage import CallKey
from builders import ACME, NOON

texts = st.text(max_size=20) | st.text(alphabet="#%23a", max_size=8)
instants = st.datetimes(timezones=st.just(UTC))


@given(texts, texts, texts)
def test_a_call_key_parses_back(provider: str, provider_account: str, call_id: str) -> None:
    key = CallKey(provider, provider_account, call_id)
    assert keys.call_key(keys.call("acme", key).pk) == key


@given(st.tuples(texts, texts, texts), st.tuples(texts, texts, texts))
def test_different_calls_have_different_keys(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    same = keys.call("acme", CallKey(*one)) == keys.call("acme", CallKey(*other))
    assert same == (one == other)


def test_revisions_lie_beside_their_call_and_sort_by_number() -> None:
    key = CallKey("sip", "pbx#1", "a#b")
    revisions = [keys.call_revision("acme", key, number) for number in (1, 2, 10)]
    assert {revision.pk for revision in revisions} == {keys.call("acme", key).pk}
    assert [revision.sk for revision in revisions] == ["REV#000001", "REV#000002", "REV#000010"]


def test_the_separator_cannot_be_smuggled_in() -> None:
    smuggled = [("a#b", "c"), ("a", "b#c"), ("a%23b", "c"), ("a%2523b", "c")]
    found = {keys.call("acme", CallKey("p", *parts)) for parts in smuggled}
    assert len(found) == len(smuggled)
    of_another = AccountRef("acme", "main#x")
    assert keys.operation(ACME, "x#y") != keys.operation(of_another, "y")


def test_a_payments_pointer_is_not_a_tenants_payment() -> None:
    # Of a tenant named like a gateway: the parts differ in number, so the keys differ.
    assert keys.payment("stripe", "pi", "1").pk != keys.payment_pointer("stripe", "pi#1").pk


@given(instants, instants)
def test_instants_sort_as_text_as_they_do_in_time(one: datetime, other: datetime) -> None:
    assert (keys.instant(one) < keys.instant(other)) == (one < other)
    assert keys.parse_instant(keys.instant(one)) == one


def test_an_instant_is_utc_in_a_fixed_width_wherever_it_was_taken() -> None:
    berlin = timezone(timedelta(hours=1))
    assert keys.instant(NOON.astimezone(berlin)) == "2026-03-14T12:00:00.000000Z"


def test_entries_lie_in_the_month_they_were_posted_in_as_utc_sees_it() -> None:
    late = datetime(2026, 3, 31, 23, 30, tzinfo=UTC).astimezone(timezone(timedelta(hours=2)))
    assert keys.ledger_entry(ACME, late, 7) == ("LEDGER#acme#main#2026-03", "000000000007")


def test_a_shard_is_the_same_on_every_worker() -> None:
    # Moving a shard would strand the timers that stand: these never change.
    assert [keys.shard(name) for name in ("acme", "globex", "acme#main")] == [2, 3, 2]


def test_timers_of_many_accounts_spread_over_all_shards() -> None:
    refs = [AccountRef("acme", f"account-{number}") for number in range(200)]
    assert len({keys.due_pk(ref, TimerKind.RECHARGE) for ref in refs}) == keys.SHARDS
