"""A payment is refunded once, whatever the gateway, the workers and the clock do."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from billing.domain import refunding
from billing.domain.authorising import CallWanted
from billing.domain.collecting import KEY_KEPT
from billing.domain.covering import Destination
from billing.domain.errors import (
    ExceedsPaymentError,
    IdConflictError,
    InsufficientBalanceError,
    InvalidInputError,
    NotFoundError,
    PaymentUnknownError,
)
from billing.domain.records import OperationState, Payment, Refund, RefundState, TimerKind
from billing.domain.units import Direction, Unit
from billing.ports import AlreadyRecordedError, Refunded, RefundRefused, RefundRequest
from billing.services.collect_recharge import RechargeRequest
from billing.services.refund_payment import RefundOrder, RefundPayment
from builders import ACME, GLOBEX, USD, a_usage_event, an_audit_record, an_operation
from fakes.world import InMemorySandbox
from unit.world import World

SECOND = timedelta(seconds=1)
A_CRASH = OSError("the worker's machine went away")

Hook = Callable[[], object]


class WatchedRefunds(InMemorySandbox):
    """A sandbox that keeps what it was asked, and fails when told to."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self.asked: list[RefundRequest] = []
        self.looked_up: list[RefundRequest] = []
        self.before: list[Hook] = []
        self.after: list[Hook] = []

    def refund(self, request: RefundRequest) -> Refunded | RefundRefused:
        self.asked.append(request)
        self._run(self.before)
        outcome = super().refund(request)
        self._run(self.after)
        return outcome

    def find_refund(self, request: RefundRequest) -> Refunded | RefundRefused | None:
        self.looked_up.append(request)
        self._run(self.before)
        return super().find_refund(request)

    @staticmethod
    def _run(hooks: list[Hook]) -> None:
        if hooks:
            hooks.pop(0)()


def raises(error: Exception) -> Hook:
    def hook() -> None:
        raise error

    return hook


TIMES_OUT = raises(PaymentUnknownError("no answer"))
CRASHES = raises(A_CRASH)


class Refunds:
    """An account with one payment of 50, and who refunds it."""

    def __init__(self) -> None:
        self.world = World()
        self.gateway = WatchedRefunds(self.world)
        self.world.use_gateway(self.gateway)
        self.world.open()
        self.world.add_source()
        operation = an_operation(operation_id="pay", state=OperationState.PENDING, answer=None)
        self.world.recharges.request(ACME, RechargeRequest(50 * USD, operation, None))
        self.service = RefundPayment(
            book=self.world.book,
            gateways={"sandbox": self.gateway},
            reservations=self.world.reservations,
            clock=self.world.clock,
            change_account=self.world.change_account,
        )

    @property
    def payment(self) -> Payment:
        (payment,) = self.world.book.payments()
        return payment

    def order(self, micros: int | None = None, name: str = "asked", body: str = "b") -> RefundOrder:
        operation = an_operation(
            operation_id=name, body_hash=body, state=OperationState.PENDING, answer=None
        )
        audit = an_audit_record(operation_id=name)
        return RefundOrder("sandbox", self.payment.payment_id, micros, operation, audit)

    def refund(self, micros: int | None = None, name: str = "asked") -> Refund:
        return self.service.refund(ACME, self.order(micros, name))

    @property
    def refunds(self) -> list[Refund]:
        return self.world.book.refunds(ACME, "sandbox", self.payment.payment_id)

    def are_settled(self) -> bool:
        """The gateway has given back what has left the wallet, and nothing is on its way."""
        world = self.world
        (theirs,) = self.gateway.captured()
        given_back = theirs.refunded_minor * 10_000
        check = world.book.due(TimerKind.PAYMENT, world.clock.now() + timedelta(days=365))
        return (
            world.account.wallet_micros == 50 * USD - given_back
            and self.payment.refunded_micros == given_back
            and not world.account.recharging.refunds
            and not list(check)
            and world.is_proven()
        )


def test_a_refund_is_given_back_by_the_gateway_out_of_the_wallet() -> None:
    story = Refunds()
    refund = story.refund(20 * USD)
    assert (refund.state, refund.amount_micros) == (RefundState.SUCCEEDED, 20 * USD)
    assert story.world.account.wallet_micros == 30 * USD
    assert story.are_settled()
    assert story.world.operation("asked").state is OperationState.SUCCEEDED
    assert story.world.told[-1] == "payment.refunded"
    assert an_audit_record(operation_id="asked") in story.world.book.audit_records(ACME)


def test_without_an_amount_all_that_is_left_is_given_back() -> None:
    story = Refunds()
    story.refund(20 * USD, "part")
    assert story.refund(name="rest").amount_micros == 30 * USD
    assert story.are_settled()
    with pytest.raises(ExceedsPaymentError, match="nothing is left"):
        story.refund(name="more")


