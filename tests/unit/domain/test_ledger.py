"""The ledger is gapless and chained, and its proof finds whatever was done to it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.account import Account
from billing.domain.ledger import (
    MAX_PROBLEMS,
    USAGE_REVENUE,
    WALLET,
    EntryKind,
    LedgerEntry,
    UsageSubtotals,
    entry_hash,
    opening_head,
    post,
    prove,
)
from billing.domain.units import Unit
from builders import ACME, GLOBEX, NOON, a_call_key, an_account

FEW = settings(max_examples=40, deadline=None)
Ledger = tuple[Account, list[LedgerEntry]]

moves = st.lists(
    st.tuples(st.booleans(), st.integers(0, 10**9), st.integers(-600, 600)), max_size=12
)


def credit(account: Account, micros: int, now: datetime = NOON) -> tuple[Account, LedgerEntry]:
    return post(
        account,
        kind=EntryKind.RECHARGE,
        cause="recharge",
        debit="gateway:sandbox",
        credit=WALLET,
        amount_micros=micros,
        now=now,
    )


def charge(account: Account, micros: int, now: datetime = NOON) -> tuple[Account, LedgerEntry]:
    return post(
        account,
        kind=EntryKind.USAGE,
        cause="usage",
        debit=WALLET,
        credit=USAGE_REVENUE,
        amount_micros=micros,
        now=now,
        usage=UsageSubtotals((a_call_key(1), a_call_key(2)), 120, 60, 3, 1),
    )


def ledger(written: list[tuple[bool, int, int]]) -> Ledger:
    account, entries = an_account(), []
    for is_credit, micros, seconds in written:
        move = credit if is_credit else charge
        account, entry = move(account, micros, NOON + timedelta(seconds=seconds))
        entries.append(entry)
    return account, entries


def four_entries() -> Ledger:
    return ledger([(True, 500, 0), (False, 30, 1), (False, 40, 2), (True, 70, 3)])


@FEW
@given(moves)
def test_entries_are_gapless_chained_in_time_and_sum_to_the_wallet(
    written: list[tuple[bool, int, int]],
) -> None:
    account, entries = ledger(written)
    assert [entry.sequence for entry in entries] == list(range(1, len(written) + 1))
    hashes = [an_account().head.hash, *(entry.hash for entry in entries)]
    assert [entry.previous_hash for entry in entries] == hashes[:-1]
    assert account.head.hash == hashes[-1]
    assert len(set(hashes)) == len(hashes)
    times = [entry.posted_at for entry in entries]
    assert times == sorted(times)
    total = sum(micros if is_credit else -micros for is_credit, micros, _ in written)
    assert account.wallet_micros == total == sum(e.wallet_change_micros for e in entries)
    proof = prove(account, entries)
    assert (proof.is_sound, proof.entries, proof.balance_micros) == (True, len(written), total)


def test_a_clock_that_is_behind_posts_at_the_heads_time() -> None:
    account, first = credit(an_account(), 1, NOON + timedelta(seconds=5))
    account, second = credit(account, 1, NOON)
    _, third = credit(account, 1, NOON + timedelta(seconds=6))
    assert second.posted_at == first.posted_at
    assert third.posted_at == NOON + timedelta(seconds=6)


def test_crediting_the_wallet_adds_and_debiting_it_takes() -> None:
    account, added = credit(an_account(), 500)
    account, taken = charge(account, 700)
    assert (added.balance_micros, taken.balance_micros, account.wallet_micros) == (500, -200, -200)


def test_an_entry_that_does_not_touch_the_wallet_leaves_it() -> None:
    account, entry = post(
        an_account(wallet_micros=9),
        kind=EntryKind.USAGE,
        cause="between others",
        debit="gateway:sandbox",
        credit=USAGE_REVENUE,
        amount_micros=5,
        now=NOON,
    )
    assert (account.wallet_micros, entry.balance_micros) == (9, 9)


def test_every_ledger_begins_with_its_own_accounts_name() -> None:
    names = (ACME, GLOBEX, replace(ACME, account_id="other"))
    assert len({opening_head(ref, NOON).hash for ref in names}) == 3


def test_an_empty_ledger_is_sound() -> None:
    assert prove(an_account(), []).is_sound


def rehashed(entry: LedgerEntry, **altered: object) -> LedgerEntry:
    """A forger who knows the hash function."""
    forged: LedgerEntry = replace(entry, **altered)  # type: ignore[arg-type]
    return replace(forged, hash=entry_hash(forged))


def rewritten(account: Account, entries: list[LedgerEntry]) -> Ledger:
    """A forger who writes the whole ledger anew, with another amount, and not the account."""
    forged, other = account, an_account()
    written: list[LedgerEntry] = []
    for entry in entries:
        move = credit if entry.credit == WALLET else charge
        other, again = move(other, entry.amount_micros + 1, entry.posted_at)
        written.append(again)
    return forged, written


def calls_altered(entry: LedgerEntry) -> LedgerEntry:
    return replace(entry, usage=replace(entry.usage, calls=(a_call_key(1), a_call_key(9))))


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        pytest.param(
            lambda a, e: (a, [e[0], replace(e[1], amount_micros=29), *e[2:]]),
            "entry 2 is not what its hash says",
            id="an altered amount",
        ),
        pytest.param(
            lambda a, e: (a, [e[0], rehashed(e[1], amount_micros=29), *e[2:]]),
            "entry 3 does not chain to the one before",
            id="an altered amount with a hash that fits",
        ),
        pytest.param(
            lambda a, e: (a, [e[0], rehashed(e[1], balance_micros=471), *e[2:]]),
            "entry 2 says 471, the sum is 470",
            id="an altered balance with a hash that fits",
        ),
        pytest.param(rewritten, "the ledger ends at entry 4", id="a ledger written anew"),
        pytest.param(
            lambda a, e: (a, [e[0], e[2], e[1], e[3]]), "entry 3 follows 1", id="another order"
        ),
        pytest.param(
            lambda a, e: (a, [e[0], *e[2:]]), "entry 3 follows 1", id="a dropped entry"
        ),
        pytest.param(
            lambda a, e: (a, e[1:]), "entry 2 follows 0", id="the first entry dropped"
        ),
        pytest.param(
            lambda a, e: (a, e[:-1]),
            "the ledger ends at entry 3, the account at 4",
            id="the last entry dropped",
        ),
        pytest.param(
            lambda a, e: (a, [*e[:2], e[1], *e[2:]]), "entry 2 follows 2", id="an entry twice"
        ),
        pytest.param(
            lambda a, e: (a, [*e[:2], rehashed(e[1], sequence=3, previous_hash=e[1].hash), *e[2:]]),
            "entry 3 follows 3",
            id="an inserted entry that chains",
        ),
        pytest.param(
            lambda a, e: (a, [e[0], calls_altered(e[1]), *e[2:]]),
            "entry 2 is not what its hash says",
            id="another call key",
        ),
        pytest.param(
            lambda a, e: (a, [e[0], rehashed(e[1], posted_at=NOON - timedelta(1)), *e[2:]]),
            "entry 2 goes back in time",
            id="an entry from before the one before it",
        ),
        pytest.param(
            lambda a, e: (replace(a, wallet_micros=501), e),
            "the entries sum to 500, the wallet holds 501",
            id="an altered wallet",
        ),
        pytest.param(
            lambda a, e: (replace(a, head=replace(a.head, hash="0" * 64)), e),
            "the ledger ends at entry 4, the account at 4",
            id="an altered head",
        ),
        pytest.param(
            lambda a, e: (replace(a, ref=GLOBEX), e),
            "entry 1 does not chain to the one before",
            id="another account's ledger",
        ),
        pytest.param(lambda a, e: (a, []), "the ledger ends at entry 0", id="no entries at all"),
    ],
)  # fmt: skip
def test_the_proof_names_what_was_done(
    tamper: Callable[[Account, list[LedgerEntry]], Ledger], problem: str
) -> None:
    proof = prove(*tamper(*four_entries()))
    assert not proof.is_sound
    assert any(problem in found for found in proof.problems), proof.problems


@pytest.mark.parametrize(
    "altered",
    [
        {"kind": EntryKind.RECHARGE},
        {"cause": "other"},
        {"debit": "gateway:sandbox"},
        {"credit": "gateway:sandbox"},
        {"currency": "EUR"},
        {"posted_at": NOON + timedelta(seconds=1.5)},
        {"usage": UsageSubtotals((a_call_key(2), a_call_key(1)), 120, 60, 3, 1)},
        {"usage": UsageSubtotals((a_call_key(1), a_call_key(2)), 121, 60, 3, 1)},
        {"usage": UsageSubtotals((a_call_key(1), a_call_key(2)), 120, 61, 3, 1)},
        {"usage": UsageSubtotals((a_call_key(1), a_call_key(2)), 120, 60, 4, 1)},
        {"usage": UsageSubtotals((a_call_key(1), a_call_key(2)), 120, 60, 3, 2)},
        {"usage": UsageSubtotals((a_call_key(1), a_call_key(2)), 120, 60, 3, 1, (0, 0))},
    ],
    ids=lambda altered: f"another {', '.join(altered)}",
)
def test_every_field_of_an_entry_is_under_its_hash(altered: dict[str, object]) -> None:
    account, entries = four_entries()
    entries[1] = replace(entries[1], **altered)  # type: ignore[arg-type]
    assert "entry 2 is not what its hash says" in prove(account, entries).problems


def test_entries_posted_while_the_ledger_was_being_read_are_left_out() -> None:
    account, entries = four_entries()
    _, younger = charge(account, 5, NOON + timedelta(minutes=1))
    proof = prove(account, [*entries, younger])
    assert (proof.is_sound, proof.entries, proof.balance_micros) == (True, 4, 500)


def test_a_ledger_wrong_throughout_is_told_in_the_first_few_problems() -> None:
    account, entries = ledger([(True, 1, n) for n in range(50)])
    wrong = [replace(entry, amount_micros=2) for entry in entries]
    proof = prove(account, wrong)
    assert (len(proof.problems), proof.entries) == (MAX_PROBLEMS, 50)
    assert proof.problems[0].startswith("entry 1 ")


def test_a_negative_amount_or_a_local_time_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        credit(an_account(), -1)
    with pytest.raises(AssertionError):
        credit(an_account(), 1, NOON.replace(tzinfo=None))


# What is stored already


def test_a_ledger_of_long_ago_still_has_its_hashes() -> None:
    # A ledger that was written by an earlier version has to prove under this one: these never
    # change, whatever is refactored.
    account = replace(an_account(), head=opening_head(ACME, NOON))
    assert account.head.hash[:16] == "397191cb4f4b0023"
    usage = UsageSubtotals((a_call_key(1),), 120, 60, 3, 1)
    hashes = []
    for told in (
        usage,
        replace(usage, revisions=(2,)),
        replace(usage, metered=((Unit("fax_pages"), 3, 1),)),
    ):
        _, entry = post(
            account,
            kind=EntryKind.USAGE,
            cause="usage",
            debit=WALLET,
            credit=USAGE_REVENUE,
            amount_micros=1_000_000,
            now=NOON,
            usage=told,
        )
        assert entry.currency == account.currency
        hashes.append(entry.hash[:16])
    assert hashes == ["8c31a7133adfdbb7", "5ea63d231f96158a", "fc30463ba039bf71"]


def test_what_moved_money_without_any_call_still_has_its_hash_whatever_it_is_called() -> None:
    account = replace(an_account(), head=opening_head(ACME, NOON))
    hashes = {}
    for kind in EntryKind:
        _, entry = post(
            account,
            kind=kind,
            cause="cause",
            debit="gateway:sandbox",
            credit=WALLET,
            amount_micros=1_000_000,
            now=NOON,
        )
        hashes[kind.value] = entry.hash[:8]
    assert hashes == {
        "usage": "9ccf811d",
        "reversal": "4a291de8",
        "recharge": "0f5d0da4",
        "refund": "2d6f139d",
        "refund_returned": "3b79c845",
        "dispute": "f4980a7a",
        "dispute_returned": "2a4d628f",
        "sale": "06f4c9cd",
        "credit": "183ff246",
    }
