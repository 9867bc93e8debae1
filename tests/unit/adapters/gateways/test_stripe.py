"""The Stripe adapter where Stripe is slow, silent, forgetful or wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe

from billing.adapters.gateways.stripe import StripeGateway
from billing.domain.declines import DeclineGroup
from billing.domain.errors import (
    GatewayKeyReusedError,
    InvalidInputError,
    PaymentUnknownError,
)
from billing.domain.payments import NextAction, PaymentMethod
from billing.ports import (
    ActionNeeded,
    Captured,
    ChargeRequest,
    Declined,
    Processing,
)
from contract.gateway_beds import Behaviour
from contract.stripe_fake import SECRET, FakeStripe
from contract.stripe_wire import InProcessClient, Scripted

FUNCTIONS = Path(__file__).parents[4] / "functions"
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
METADATA = {"tenant": "acme", "account": "main"}


Make = Callable[..., ChargeRequest]


def statuses(fake: FakeStripe) -> list[str]:
    return [intent["status"] for intent in fake.book.intents.values()]


def collected(fake: FakeStripe) -> list[int]:
    return [charge["amount"] for charge in fake.book.charges.values()]


def test_the_library_is_loaded_and_the_key_read_only_when_stripe_is_asked() -> None:
    script = (
        "import sys, billing.adapters.gateways.stripe_webhooks\n"
        "from billing.adapters.gateways.stripe import StripeGateway\n"
        "gateway = StripeGateway(lambda: sys.exit('the key was read'))\n"
        "assert 'stripe' not in sys.modules and 'requests' not in sys.modules\n"
        "import billing.adapters.gateways.stripe_calls\n"
        "assert 'stripe' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(FUNCTIONS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_key_that_people_changed_is_used_from_then_on(fake: FakeStripe, request_of: Make) -> None:
    keys = iter(["rk_test_revoked", SECRET])
    gateway = StripeGateway(lambda: next(keys, SECRET), http_client=InProcessClient(fake))
    request = request_of()
    with pytest.raises(PaymentUnknownError):
        gateway.charge(request)
    assert isinstance(gateway.charge(request), Captured)


def test_without_a_key_nothing_is_asked(fake: FakeStripe, request_of: Make) -> None:
    def secret() -> str:
        raise PaymentUnknownError("the gateway has no key yet")

    gateway = StripeGateway(secret, http_client=InProcessClient(fake))
    with pytest.raises(PaymentUnknownError):
        gateway.charge(request_of())
    assert fake.requests == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(401, {"message": "Invalid API Key"}, id="a key that is revoked"),
        pytest.param(403, {"message": "no permission"}, id="a key that may not"),
        pytest.param(409, {"code": "idempotency_key_in_use"}, id="the same key at the same time"),
        pytest.param(400, {"code": "rate_limit"}, id="too fast, as it once was said"),
        pytest.param(
            400,
            {
                "type": "invalid_request_error",
                "code": "resource_missing",
                "param": "payment_method",
                "message": "No such PaymentMethod: 'pm_1'; a similar object exists in live mode,"
                " but a test mode key was used to make this request.",
            },
            id="a test key for what is live",
        ),
        pytest.param(429, {"code": "lock_timeout"}, id="too fast"),
        pytest.param(500, {"type": "api_error"}, id="a fault of Stripe's"),
        pytest.param(503, {"type": "api_error"}, id="Stripe out of service"),
    ],
)
def test_what_is_no_word_about_the_payment_leaves_it_unknown(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make, status: int, error: dict[str, str]
) -> None:
    request = request_of()
    fake.fail(status, error)
    with pytest.raises(PaymentUnknownError):
        gateway.charge(request)
    fake.faults.clear()
    assert isinstance(gateway.charge(request), Captured)
    assert collected(fake) == [2_500]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<html>Gateway time-out</html>", id="no JSON"),
        pytest.param("{}", id="nothing in it"),
        pytest.param('{"id": "pi_1"}', id="no status"),
        pytest.param('{"id": 7, "status": "succeeded"}', id="an id that is none"),
    ],
)
def test_an_answer_that_cannot_be_read_leaves_the_payment_unknown(
    request_of: Make, body: str
) -> None:
    client = Scripted((200, body), (200, body))
    gateway = StripeGateway(lambda: SECRET, http_client=client)
    with pytest.raises(PaymentUnknownError):
        gateway.charge(request_of())


def test_a_decline_whose_calling_off_failed_goes_on_from_there(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = request_of(Behaviour.EXPIRED_CARD)
    fake.meanwhile(lambda: None)  # The charge itself is answered.
    fake.fail(503)
    with pytest.raises(PaymentUnknownError):
        gateway.charge(request)
    assert statuses(fake) == ["requires_payment_method"]
    declined = Declined("expired_card", DeclineGroup.NEW_SOURCE)
    for _ in range(2):
        assert gateway.charge(request) == declined
    assert statuses(fake) == ["canceled"]
    assert gateway.find(request) == declined


def test_a_decline_whose_calling_off_failed_is_called_off_by_a_look_up(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = request_of(Behaviour.INSUFFICIENT_FUNDS)
    fake.meanwhile(lambda: None)
    fake.fail(503)
    with pytest.raises(PaymentUnknownError):
        gateway.charge(request)
    fake.book.advance(timedelta(days=30))
    assert gateway.find(request) == Declined("insufficient_funds")
    assert statuses(fake) == ["canceled"]


def test_a_payment_is_found_among_hundreds_when_its_key_is_long_forgotten(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    for number in range(130):
        gateway.charge(request_of(key=f"before:{number}"))
    request = request_of()
    fake.lose_answer(after_doing=True)
    with pytest.raises(PaymentUnknownError):
        gateway.charge(request)
    for number in range(130):
        gateway.charge(request_of(key=f"after:{number}"))
    fake.book.advance(timedelta(days=90))
    found = gateway.find(request)
    assert isinstance(found, Captured)
    metadata = fake.book.intents[found.payment_id]["metadata"]
    assert metadata == METADATA | {"talktime_key": "charge:1"}
    assert len(collected(fake)) == 261


def test_a_one_off_without_a_customer_is_found_by_when_it_was_made(
    fake: FakeStripe, gateway: StripeGateway
) -> None:
    request = ChargeRequest("order:1", 2_500, "INR", None, METADATA, NOON, method=PaymentMethod.UPI)
    fake.lose_answer(after_doing=True)
    with pytest.raises(PaymentUnknownError):
        gateway.charge(request)
    found = gateway.find(request)
    assert isinstance(found, ActionNeeded)
    assert found.expires_at == NOON + timedelta(minutes=15)
    assert found.next_action.kind == "upi"
    assert found.next_action.url.startswith("https://payments.stripe.com/upi/instructions/")


def test_nothing_can_be_charged_under_a_key_once_nothing_was_found(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = request_of()
    for _ in range(3):
        assert gateway.find(request) is None
    assert statuses(fake) == ["canceled"]
    assert gateway.charge(request) == Declined("key_closed")
    assert gateway.find(request) is None
    assert collected(fake) == []


def test_a_request_that_arrives_while_it_is_looked_for_is_found(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = request_of()
    late = StripeGateway(lambda: SECRET, http_client=InProcessClient(fake))
    fake.meanwhile(lambda: None)  # The list is still empty.
    fake.meanwhile(lambda: late.charge(request))
    assert isinstance(gateway.find(request), Captured)
    assert collected(fake) == [2_500]


def test_a_key_that_stripe_failed_under_for_good_has_charged_nothing(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = request_of()
    fake.fail(500, is_kept=True)
    for _ in range(2):
        with pytest.raises(PaymentUnknownError):
            gateway.charge(request)
    assert gateway.find(request) is None
    assert collected(fake) == []


def test_a_payment_that_this_key_cannot_see_is_not_one_that_was_not_made(
    gateway: StripeGateway, request_of: Make
) -> None:
    with pytest.raises(PaymentUnknownError):
        gateway.find(request_of(), "pi_live")


def test_another_payments_id_answers_nothing_about_this_one(
    gateway: StripeGateway, request_of: Make
) -> None:
    other = gateway.charge(request_of(key="other"))
    assert isinstance(other, Captured)
    assert gateway.find(request_of(), other.payment_id) is None


def test_the_same_key_with_other_parameters_is_an_error(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = request_of()
    gateway.charge(request)
    with pytest.raises(GatewayKeyReusedError):
        gateway.charge(replace(request, amount_minor=2_600))
    assert collected(fake) == [2_500]


def test_a_repeated_key_tells_how_a_slow_payment_stands_by_now(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = replace(request_of(Behaviour.UPI_SUCCEEDS), currency="INR", method=PaymentMethod.UPI)
    first = gateway.charge(request)
    assert isinstance(first, Processing)
    assert first.expected_at == NOON + timedelta(hours=36)
    # Not later than the key is kept; the notice alone takes as long.
    fake.book.advance(timedelta(hours=23))
    assert gateway.charge(request) == first
    fake.book.advance(timedelta(hours=3))
    assert gateway.find(request, first.payment_id) == Captured(first.payment_id)


def test_a_payment_that_was_made_at_the_end_of_its_keys_life_is_found(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = request_of()
    fake.book.advance(timedelta(hours=23))
    payment = gateway.charge(request)
    fake.book.advance(timedelta(days=2))
    assert isinstance(payment, Captured)
    assert gateway.find(request) == payment


def test_a_saved_card_is_charged_at_once_and_without_its_customer(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = request_of()
    gateway.charge(request)
    sent = {
        "amount": "2500",
        "confirm": "true",
        "currency": "usd",
        "customer": request.customer_token,
        "metadata": METADATA | {"talktime_key": "charge:1"},
        "off_session": "true",
        "payment_method": request.source_token,
        "payment_method_types": {"0": "card"},
    }
    assert fake.requests == [("post", "/v1/payment_intents", sent)]


def test_a_payment_is_looked_for_among_its_customers_of_that_day(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = request_of()
    gateway.charge(request)
    gateway.find(request)
    at = int(NOON.timestamp())
    sent = {
        "created": {"gte": str(at - 600), "lte": str(at + 86_400 + 600)},
        "customer": request.customer_token,
        "limit": "100",
    }
    assert fake.requests[-1] == ("get", "/v1/payment_intents", sent)


@pytest.mark.parametrize(
    ("qr", "minutes"),
    [
        pytest.param({"expires_at": int(NOON.timestamp()) + 300}, 5, id="as Stripe says"),
        pytest.param({}, 15, id="a quarter of an hour where it does not"),
    ],
)
def test_an_approval_waits_as_long_as_stripe_says(qr: dict[str, int], minutes: int) -> None:
    page = "https://payments.stripe.com/upi/instructions/1"
    upi = {"hosted_instructions_url": page, "qr_code": qr}
    intent = json.dumps(
        {
            "id": "pi_1",
            "status": "requires_action",
            "next_action": {"upi_handle_redirect_or_display_qr_code": upi},
        }
    )
    gateway = StripeGateway(lambda: SECRET, http_client=Scripted((200, intent), (200, intent)))
    request = ChargeRequest("order:1", 2_500, "INR", None, METADATA, NOON, method=PaymentMethod.UPI)
    answer = gateway.charge(request)
    assert answer == ActionNeeded(
        "pi_1", NextAction("upi", page), NOON + timedelta(minutes=minutes)
    )


@pytest.mark.parametrize("page", ["javascript:alert(1)", "http://upi.example.com/1", ""])
def test_a_customer_is_sent_to_no_page_but_a_safe_one(page: str) -> None:
    upi = {"hosted_instructions_url": page, "qr_code": {}}
    action = {"upi_handle_redirect_or_display_qr_code": upi}
    intent = json.dumps({"id": "pi_1", "status": "requires_action", "next_action": action})
    gateway = StripeGateway(lambda: SECRET, http_client=Scripted((200, intent), (200, intent)))
    request = ChargeRequest("order:1", 2_500, "INR", None, METADATA, NOON, method=PaymentMethod.UPI)
    with pytest.raises(PaymentUnknownError):
        gateway.charge(request)


def test_the_library_tells_nobody_about_this_machine(
    gateway: StripeGateway, request_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe, "enable_telemetry", True)
    gateway.charge(request_of())
    assert not stripe.enable_telemetry


def test_a_saved_card_that_waits_for_its_customer_is_called_off(request_of: Make) -> None:
    waiting = {"id": "pi_1", "status": "requires_action", "metadata": {}}
    canceled = waiting | {"status": "canceled"}
    client = Scripted(*((200, json.dumps(one)) for one in (waiting, waiting, canceled)))
    gateway = StripeGateway(lambda: SECRET, http_client=client)
    expected = Declined("authentication_required", DeclineGroup.CUSTOMER_ACTION)
    assert gateway.charge(request_of()) == expected
    assert client.sent[-1][1].endswith("/v1/payment_intents/pi_1/cancel")


def test_what_can_neither_be_called_off_nor_be_collected_is_unknown(request_of: Make) -> None:
    waiting = json.dumps({"id": "pi_1", "status": "requires_payment_method", "metadata": {}})
    refused = json.dumps({"error": {"type": "invalid_request_error"}})
    client = Scripted((200, waiting), (400, refused), (200, waiting))
    gateway = StripeGateway(lambda: SECRET, http_client=client)
    with pytest.raises(PaymentUnknownError):
        gateway.cancel(request_of(), "pi_1")


@pytest.mark.parametrize(
    ("amount_minor", "currency", "sent"),
    [
        pytest.param(2_500, "JPY", 2_500, id="whole yen"),
        pytest.param(2_510, "KWD", 2_510, id="dinars in tens of fils"),
        pytest.param(2_500, "ISK", 250_000, id="whole krónur, sent with two decimals"),
        pytest.param(2_500, "UGX", 250_000, id="whole shillings, sent with two decimals"),
        pytest.param(250_000, "MGA", 2_500, id="ariary, sent without decimals"),
    ],
)
def test_amounts_are_sent_as_stripe_counts_them(
    fake: FakeStripe,
    gateway: StripeGateway,
    request_of: Make,
    amount_minor: int,
    currency: str,
    sent: int,
) -> None:
    request = replace(request_of(), amount_minor=amount_minor, currency=currency)
    assert isinstance(gateway.charge(request), Captured)
    assert collected(fake) == [sent]


@pytest.mark.parametrize(
    ("amount_minor", "currency"),
    [
        pytest.param(2_501, "KWD", id="a single fils"),
        pytest.param(2_501, "MGA", id="a part of an ariary"),
    ],
)
def test_an_amount_that_stripe_cannot_count_is_refused_before_it_is_asked(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make, amount_minor: int, currency: str
) -> None:
    request = replace(request_of(), amount_minor=amount_minor, currency=currency)
    with pytest.raises(InvalidInputError) as refused:
        gateway.charge(request)
    assert refused.value.field == "amount"
    assert fake.requests == []


def test_a_card_that_nobody_saved_cannot_be_charged(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = replace(request_of(), source_token=None)
    assert gateway.charge(request) == Declined("invalid_source", DeclineGroup.NEW_SOURCE)
    assert fake.requests == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            {"source_token": "pm_gone"},
            Declined("resource_missing", DeclineGroup.NEW_SOURCE),
            id="no such source",
        ),
        pytest.param(
            {"customer_token": "cus_gone"},
            Declined("resource_missing", DeclineGroup.NEW_SOURCE),
            id="no such customer",
        ),
        pytest.param(
            {"amount_minor": 1},
            Declined("amount_too_small", DeclineGroup.RETRY_LATER),
            id="less than Stripe takes, which is not the source's fault",
        ),
    ],
)
def test_a_request_that_stripe_finds_invalid_is_declined(
    fake: FakeStripe,
    gateway: StripeGateway,
    request_of: Make,
    change: dict[str, Any],
    expected: Declined,
) -> None:
    assert gateway.charge(replace(request_of(), **change)) == expected
    assert statuses(fake) == []
