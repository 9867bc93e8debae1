"""Stripe's webhooks: whoever signed them, and whatever they say."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from billing.adapters.gateways.stripe_webhooks import StripeWebhooks
from billing.domain.callbacks import WebhookRequest
from billing.domain.declines import DeclineGroup
from billing.domain.errors import InvalidInputError
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from contract.gateway_beds import Behaviour
from contract.stripe_book import StripeBook

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
SECRET = "whsec_one"
OTHER_SECRET = "whsec_two"
BODY = '{"id": "evt_1", "type": "payment_intent.succeeded", "note": "₹ 2 500 · é"}'

webhooks = StripeWebhooks()


def posted(header: str, body: bytes = BODY.encode(), method: str = "POST") -> WebhookRequest:
    return WebhookRequest(method, "https://example.com", {"stripe-signature": header}, body)


def header_of(secret: str = SECRET, at: int = AT, body: str = BODY) -> str:
    header: str = stripe.WebhookSignature.generate_signature_header(body, secret, at)
    return header


def signature_of(header: str) -> str:
    return header.partition("v1=")[2]


def accepts(
    header: str,
    body: bytes = BODY.encode(),
    secrets: tuple[str, ...] = (SECRET,),
    now: datetime = NOW,
) -> bool:
    return webhooks.verify(posted(header, body), secrets, now)


def library_accepts(header: str, body: bytes, secret: str, now: int) -> bool:
    """Whether Stripe's own library does, at that time.

    It raises UnicodeDecodeError for a body, and TypeError for a signature, in other scripts.
    """
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("time.time", lambda: now)
            stripe.WebhookSignature.verify_header(body, header, secret, 300)
    except (stripe.SignatureVerificationError, TypeError, UnicodeDecodeError):
        return False
    return True


def test_what_the_library_signs_is_verified() -> None:
    assert accepts(header_of())


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_a_signature_is_good_for_five_minutes_either_way(seconds: int) -> None:
    assert accepts(header_of(at=AT + seconds))


@pytest.mark.parametrize("seconds", [-301, 301, 86_400, -86_400])
def test_a_signature_is_good_for_no_longer(seconds: int) -> None:
    assert not accepts(header_of(at=AT + seconds))


def test_any_signature_of_any_secret_will_do_while_secrets_are_changed() -> None:
    ours = signature_of(header_of())
    foreign = signature_of(header_of(OTHER_SECRET))
    header = f"t={AT},v1={foreign},v0={ours},v1={ours}"
    assert accepts(header)
    assert accepts(header_of(OTHER_SECRET), secrets=(SECRET, OTHER_SECRET))
    assert not accepts(header_of(OTHER_SECRET))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="none"),
        pytest.param("t=,v1=", id="empty values"),
        pytest.param(f"t={AT}", id="no signature"),
        pytest.param(f"v1={signature_of(header_of())}", id="no time"),
        pytest.param(f"t={AT},v0={signature_of(header_of())}", id="the old scheme"),
        pytest.param(f"t={AT}, v1={signature_of(header_of())}", id="a space"),
        pytest.param(f"t=0{AT},v1={signature_of(header_of())}", id="a time with a zero before"),
        pytest.param(f"t={AT},t={AT},v1={signature_of(header_of())}", id="two times"),
        pytest.param(f"t={AT},v1={signature_of(header_of()).upper()}", id="capital letters"),
        pytest.param("t=" + "9" * 400 + ",v1=" + "a" * 64, id="a time beyond all times"),
        pytest.param("t=٣,v1=é", id="other scripts"),
    ],
)
def test_anything_else_is_not_signed(header: str) -> None:
    assert not accepts(header)


@pytest.mark.parametrize("secret", ["", " ", "\t\n"])
def test_an_empty_secret_signs_nothing(secret: str) -> None:
    assert not accepts(header_of(secret), secrets=(secret,))
    assert not accepts(header_of(), secrets=())


def test_only_a_post_is_a_webhook() -> None:
    assert not webhooks.verify(posted(header_of(), method="GET"), (SECRET,), NOW)


def test_bytes_that_are_no_text_are_not_signed_by_anybody() -> None:
    assert not accepts(header_of(), b"\xff\xfe" + BODY.encode())


def is_stricter(header: str, now: int) -> bool:
    """Where we say no, and the library yes: a time ahead, twice, or written in another way; a
    signature with something behind it."""
    items = header.split(",")
    times = [item for item in items if item.startswith("t=")]
    written = times[0][2:].split("=")[0]
    return (
        len(times) != 1
        or times[0].count("=") != 1
        or not written.isascii()
        or not written.isdigit()
        or written != str(int(written))
        or int(written) > now + 300
        or any(item.startswith("v1=") and item.count("=") != 1 for item in items)
    )


def test_we_agree_with_the_library_on_thousands_of_mutations() -> None:
    """Never more than the library takes; less only for the reasons of ``is_stricter``."""
    rng = random.Random(4)
    verdicts = {True: 0, False: 0}
    stricter = 0
    for _ in range(6_000):
        at = AT + rng.choice([0, 0, 0, -299, -300, -301, 299, 300, 301, 4_000])
        header = header_of(rng.choice([SECRET, SECRET, SECRET, OTHER_SECRET]), at)
        header = rng.choice(HEADER_MUTATIONS)(header, rng)
        body = rng.choice(BODY_MUTATIONS)(BODY.encode(), rng)
        ours, theirs = accepts(header, body), library_accepts(header, body, SECRET, AT)
        if ours != theirs:
            assert theirs, f"only we take {header!r}"
            assert is_stricter(header, AT), header
            stricter += 1
        verdicts[ours] += 1
    assert verdicts[True] > 500
    assert verdicts[False] > 500
    assert stricter > 50


def _same(value: Any, rng: random.Random) -> Any:
    return value


def _replaced(header: str, rng: random.Random) -> str:
    at = rng.randrange(len(header))
    return header[:at] + rng.choice("0123456789abcdefABCDEF=,tv \t+_") + header[at + 1 :]


def _cut(header: str, rng: random.Random) -> str:
    at = rng.randrange(len(header))
    return header[:at] + header[at + 1 :]


def _inserted(header: str, rng: random.Random) -> str:
    at = rng.randrange(len(header) + 1)
    return header[:at] + rng.choice("0 ,=av1\u0661") + header[at:]


def _shuffled(header: str, rng: random.Random) -> str:
    items = header.split(",") + rng.choice([[], ["v1=" + "0" * 64], ["v0=abc"], ["t=1"], ["x"]])
    rng.shuffle(items)
    return ",".join(items)


def _flipped(body: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(body))
    return body[:at] + bytes([body[at] ^ (1 << rng.randrange(8))]) + body[at + 1 :]


def _written_anew(body: bytes, rng: random.Random) -> bytes:
    return json.dumps(json.loads(body)).encode()


def _tail(header: str, rng: random.Random) -> str:
    return header + rng.choice(["=", "=x", ",", ",v1=", " ", "\n"])


Mutation = Callable[[Any, random.Random], Any]
HEADER_MUTATIONS: list[Mutation] = [_same, _same, _replaced, _cut, _inserted, _shuffled, _tail]
BODY_MUTATIONS: list[Mutation] = [_same, _same, _same, _same, _flipped, _written_anew]


METADATA = {"tenant": "acme", "account": "main", "talktime_key": "charge:1"}
OURS = {"tenant": "acme", "account": "main"}


@pytest.fixture
def book() -> StripeBook:
    return StripeBook(NOW)


def paid(book: StripeBook, amount: int = 2_500, currency: str = "usd", **more: Any) -> str:
    """A captured payment; its id."""
    customer = book.add_customer({})["id"]
    source = book.add_source(Behaviour.SUCCEEDS, customer)["id"]
    fields = {
        "amount": amount,
        "currency": currency,
        "payment_method": source,
        "payment_method_types": ["card"],
        "metadata": METADATA,
        **more,
    }
    intent = book.add_intent(fields)
    book.confirm(intent)
    payment_id: str = intent["id"]
    return payment_id


def parsed(event: dict[str, Any]) -> GatewayEvent | None:
    return webhooks.parse(posted("", json.dumps(event).encode()))


def told(book: StripeBook, kind: str) -> GatewayEvent | None:
    """What the last event of that type says."""
    return parsed([event for event in book.events if event["type"] == kind][-1])


def test_a_captured_payment_says_how_much_and_what_we_had_said(book: StripeBook) -> None:
    payment_id = paid(book)
    event_id = book.events[-1]["id"]
    assert told(book, "payment_intent.succeeded") == GatewayEvent(
        event_id, GatewayEventKind.CAPTURED, NOW, payment_id, 2_500, "USD", metadata=OURS
    )


def test_what_is_credited_is_what_was_received(book: StripeBook) -> None:
    paid(book)
    captured = book.events[-1]
    captured["data"]["object"]["amount_received"] = 2_000
    event = parsed(captured)
    assert event is not None
    assert event.amount_minor == 2_000


def test_what_another_program_said_is_not_ours(book: StripeBook) -> None:
    paid(book, metadata={"tenant": "acme", "account": "main"})
    event = told(book, "payment_intent.succeeded")
    assert event is not None
    assert event.metadata == {}


def test_amounts_are_read_as_stripe_counts_them(book: StripeBook) -> None:
    paid(book, 50_000, "isk")
    event = told(book, "payment_intent.succeeded")
    assert event is not None
    assert (event.amount_minor, event.currency) == (500, "ISK")


def test_a_decline_says_its_group_and_hides_a_stolen_card(book: StripeBook) -> None:
    event = {
        "id": "evt_1",
        "created": AT,
        "type": "payment_intent.payment_failed",
        "data": {
            "object": {
                "id": "pi_1",
                "amount": 100,
                "currency": "usd",
                "metadata": METADATA,
                "last_payment_error": {"code": "card_declined", "decline_code": "stolen_card"},
            }
        },
    }
    found = parsed(event)
    assert found is not None
    assert (found.code, found.group) == ("card_declined", DeclineGroup.NEVER)


def test_refunds_are_a_running_total_of_the_payment(book: StripeBook) -> None:
    payment_id = paid(book)
    for amount, total in ((1_000, 1_000), (500, 1_500)):
        book.add_refund(payment_id, amount, {})
        event = told(book, "charge.refunded")
        assert event is not None
        assert (event.payment_id, event.refunded_total_minor) == (payment_id, total)
        assert event.metadata == OURS


def test_a_refund_that_failed_says_the_same_under_each_of_its_names(book: StripeBook) -> None:
    refund = book.add_refund(paid(book), 1_000, {"refund": "1", "talktime_key": "refund:1"})
    book.fail_refund(refund["id"])
    for kind in ("refund.failed", "charge.refund.updated"):
        event = told(book, kind)
        assert event is not None
        assert event.kind is GatewayEventKind.REFUND_FAILED
        assert (event.reference, event.amount_minor) == (refund["id"], 1_000)
        assert event.code == "expired_or_canceled_card"
        assert event.metadata == {"refund": "1"}


def test_a_refund_that_merely_changed_says_nothing(book: StripeBook) -> None:
    refund = book.add_refund(paid(book), 1_000, {})
    book.tell("charge.refund.updated", refund)
    assert told(book, "charge.refund.updated") is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [("won", GatewayEventKind.DISPUTE_WON), ("lost", GatewayEventKind.DISPUTE_LOST)],
)
def test_a_dispute_begins_and_ends(book: StripeBook, status: str, kind: GatewayEventKind) -> None:
    payment_id = paid(book)
    dispute = book.add_dispute(payment_id)
    begun = told(book, "charge.dispute.created")
    assert begun is not None
    assert begun.kind is GatewayEventKind.DISPUTED
    assert (begun.payment_id, begun.reference) == (payment_id, dispute["id"])
    assert (begun.amount_minor, begun.code) == (2_500, "fraudulent")
    book.close_dispute(dispute["id"], status)
    ended = told(book, "charge.dispute.closed")
    assert ended is not None
    assert (ended.kind, ended.reference) == (kind, dispute["id"])


def test_an_inquiry_takes_no_money_until_it_becomes_a_dispute(book: StripeBook) -> None:
    inquiry = book.add_dispute(paid(book), "warning_needs_response")
    assert told(book, "charge.dispute.created") is None
    book.escalate(inquiry["id"])
    event = told(book, "charge.dispute.updated")
    assert event is not None
    assert event.kind is GatewayEventKind.DISPUTED
    book.tell("charge.dispute.updated", inquiry, {"evidence": {}})
    assert told(book, "charge.dispute.updated") is None


def test_an_inquiry_that_is_closed_gives_nothing_back(book: StripeBook) -> None:
    inquiry = book.add_dispute(paid(book), "warning_needs_response")
    book.close_dispute(inquiry["id"], "warning_closed")
    assert told(book, "charge.dispute.closed") is None


def test_a_mandate_that_only_changed_is_not_revoked(book: StripeBook) -> None:
    book.tell("mandate.updated", {"id": "mandate_1", "status": "active", "payment_method": "pm_1"})
    assert told(book, "mandate.updated") is None


@pytest.mark.parametrize(
    "kind", ["customer.updated", "payment_intent.created", "charge.succeeded", "v3.new", ""]
)
def test_what_we_do_not_act_on_says_nothing(kind: str) -> None:
    assert parsed({"id": "evt_1", "type": kind, "created": AT, "data": {"object": {}}}) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param(b'{"type": 1}', id="a type that is none"),
        pytest.param(b'{"type": "charge.refunded", "data": 1}', id="data that is none"),
        pytest.param(b'{"type": "setup_intent.succeeded", "created": NaN}', id="no number"),
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        webhooks.parse(posted("", body))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"amount_received": 10**30}, id="more money than there is"),
        pytest.param({"metadata": METADATA | {"\ud800": "x"}}, id="a name that nobody can store"),
        pytest.param({"metadata": METADATA | {"x": "\ud800"}}, id="a value that nobody can store"),
        pytest.param({"id": "pi 1"}, id="an id that is none"),
    ],
)
def test_what_cannot_be_kept_is_refused(book: StripeBook, wrong: dict[str, Any]) -> None:
    paid(book)
    captured = book.events[-1]
    captured["data"]["object"] |= wrong
    with pytest.raises(InvalidInputError):
        parsed(captured)


JUNK: list[Any] = [None, "", 0, -1, True, 10**40, 2.5, "x", [], {}, {"id": 3}, [1], "\ud800"]


def test_a_body_that_is_wrong_anywhere_is_read_or_refused_and_nothing_else(
    book: StripeBook,
) -> None:
    """Every field of every event, replaced by junk and left out."""
    payment_id = paid(book)
    refund = book.add_refund(payment_id, 100, METADATA)
    book.fail_refund(refund["id"])
    book.close_dispute(book.add_dispute(payment_id)["id"], "won")
    customer = book.add_customer({})["id"]
    book.revoke(book.add_source(Behaviour.UPI_SUCCEEDS, customer)["id"])
    book.detach(book.add_source(Behaviour.SUCCEEDS, customer))
    setup = book.add_setup({"customer": customer, "payment_method_types": ["card"]})
    book.finish_setup(setup["id"], None)
    book.finish_setup(setup["id"], Behaviour.SUCCEEDS)
    read = refused = 0
    for event in book.events:
        for path in _paths(event):
            for junk in [*JUNK, _LEFT_OUT]:
                broken = json.loads(json.dumps(event))
                _put(broken, path, junk)
                try:
                    parsed(broken)
                except InvalidInputError:
                    refused += 1
                else:
                    read += 1
    assert read > 1_000
    assert refused > 500


_LEFT_OUT = object()


def _paths(value: Any) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return [()]
    inner = [(name, *path) for name, child in value.items() for path in _paths(child)]
    return inner + [(name,) for name, child in value.items() if isinstance(child, dict)]


def _put(value: Any, path: tuple[str, ...], junk: Any) -> None:
    for name in path[:-1]:
        value = value[name]
    if junk is _LEFT_OUT:
        del value[path[-1]]
    else:
        value[path[-1]] = junk


def test_an_old_event_is_dated_when_it_happened() -> None:
    created = int((NOW - timedelta(days=3)).timestamp())
    data = {"object": {"id": "pm_1", "metadata": {}}}
    event = parsed({"id": "e", "type": "payment_method.detached", "created": created, "data": data})
    assert event is not None
    assert event.occurred_at == NOW - timedelta(days=3)
    assert event.reference == "pm_1"