def test_what_a_gateway_is_asked_for() -> None:
    story = Refunds()
    story.refund(20 * USD)
    payment_id = story.payment.payment_id
    (request,) = story.gateway.asked
    assert request == RefundRequest(
        idempotency_key=f"refund/acme/main/sandbox/{payment_id}/1",
        payment_id=payment_id,
        amount_minor=2_000,
        currency="USD",
        metadata={"tenant": "acme", "account": "main", "payment": payment_id, "refund": "1"},
        asked_at=story.world.clock.now(),
    )


def test_the_same_request_again_is_the_same_refund() -> None:
    story = Refunds()
    story.refund(20 * USD)
    with pytest.raises(AlreadyRecordedError) as caught:
        story.refund(20 * USD)
    assert caught.value.operation.state is OperationState.SUCCEEDED
    with pytest.raises(IdConflictError):
        story.service.refund(ACME, story.order(30 * USD, body="other"))
    assert len(story.gateway.asked) == 1
    assert story.are_settled()


@pytest.mark.parametrize(
    ("micros", "error"),
    [
        pytest.param(50 * USD + 10_000, ExceedsPaymentError, id="more than was paid"),
        pytest.param(0, InvalidInputError, id="nothing"),
        pytest.param(1, InvalidInputError, id="less than a minor unit"),
    ],
)
def test_what_cannot_be_refunded_is_not_even_asked_for(micros: int, error: type[Exception]) -> None:
    story = Refunds()
    before = story.world.account
    with pytest.raises(error):
        story.refund(micros)
    assert (story.world.account, story.gateway.asked) == (before, [])
    assert story.world.book.operation(ACME, "asked") is None


def test_what_was_talked_away_cannot_be_refunded() -> None:
    story = Refunds()
    story.world.upload()
    story.world.clock.advance(timedelta(hours=1))
    now = story.world.clock.now()
    assert story.world.post_usage.post(ACME, [a_usage_event(1, now, quantity=60)]) == 1
    with pytest.raises(InsufficientBalanceError, match=r"49\.40 USD can be given back"):
        story.refund()
    assert story.gateway.asked == []
    assert story.refund(49_400_000).state is RefundState.SUCCEEDED
    assert story.world.account.wallet_micros == 0


def test_nobody_elses_payment_is_refunded() -> None:
    story = Refunds()
    story.world.open(GLOBEX)
    with pytest.raises(NotFoundError):
        story.service.refund(GLOBEX, story.order(20 * USD))
    assert story.gateway.asked == []


def test_a_refund_the_gateway_refuses_goes_back_to_the_wallet() -> None:
    story = Refunds()
    story.gateway.before = [lambda: story.gateway.refund_elsewhere(story.payment.payment_id, 4_000)]
    refund = story.refund(20 * USD)
    assert (refund.state, refund.failure_code) == (RefundState.FAILED, "exceeds_payment")
    assert story.world.account.wallet_micros == 50 * USD
    assert story.world.operation("asked").state is OperationState.FAILED
    assert not story.world.account.recharging.refunds


def test_an_amount_the_gateway_cannot_take_is_refused() -> None:
    story = Refunds()
    story.gateway.before = [raises(InvalidInputError("not in tens"))]
    assert story.refund(20 * USD).failure_code == "invalid_amount"
    assert story.are_settled()


# No answer


@pytest.mark.parametrize("hooks", ["before", "after"])
@pytest.mark.parametrize(
    "hook", [pytest.param(TIMES_OUT, id="times out"), pytest.param(CRASHES, id="crashes")]
)
@pytest.mark.parametrize(
    "later",
    [
        pytest.param(timedelta(minutes=15), id="soon after"),
        pytest.param(KEY_KEPT - SECOND, id="while the key is kept"),
    ],
)
def test_whoever_comes_later_asks_under_the_same_key(
    hooks: str, hook: Hook, later: timedelta
) -> None:
    story = Refunds()
    setattr(story.gateway, hooks, [hook])
    with pytest.raises((PaymentUnknownError, OSError)):
        story.refund(20 * USD)
    assert story.world.account.wallet_micros == 30 * USD
    story.world.clock.advance(later)
    assert list(story.world.book.due(TimerKind.PAYMENT, story.world.clock.now()))
    story.service.finish_open(ACME)
    first, second = story.gateway.asked
    assert first == second
    assert story.refunds[0].state is RefundState.SUCCEEDED
    assert story.are_settled()
    assert story.world.operation("asked").state is OperationState.SUCCEEDED


@pytest.mark.parametrize(
    ("hooks", "state"),
    [
        pytest.param("before", RefundState.FAILED, id="what was never made goes back"),
        pytest.param("after", RefundState.SUCCEEDED, id="what was made is found"),
    ],
)
def test_a_key_that_may_be_forgotten_is_looked_up(hooks: str, state: RefundState) -> None:
    story = Refunds()
    setattr(story.gateway, hooks, [TIMES_OUT])
    with pytest.raises(PaymentUnknownError):
        story.refund(20 * USD)
    story.world.clock.advance(KEY_KEPT)
    story.service.finish_open(ACME)
    assert (len(story.gateway.asked), len(story.gateway.looked_up)) == (1, 1)
    assert story.refunds[0].state is state
    assert story.are_settled()


