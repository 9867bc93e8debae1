"""What only the sandbox does: tokens that say how it behaves, and stand-ins for everybody else."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from billing.adapters.gateways.sandbox import (
    DECLINES,
    EXPIRED,
    NEEDS_ACTION,
    STOLEN,
    SUCCEEDS,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
    UPI_DECLINES,
    UPI_SUCCEEDS,
    SandboxCharge,
    SandboxGateway,
)
from billing.adapters.gateways.sandbox_records import Document
from billing.adapters.gateways.sandbox_table import TableSandboxBook
from billing.adapters.gateways.sandbox_truth import collected
from billing.adapters.gateways.sandbox_webhooks import SandboxWebhooks, signed_request
from billing.domain.declines import DeclineGroup
from billing.domain.errors import (
    GatewayKeyReusedError,
    InvalidInputError,
    NotFoundError,
    PaymentUnknownError,
)
from billing.domain.payments import PaymentMethod
from billing.ports import (
    ActionNeeded,
    Captured,
    ChargeRequest,
    Declined,
    Gateway,
    Processing,
    Refunded,
    RefundRefused,
    RefundRequest,
    SetupRequest,
    SourceSaved,
)
from contract.aws import EVERYWHERE, NOON, moto, opened
from fakes.world import FixedClock, InMemorySandbox

KEY = "charge:acme/main/1/1"
METADATA = {"tenant": "acme", "account": "main"}
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture(params=EVERYWHERE)
def gateway(request: pytest.FixtureRequest, clock: FixedClock) -> Iterator[SandboxGateway]:
    if request.param == "memory":
        yield InMemorySandbox(clock)
        return
    with opened(request) as aws:
        yield SandboxGateway(TableSandboxBook(aws.sandbox_table()), clock)


@pytest.fixture
def sandbox(clock: FixedClock) -> InMemorySandbox:
    """For what its tokens and stand-ins decide: where it is kept makes no difference."""
    return InMemorySandbox(clock)


@pytest.fixture(params=[place for place in EVERYWHERE if place != "moto"])
def at_once(request: pytest.FixtureRequest, clock: FixedClock) -> Iterator[SandboxGateway]:
    """A gateway that may be called from many threads, as moto may not."""
    if request.param == "memory":
        yield InMemorySandbox(clock)
        return
    with opened(request) as aws:
        yield SandboxGateway(TableSandboxBook(aws.sandbox_table()), clock)


def asking(token: str | None, key: str = KEY) -> ChargeRequest:
    is_upi = token is None or token.startswith("upi")
    return ChargeRequest(
        key,
        2_500,
        "INR" if is_upi else "USD",
        token,
        METADATA,
        NOON,
        method=PaymentMethod.UPI if is_upi else PaymentMethod.CARD,
    )


def giving_back(payment_id: str, amount_minor: int, key: str = "refund:1") -> RefundRequest:
    return RefundRequest(key, payment_id, amount_minor, "USD", METADATA, NOON)


def saving(method: PaymentMethod = PaymentMethod.CARD) -> SetupRequest:
    currency = "INR" if method is PaymentMethod.UPI else "USD"
    return SetupRequest("setup:1", method, currency, 1_500_000, METADATA)


def payment_of(answer: object) -> str:
    assert isinstance(answer, Captured), answer
    return answer.payment_id


def test_it_is_a_gateway(sandbox: InMemorySandbox) -> None:
    port: Gateway = sandbox
    assert port.name == "sandbox"


def test_what_it_has_collected_says_what_was_asked(gateway: SandboxGateway) -> None:
    payment_id = payment_of(gateway.charge(asking(SUCCEEDS)))
    gateway.refund(giving_back(payment_id, 1_000))
    assert gateway.captured() == [
        SandboxCharge(payment_id, KEY, 2_500, "USD", SUCCEEDS, METADATA, refunded_minor=1_000)
    ]


@pytest.mark.parametrize(
    ("token", "answer"),
    [
        (DECLINES, Declined("insufficient_funds", DeclineGroup.RETRY_LATER)),
        (EXPIRED, Declined("expired_card", DeclineGroup.NEW_SOURCE)),
        (STOLEN, Declined("card_declined", DeclineGroup.NEVER)),
        (NEEDS_ACTION, Declined("authentication_required", DeclineGroup.CUSTOMER_ACTION)),
        ("tok_of_nobody", Declined("invalid_source", DeclineGroup.NEW_SOURCE)),
    ],
)
def test_a_token_says_why_it_is_declined(
    sandbox: InMemorySandbox, token: str, answer: Declined
) -> None:
    assert sandbox.charge(asking(token)) == answer


@pytest.mark.parametrize("amount_minor", [0, -1])
def test_nothing_less_than_one_minor_unit_is_charged(
    sandbox: InMemorySandbox, amount_minor: int
) -> None:
    request = replace(asking(SUCCEEDS), amount_minor=amount_minor)
    assert sandbox.charge(request) == Declined("invalid_amount")
    assert sandbox.captured() == []


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(replace(asking(SUCCEEDS), method=PaymentMethod.UPI), id="a card as UPI"),
        pytest.param(replace(asking(UPI_SUCCEEDS), method=PaymentMethod.CARD), id="UPI as a card"),
        pytest.param(replace(asking(None), method=PaymentMethod.CARD), id="a card of nobody"),
    ],
)
def test_a_source_pays_by_its_own_method_only(
    sandbox: InMemorySandbox, request_: ChargeRequest
) -> None:
    assert sandbox.charge(request_) == Declined("invalid_source", DeclineGroup.NEW_SOURCE)


@pytest.mark.parametrize("token", [UPI_SUCCEEDS, UPI_DECLINES, None])
def test_upi_in_another_currency_is_declined_as_such(
    sandbox: InMemorySandbox, token: str | None
) -> None:
    answer = sandbox.charge(replace(asking(token), currency="USD"))
    assert answer == Declined("invalid_currency", DeclineGroup.NEW_SOURCE)


@pytest.mark.parametrize(
    ("token", "taken"),
    [(TIMES_OUT_AFTER_CHARGING, [2_500]), (TIMES_OUT_WITHOUT_CHARGING, [])],
)
def test_a_token_may_time_out_at_its_keys_first_use_with_or_without_charging(
    gateway: SandboxGateway, token: str, taken: list[int]
) -> None:
    with pytest.raises(PaymentUnknownError):
        gateway.charge(asking(token))
    assert [charge.amount_minor for charge in gateway.captured()] == taken
    answer = gateway.charge(asking(token))
    assert gateway.charge(asking(token)) == gateway.find(asking(token)) == answer
    (charge,) = gateway.captured()
    assert answer == Captured(charge.payment_id)
    with pytest.raises(PaymentUnknownError):
        gateway.charge(asking(token, "another"))


def test_a_key_that_only_timed_out_is_bound_to_its_parameters_too(
    gateway: SandboxGateway,
) -> None:
    with pytest.raises(PaymentUnknownError):
        gateway.charge(asking(TIMES_OUT_WITHOUT_CHARGING))
    with pytest.raises(GatewayKeyReusedError):
        gateway.charge(asking(SUCCEEDS))
    assert gateway.captured() == []


def test_a_key_that_timed_out_and_was_closed_by_a_look_up_is_declined(
    gateway: SandboxGateway,
) -> None:
    request = asking(TIMES_OUT_WITHOUT_CHARGING)
    with pytest.raises(PaymentUnknownError):
        gateway.charge(request)
    assert gateway.find(request) is None
    assert gateway.charge(request) == Declined("key_closed")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(asking(SUCCEEDS), source_token=DECLINES), id="another source"),
        pytest.param(replace(asking(SUCCEEDS), customer_token="cus_2"), id="another customer"),
        pytest.param(
            replace(asking(SUCCEEDS), source_token=TIMES_OUT_AFTER_CHARGING),
            id="another source that would time out",
        ),
        pytest.param(replace(asking(SUCCEEDS), method=PaymentMethod.UPI), id="another method"),
    ],
)
def test_a_key_stands_for_everything_that_was_asked(
    sandbox: InMemorySandbox, other: ChargeRequest
) -> None:
    sandbox.charge(asking(SUCCEEDS))
    with pytest.raises(GatewayKeyReusedError):
        sandbox.charge(other)
    assert len(sandbox.captured()) == 1


@pytest.mark.parametrize("token", [SUCCEEDS, TIMES_OUT_AFTER_CHARGING, TIMES_OUT_WITHOUT_CHARGING])
def test_calls_at_once_charge_once_and_time_out_once(at_once: SandboxGateway, token: str) -> None:
    def charge(_: int) -> object:
        try:
            return at_once.charge(asking(token))
        except PaymentUnknownError:
            return None

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(charge, range(64)))
    (collected,) = at_once.captured()
    assert answers.count(None) == (token != SUCCEEDS)
    assert set(answers) - {None} == {Captured(collected.payment_id)}


def test_a_charge_and_a_look_up_at_once_agree(at_once: SandboxGateway) -> None:
    keys = [f"charge:{n}" for n in range(24)]

    def meet(key: str) -> tuple[object, object]:
        with ThreadPoolExecutor(2) as pair:
            charged = pair.submit(at_once.charge, asking(SUCCEEDS, key))
            found = pair.submit(at_once.find, asking(SUCCEEDS, key))
            return charged.result(), found.result()

    for charged, found in map(meet, keys):
        assert (charged, found) == (Declined("key_closed"), None) or charged == found
    taken = {charge.idempotency_key for charge in at_once.captured()}
    assert taken == {key for key in keys if isinstance(at_once.find(asking(None, key)), Captured)}


@pytest.mark.parametrize(
    ("token", "ended"),
    [
        (UPI_SUCCEEDS, None),
        (UPI_DECLINES, Declined("insufficient_funds", DeclineGroup.RETRY_LATER)),
    ],
)
def test_a_debit_is_known_a_day_after_it_was_asked_for_and_not_a_moment_sooner(
    gateway: SandboxGateway, clock: FixedClock, token: str, ended: Declined | None
) -> None:
    request = asking(token)
    answer = gateway.charge(request)
    assert isinstance(answer, Processing)
    assert answer.expected_at == NOON + DAY
    clock.advance(DAY - TICK)
    assert gateway.find(request) == gateway.charge(request) == answer
    assert gateway.captured() == []
    clock.advance(TICK)
    known = ended or Captured(answer.payment_id)
    assert gateway.find(request) == gateway.charge(request) == known
    assert len(gateway.captured()) == (ended is None)


def test_a_customer_has_a_quarter_of_an_hour_to_approve(
    gateway: SandboxGateway, clock: FixedClock
) -> None:
    in_time, too_late = asking(None, "one"), asking(None, "two")
    first, second = gateway.charge(in_time), gateway.charge(too_late)
    assert isinstance(first, ActionNeeded)
    assert isinstance(second, ActionNeeded)
    assert first.expires_at == NOON + timedelta(minutes=15)
    clock.advance(timedelta(minutes=15) - TICK)
    gateway.approve(first.payment_id)
    clock.advance(TICK)
    gateway.approve(second.payment_id)
    assert gateway.find(in_time) == Captured(first.payment_id)
    assert gateway.find(too_late) == Declined("expired", DeclineGroup.CUSTOMER_ACTION)
    assert [charge.payment_id for charge in gateway.captured()] == [first.payment_id]


def test_an_approval_and_a_cancellation_at_once_agree(at_once: SandboxGateway) -> None:
    def meet(number: int) -> tuple[object, object]:
        request = asking(None, f"charge:{number}")
        waiting = at_once.charge(request)
        assert isinstance(waiting, ActionNeeded)
        with ThreadPoolExecutor(2) as pair:
            pair.submit(at_once.approve, waiting.payment_id)
            cancelled = pair.submit(at_once.cancel, request, waiting.payment_id)
        return cancelled.result(), at_once.find(request)

    answers = [meet(number) for number in range(24)]
    assert all(cancelled == found for cancelled, found in answers)
    captured = sum(isinstance(found, Captured) for _, found in answers)
    assert len(at_once.captured()) == captured


def test_the_customers_link_says_whom_what_and_how_much(sandbox: InMemorySandbox) -> None:
    answer = sandbox.charge(replace(asking(None), amount_minor=150_005))
    assert isinstance(answer, ActionNeeded)
    assert answer.next_action.kind == "upi"
    assert answer.next_action.url == (
        f"upi://pay?pa=talktime@sandbox&pn=Talktime&tr={answer.payment_id}&am=1500.05&cu=INR"
    )
    assert answer.next_action.qr == answer.next_action.url


def test_calling_off_what_was_never_asked_closes_its_key(sandbox: InMemorySandbox) -> None:
    request = asking(None)
    assert sandbox.cancel(request, "sbx_of_nobody") == Declined("key_closed")
    assert sandbox.charge(request) == Declined("key_closed")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param({"payment_id": "sbx_of_nobody"}, "unknown_payment", id="of no payment"),
        pytest.param({"amount_minor": 0}, "invalid_amount", id="of nothing"),
        pytest.param({"amount_minor": -1}, "invalid_amount", id="of less than nothing"),
        pytest.param({"currency": "EUR"}, "invalid_currency", id="in another currency"),
        pytest.param({"amount_minor": 2_501}, "exceeds_payment", id="of more than was paid"),
    ],
)
def test_a_refused_refund_says_why_and_stays_refused(
    sandbox: InMemorySandbox, request_: dict[str, Any], code: str
) -> None:
    payment_id = payment_of(sandbox.charge(asking(SUCCEEDS)))
    request = replace(giving_back(payment_id, 2_500), **request_)
    assert sandbox.refund(request) == RefundRefused(code)
    assert sandbox.find_refund(request) == sandbox.refund(request) == RefundRefused(code)
    assert sandbox.captured()[0].refunded_minor == 0


def test_a_refund_key_stands_for_one_payment(sandbox: InMemorySandbox) -> None:
    first = payment_of(sandbox.charge(asking(SUCCEEDS, "one")))
    second = payment_of(sandbox.charge(asking(SUCCEEDS, "two")))
    sandbox.refund(giving_back(first, 2_500))
    with pytest.raises(GatewayKeyReusedError):
        sandbox.refund(giving_back(second, 2_500))


def test_a_refund_and_a_look_up_at_once_agree(at_once: SandboxGateway) -> None:
    payment_id = payment_of(at_once.charge(asking(SUCCEEDS)))

    def meet(number: int) -> tuple[object, object]:
        request = giving_back(payment_id, 1, f"refund:{number}")
        with ThreadPoolExecutor(2) as pair:
            refunded = pair.submit(at_once.refund, request)
            found = pair.submit(at_once.find_refund, request)
            return refunded.result(), found.result()

    answers = [meet(number) for number in range(12)]
    for refunded, found in answers:
        assert (refunded, found) == (RefundRefused("key_closed"), None) or refunded == found
    given_back = sum(isinstance(refunded, Refunded) for refunded, _ in answers)
    assert at_once.captured()[0].refunded_minor == given_back


@pytest.mark.parametrize(
    ("method", "token", "known_as"),
    [
        (PaymentMethod.CARD, SUCCEEDS, ("visa", "4242", date(2029, 12, 31))),
        (PaymentMethod.UPI, UPI_SUCCEEDS, ("upi", "", None)),
    ],
)
def test_hosted_fields_save_a_source_that_succeeds(
    sandbox: InMemorySandbox,
    method: PaymentMethod,
    token: str,
    known_as: tuple[str, str, date | None],
) -> None:
    setup = sandbox.begin_setup(saving(method))
    assert setup.client_secret.startswith(f"sandbox_{setup.setup_id}_secret_")
    sandbox.finish_setup(setup.setup_id)
    found = sandbox.find_setup(setup.setup_id)
    assert isinstance(found, SourceSaved)
    assert (found.token, found.customer_token) == (token, setup.customer_token)
    assert (found.brand, found.last4, found.expires_on) == known_as


def test_hosted_fields_may_save_a_source_that_behaves_otherwise(sandbox: InMemorySandbox) -> None:
    setup = sandbox.begin_setup(saving())
    sandbox.finish_setup(setup.setup_id, f"{EXPIRED}.card-2", expires_on=date(2026, 2, 28))
    sandbox.finish_setup(setup.setup_id, SUCCEEDS)
    found = sandbox.find_setup(setup.setup_id)
    assert isinstance(found, SourceSaved)
    assert (found.token, found.expires_on) == (f"{EXPIRED}.card-2", date(2026, 2, 28))
    answer = sandbox.charge(asking(found.token))
    assert answer == Declined("expired_card", DeclineGroup.NEW_SOURCE)


@pytest.mark.parametrize("token", [UPI_SUCCEEDS, "tok_of_nobody"])
def test_a_card_is_saved_with_a_cards_token_only(sandbox: InMemorySandbox, token: str) -> None:
    setup = sandbox.begin_setup(saving())
    with pytest.raises(InvalidInputError) as refused:
        sandbox.finish_setup(setup.setup_id, token)
    assert refused.value.field == "token"
    assert sandbox.find_setup(setup.setup_id) is None


def test_a_plain_token_is_everybodys_and_cannot_be_taken_away(sandbox: InMemorySandbox) -> None:
    sandbox.revoke_source(SUCCEEDS)
    sandbox.forget_source(SUCCEEDS)
    assert isinstance(sandbox.charge(asking(SUCCEEDS)), Captured)
    assert [event.kind for event in sandbox.events()] == ["captured"]


def test_what_we_let_go_of_ourselves_is_not_told(sandbox: InMemorySandbox) -> None:
    sandbox.forget_source(f"{SUCCEEDS}.card-2")
    sandbox.revoke_source(f"{UPI_SUCCEEDS}.mandate-1")
    assert [event.reference for event in sandbox.events()] == [f"{UPI_SUCCEEDS}.mandate-1"]


def test_refunds_add_up_in_whatever_order_they_are_read(sandbox: InMemorySandbox) -> None:
    payment_id = payment_of(sandbox.charge(asking(SUCCEEDS)))
    for number in range(1, 12):
        sandbox.refund(giving_back(payment_id, number, f"refund:{number}"))
    documents = sandbox.kept.documents()
    for names in (sorted(documents), sorted(documents, reverse=True)):
        (charge,) = collected({name: documents[name] for name in names})
        assert charge.refunded_minor == 66


def test_a_token_with_a_name_behaves_like_the_plain_one(sandbox: InMemorySandbox) -> None:
    assert isinstance(sandbox.charge(asking(f"{SUCCEEDS}.card-2", "one")), Captured)
    assert isinstance(sandbox.charge(asking(f"{DECLINES}.card-2", "two")), Declined)
    with pytest.raises(PaymentUnknownError):
        sandbox.charge(asking(f"{TIMES_OUT_AFTER_CHARGING}.card-2", "three"))


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda sandbox: sandbox.approve("sbx_of_nobody"), id="approve"),
        pytest.param(lambda sandbox: sandbox.turn_down("sbx_of_nobody"), id="turn down"),
        pytest.param(lambda sandbox: sandbox.dispute("sbx_of_nobody"), id="dispute"),
        pytest.param(lambda sandbox: sandbox.close_dispute("no", won=True), id="close a dispute"),
        pytest.param(lambda sandbox: sandbox.fail_refund("sbx_of_nobody_r1"), id="fail a refund"),
        pytest.param(lambda sandbox: sandbox.finish_setup("seti_of_nobody"), id="finish a setup"),
        pytest.param(lambda sandbox: sandbox.fail_setup("seti_of_nobody"), id="fail a setup"),
    ],
)
def test_nobody_acts_on_what_the_sandbox_does_not_know(sandbox: InMemorySandbox, act: Any) -> None:
    with pytest.raises(NotFoundError):
        act(sandbox)
    assert sandbox.events() == []


def test_everything_is_told_in_order_and_under_the_same_ids_every_time(
    gateway: SandboxGateway, clock: FixedClock
) -> None:
    payment_id = payment_of(gateway.charge(asking(SUCCEEDS)))
    gateway.charge(asking(UPI_SUCCEEDS, "upi"))
    clock.advance(timedelta(hours=1))
    gateway.refund(giving_back(payment_id, 500))
    clock.advance(timedelta(hours=1))
    gateway.close_dispute(gateway.dispute(payment_id), won=False)
    clock.advance(DAY)
    told = gateway.events()
    assert {event.kind for event in told[:2]} == {"captured", "processing"}
    assert [event.kind for event in told[2:3]] == ["refunded"]
    assert {event.kind for event in told[3:5]} == {"disputed", "dispute_lost"}
    assert (told[5].kind, told[5].occurred_at) == ("captured", NOON + DAY)
    assert len({event.event_id for event in told}) == len(told) == 6
    assert gateway.events() == told


def test_a_gateway_out_of_reach_leaves_everything_unknown(clock: FixedClock) -> None:
    with moto() as aws:
        gateway = SandboxGateway(TableSandboxBook(aws.sandbox_table() + "-gone"), clock)
        request, refund = asking(SUCCEEDS), giving_back("sbx_1", 1)
        for ask in (
            lambda: gateway.charge(request),
            lambda: gateway.find(request),
            lambda: gateway.cancel(request, "sbx_1"),
            lambda: gateway.refund(refund),
            lambda: gateway.find_refund(refund),
            lambda: gateway.begin_setup(saving()),
            lambda: gateway.find_setup("seti_1"),
            lambda: gateway.forget_source(f"{SUCCEEDS}.card-2"),
        ):
            with pytest.raises(PaymentUnknownError):
                ask()


def test_a_book_reads_back_what_it_kept_and_keeps_the_first() -> None:
    with moto() as aws:
        book = TableSandboxBook(aws.sandbox_table())
        document: Document = {"text": "é", "n": 1, "none": None, "map": {"list": [1]}}
        assert book.get("A#1") is None
        assert book.put_if_absent("A#1", document) is None
        assert book.put_if_absent("A#1", {"n": 2}) == document
        assert book.get("A#1") == document
        assert book.documents() == {"A#1": document}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("group", "sometime"),
        ("metadata", {str(number): "x" for number in range(51)}),
        ("metadata", {"tenant": 1}),
        ("payment", ""),
        ("amount_minor", 10**16),
    ],
)
def test_a_webhook_that_cannot_be_read_names_the_field(
    sandbox: InMemorySandbox, name: str, value: object
) -> None:
    sandbox.charge(asking(DECLINES))
    (event,) = sandbox.events()
    request = signed_request(event, "whsec_c2VjcmV0", "https://billing.example.com", NOON)
    document = json.loads(request.body)
    document["data"][name] = value
    with pytest.raises(InvalidInputError) as refused:
        SandboxWebhooks().parse(replace(request, body=json.dumps(document).encode()))
    assert refused.value.field == f"data.{name}"
