"""Effects: what is done after each other is one Change in the end."""

from dataclasses import replace
from datetime import timedelta

from billing.domain.documents import DocumentNumbers, invoiced
from billing.domain.effects import Effect
from billing.domain.ledger import WALLET, EntryKind, post
from billing.domain.records import Event, EventType, Timer, TimerKind
from builders import ACME, NOON, an_account


def test_later_effects_follow_on_the_account_of_the_earlier() -> None:
    account = an_account()
    credited, entry = post(
        account,
        kind=EntryKind.RECHARGE,
        cause="payment",
        debit="gateway:sandbox",
        credit=WALLET,
        amount_micros=5,
        now=NOON,
    )
    spent, second = post(
        credited,
        kind=EntryKind.USAGE,
        cause="order",
        debit=WALLET,
        credit="revenue:plan",
        amount_micros=5,
        now=NOON,
    )
    both = Effect(credited, entries=(entry,)).then(Effect(spent, entries=(second,)))
    assert both.account == spent
    assert [one.sequence for one in both.entries] == [entry.sequence, entry.sequence + 1]
    assert both.account.wallet_micros == account.wallet_micros


def test_a_record_that_both_write_is_the_later_ones() -> None:
    numbers = DocumentNumbers(ACME)
    first, one = invoiced(numbers, (), "USD", "cause", NOON)
    second, two = invoiced(first, (), "USD", "cause", NOON)
    account = an_account()
    both = Effect(account, records=(first, one)).then(Effect(account, records=(second, two)))
    assert both.records == (one, second, two)


def test_a_timer_that_both_set_or_clear_is_the_later_ones() -> None:
    account = an_account()
    early = Timer(TimerKind.BILLING, ACME, NOON)
    late = replace(early, due_at=NOON + timedelta(days=1))
    set_twice = Effect(account, timers_set=(early,)).then(Effect(account, timers_set=(late,)))
    assert set_twice.timers_set == (late,)
    cleared = Effect(account, timers_set=(early,)).then(
        Effect(account, timers_cleared=(TimerKind.BILLING,))
    )
    assert (cleared.timers_set, cleared.timers_cleared) == ((), (TimerKind.BILLING,))
    set_again = cleared.then(Effect(account, timers_set=(early,)))
    assert (set_again.timers_set, set_again.timers_cleared) == ((early,), ())


def test_what_is_refused_stays_refused_whatever_comes_after() -> None:
    account = an_account()
    assert Effect(account, is_refused=True).then(Effect(account)).is_refused


def test_everything_is_told_in_order() -> None:
    account = an_account()
    told = [
        Event(f"cause/{kind}", kind, ACME, NOON, {})
        for kind in (EventType.INVOICE_ISSUED, EventType.INVOICE_PAID)
    ]
    both = Effect(account, events=(told[0],)).then(Effect(account, events=(told[1],)))
    assert list(both.events) == told