def test_an_unanswered_refund_is_unknown_until_somebody_knows() -> None:
    story = Refunds()
    story.gateway.before = [TIMES_OUT, TIMES_OUT]
    with pytest.raises(PaymentUnknownError):
        story.refund(20 * USD)
    assert story.refunds[0].state is RefundState.UNKNOWN
    assert story.world.operation("asked").state is OperationState.UNKNOWN
    with pytest.raises(PaymentUnknownError):
        story.service.finish_open(ACME)
    assert len(story.world.account.recharging.refunds) == 1
    story.service.finish_open(ACME)
    assert story.are_settled()


def test_one_gateway_that_is_silent_does_not_hold_up_the_others() -> None:
    story = Refunds()
    for name in ("one", "two"):
        story.gateway.before = [TIMES_OUT]
        with pytest.raises(PaymentUnknownError):
            story.refund(20 * USD, name)
    story.gateway.before = [TIMES_OUT]
    with pytest.raises(PaymentUnknownError):
        story.service.finish_open(ACME)
    assert [refund.state for refund in story.refunds] == [
        RefundState.UNKNOWN,
        RefundState.SUCCEEDED,
    ]
    story.service.finish_open(ACME)
    assert story.are_settled()


def test_where_nothing_is_open_nothing_is_asked() -> None:
    story = Refunds()
    before = story.world.account
    story.service.finish_open(ACME)
    assert (story.world.account, story.gateway.asked) == (before, [])


# Others meanwhile


def test_two_workers_with_one_refund_settle_it_once() -> None:
    story = Refunds()
    story.gateway.after = [lambda: story.service.finish_open(ACME)]
    assert story.refund(20 * USD).state is RefundState.SUCCEEDED
    assert len(story.gateway.asked) == 2
    assert story.are_settled()
    assert story.world.told.count("payment.refunded") == 1


def test_a_worker_that_is_overtaken_while_it_writes_changes_nothing() -> None:
    story = Refunds()
    story.gateway.after = [CRASHES]
    with pytest.raises(OSError, match="went away"):
        story.refund(20 * USD)
    story.world.book.races = [lambda: story.service.finish_open(ACME)]
    story.service.finish_open(ACME)
    assert story.are_settled()
    assert story.world.told.count("payment.refunded") == 1


def test_two_refunds_at_once_never_give_back_more_than_was_paid() -> None:
    story = Refunds()
    story.world.credit(100 * USD, "other money")
    refused: list[Exception] = []

    def another() -> None:
        try:
            story.refund(30 * USD, "another")
        except ExceedsPaymentError as error:
            refused.append(error)

    story.world.book.races = [another]
    with pytest.raises(ExceedsPaymentError, match=r"20\.00 USD"):
        story.refund(30 * USD)
    assert refused == []
    assert story.payment.refunded_micros == 30 * USD


def test_the_webhook_may_settle_it_before_the_response() -> None:
    story = Refunds()

    def webhook() -> None:
        (refund,) = story.refunds
        story.service.settle(refund, Refunded("re-told"))

    story.gateway.after = [webhook]
    refund = story.refund(20 * USD)
    assert (refund.state, refund.refund_id) == (RefundState.SUCCEEDED, "re-told")
    assert story.are_settled()


def test_a_dashboards_refund_while_ours_is_open_counts_beside_it() -> None:
    story = Refunds()
    gateway, payment_id = story.gateway, story.payment.payment_id

    def webhook(total_micros: int) -> None:
        story.world.change_account(
            ACME,
            lambda account, now: refunding.refunded_elsewhere(
                account, story.payment, total_micros, now
            ),
        )

    gateway.before = [lambda: gateway.refund_elsewhere(payment_id, 1_000)]
    gateway.after = [lambda: webhook(30 * USD)]
    story.refund(20 * USD)
    webhook(10 * USD)
    assert story.world.account.wallet_micros == 20 * USD
    assert story.are_settled()


def test_a_refund_leaves_calls_in_progress_what_was_set_aside_for_them() -> None:
    story = Refunds()
    story.world.upload()
    to = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550100")
    allowed = story.world.authorise_call.authorise(ACME, CallWanted("call", to, 1_000))
    assert allowed.reservation.cover.wallet_micros == 10 * USD
    with pytest.raises(InsufficientBalanceError, match=r"in progress.*40\.00"):
        story.refund(40 * USD + 10_000)
    story.refund(40 * USD)
    assert story.world.account.wallet_micros == 10 * USD


def test_a_refund_that_met_an_authorisation_decides_again() -> None:
    story = Refunds()
    story.world.upload()
    to = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550100")

    def authorise() -> None:
        story.world.authorise_call.authorise(ACME, CallWanted("call", to, 1_000))

    story.world.book.races = [authorise]
    with pytest.raises(InsufficientBalanceError):
        story.refund(50 * USD)
    assert story.gateway.asked == []
    assert story.world.account.wallet_micros == 50 * USD
