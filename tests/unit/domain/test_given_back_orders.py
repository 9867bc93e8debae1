"""Whatever order the gateway's news come in, late and twice, the book ends as the gateway's own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain import given_back, refunding
from billing.domain.change import Change
from billing.domain.errors import ExceedsPaymentError
from billing.domain.records import OperationState
from builders import NOON, USD, an_operation
from unit.kept_payment import PAYMENT, KeptPayment

MANY = settings(max_examples=600, deadline=None)
FUNDS = 1_000 * USD

News = Callable[[KeptPayment], Change | None]


@dataclass
class Made:
    """One refund in the gateway's own book."""

    number: int
    amount_micros: int
    has_come_back: bool = False


@dataclass
class Story:
    """A gateway, our book, and the news on their way from one to the other.

    Time is counted in steps: each thing that happens takes one, and each message some more.
    """

    kept: KeptPayment = field(default_factory=lambda: KeptPayment(FUNDS))
    made: list[Made] = field(default_factory=list)
    on_their_way: list[tuple[int, int, News]] = field(default_factory=list)
    step: int = 0

    @property
    def total_micros(self) -> int:
        return sum(one.amount_micros for one in self.made if not one.has_come_back)

    def send(self, delays: list[int], news: News) -> None:
        """One message, once for each delay."""
        for delay in delays:
            self.on_their_way.append((self.step + delay, len(self.on_their_way), news))

    def deliver(self, *, until: int) -> None:
        due = [one for one in self.on_their_way if one[0] <= until]
        self.on_their_way = [one for one in self.on_their_way if one[0] > until]
        for _, _, news in sorted(due, key=lambda one: one[:2]):
            self.kept.take(news(self.kept))
            payment = self.kept.payment
            assert payment.refunded_micros >= 0
            assert given_back.elsewhere_left_micros(payment) >= 0

    def ask(self, amount_micros: int, *, is_made: bool, delays: list[int]) -> None:
        """A refund of ours: intended here, made or refused there, and answered at some time."""
        operation = an_operation(
            operation_id=f"ask-{self.step}", state=OperationState.PENDING, answer=None
        )
        kept = self.kept
        try:
            change = refunding.intend_refund(
                kept.account, kept.payment, amount_micros, operation, NOON
            )
        except ExceedsPaymentError:
            return
        kept.take(change)
        number = kept.payment.refunds
        if not is_made or self.total_micros + amount_micros > PAYMENT.amount_micros:
            self.send(delays[:2], lambda kept: refused(kept, number))
            return
        self.made.append(Made(number, amount_micros))
        self._tell_total(delays)
        made = self.made[-1]
        # What is answered says how it stands when it is asked for, which is at any time.
        self.send(
            delays[::-1][:2],
            lambda kept: refused(kept, number) if made.has_come_back else succeeded(kept, number),
        )

    def refund_there(self, amount_micros: int, delays: list[int]) -> None:
        """Somebody gives back at the gateway's dashboard."""
        if self.total_micros + amount_micros <= PAYMENT.amount_micros:
            self.made.append(Made(0, amount_micros))
            self._tell_total(delays)

    def come_back(self, which: int, delays: list[int]) -> None:
        """A refund's money comes back to the gateway."""
        live = [place for place, one in enumerate(self.made) if not one.has_come_back]
        if not live:
            return
        place = live[which % len(live)]
        made = self.made[place]
        made.has_come_back = True
        at = NOON + timedelta(seconds=self.step)

        def news(kept: KeptPayment) -> Change | None:
            if made.number:
                return refunding.refund_failed(
                    kept.account,
                    kept.payment,
                    kept.refunds[made.number],
                    "account_closed",
                    NOON,
                    failed_at=at,
                )
            return refunding.returned_elsewhere(
                kept.account,
                kept.payment,
                f"re-{place}",
                made.amount_micros,
                "account_closed",
                NOON,
                failed_at=at,
            )

        self.send(delays, news)

    def _tell_total(self, delays: list[int]) -> None:
        total, at = self.total_micros, NOON + timedelta(seconds=self.step)
        self.send(
            delays,
            lambda kept: refunding.refunded_elsewhere(
                kept.account, kept.payment, total, NOON, told_at=at
            ),
        )


def succeeded(kept: KeptPayment, number: int) -> Change | None:
    refund = kept.refunds[number]
    return refunding.settle_refunded(kept.account, kept.payment, refund, f"re-{number}", NOON)


def refused(kept: KeptPayment, number: int) -> Change | None:
    return refunding.settle_refused(
        kept.account, kept.payment, kept.refunds[number], "refused", NOON
    )


amounts = st.integers(1, 6).map(lambda tens: tens * 10 * USD)
delays = st.lists(st.integers(0, 12), min_size=1, max_size=3)
asking = st.tuples(st.just("ask"), amounts, st.booleans(), delays)
there = st.tuples(st.just("there"), amounts, st.just(True), delays)
coming_back = st.tuples(st.just("back"), st.integers(0, 3), st.just(True), delays)
happenings = st.lists(st.one_of(asking, there, coming_back), max_size=7)


@MANY
@given(happenings)
def test_the_book_ends_as_the_gateways_own_in_whatever_order_it_is_told(
    happens: list[tuple[str, int, bool, list[int]]],
) -> None:
    story = Story()
    for what, value, is_made, late in happens:
        story.step += 1
        if what == "ask":
            story.ask(value, is_made=is_made, delays=late)
        elif what == "there":
            story.refund_there(value, late)
        else:
            story.come_back(value, late)
        story.deliver(until=story.step)
    story.deliver(until=1_000)

    kept, total = story.kept, story.total_micros
    assert kept.account.wallet_micros == FUNDS - total
    assert kept.payment.refunded_micros == total
    assert kept.payment.refundable_micros == PAYMENT.amount_micros - total
    assert kept.is_settled()
    assert kept.balance_of("gateway:sandbox") == total - FUNDS
    ours = sum(one.amount_micros for one in story.made if one.number and not one.has_come_back)
    there = kept.refunds[0].amount_micros if 0 in kept.refunds else 0
    assert there == total - ours
    assert kept.prove().is_sound
