"""Twilio's lists as Twilio gives them: read strictly, page by page, for the right account."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import urllib3
from twilio.base.values import unset  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]
from urllib3.util import make_headers

from billing.adapters.telephony.json_rest import JsonRest
from billing.adapters.telephony.twilio import Twilio
from billing.adapters.telephony.twilio_rest import MAX_CREDENTIALS, TwilioRecords
from billing.domain.account import AccountRef
from billing.domain.callbacks import Ignored, Reported, Unreadable, WebhookRequest
from billing.domain.errors import ProviderRefusedError, ProviderUnavailableError
from billing.domain.provider_records import ListedCost, ProviderRecord
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallStatus, UsageEvent
from billing.ports import Connection
from fakes.twilio_rest import Answer, TwilioRest, a_listed_call, a_listed_message, listed_time
from local.twilio import signed_callback

DAY = datetime(2026, 11, 21, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)
NOON = DAY + timedelta(hours=12)
ACME = AccountRef("acme", "main")
CONNECTION = Connection("acme", "twilio", ("token",), None, {"AC1": ACME}, 1, DAY)


class Bed:
    """A fake Twilio with one account, and our reader of it."""

    def __init__(self, twilio: TwilioRest) -> None:
        self.twilio = twilio
        self.twilio.add_account("AC1", "token")
        self.records = TwilioRecords(JsonRest(twilio.url, lambda _: None))

    def all(
        self, connection: Connection = CONNECTION, account: str = "AC1"
    ) -> list[ProviderRecord]:
        found: list[ProviderRecord] = []
        cursor = None
        while True:
            page = self.records.page(connection, account, DAY, NEXT_DAY, cursor)
            found += page.records
            if page.next is None:
                return found
            cursor = page.next

    def call(self, **overrides: Any) -> ProviderRecord:
        self.twilio.add_call(a_listed_call("AC1", "CA1", NOON) | overrides)
        (record,) = self.all()
        return record

    def message(self, **overrides: Any) -> ProviderRecord:
        self.twilio.add_message(a_listed_message("AC1", "SM1", NOON) | overrides)
        (record,) = self.all()
        return record


@pytest.fixture
def bed() -> Iterator[Bed]:
    with TwilioRest(page_size=10).serving() as twilio:
        yield Bed(twilio)


def usage(record: ProviderRecord) -> UsageEvent:
    assert isinstance(record.content, UsageEvent), record
    return record.content


def test_a_listed_call_is_the_same_usage_as_its_callback(bed: Bed) -> None:
    listed = usage(bed.call())
    url = "https://billing.example.com/webhooks/usage/acme"
    params = {
        "AccountSid": "AC1",
        "CallDuration": "61",
        "CallSid": "CA1",
        "CallStatus": "completed",
        "Direction": "outbound-api",
        "From": "+14155550100",
        "Timestamp": listed_time(NOON),
        "To": "+14155550123",
    }
    headers, body = signed_callback(url, "token", params)
    reported = Twilio().parse(WebhookRequest("POST", url, headers, body), "acme", NOON)
    assert reported == Reported((listed,))


def test_pages_are_read_to_the_end_and_then_the_messages(bed: Bed) -> None:
    for number in range(25):
        bed.twilio.add_call(a_listed_call("AC1", f"CA{number}", NOON + timedelta(seconds=number)))
    for number in range(11):
        bed.twilio.add_message(a_listed_message("AC1", f"SM{number}", NOON))
    found = [record.call_id for record in bed.all()]
    assert len(found) == len(set(found)) == 36
    assert found[0] == "CA24"
    assert len(bed.twilio.asked) == 5


class Forwarding:
    """Twilio's own library sends its requests through this: on to the fake, and noted."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[tuple[str, dict[str, list[str]]]] = []

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        assert (method, auth) == ("GET", ("AC1", "token"))
        parts = urlsplit(url)
        query = parts.query or urlencode(
            {k: v for k, v in (params or {}).items() if v is not unset}
        )
        self.asked.append((parts.path, parse_qs(query)))
        answer = urllib3.request(
            "GET", f"{self.url}{parts.path}?{query}", headers=make_headers(basic_auth="AC1:token")
        )
        return Response(answer.status, answer.data.decode())


def test_it_asks_and_reads_as_twilios_own_library_does(bed: Bed) -> None:
    for number in range(25):
        bed.twilio.add_call(a_listed_call("AC1", f"CA{number}", NOON, duration=str(number + 1)))
        bed.twilio.add_message(a_listed_message("AC1", f"SM{number}", NOON))
    ours = bed.all()
    asked = [(urlsplit(path).path, parse_qs(urlsplit(path).query)) for path in bed.twilio.asked]
    forwarding = Forwarding(bed.twilio.url)
    client = Client("AC1", "token", http_client=forwarding)
    calls = client.calls.list(start_time_after=DAY, start_time_before=NEXT_DAY, page_size=1000)
    messages = client.messages.list(date_sent_after=DAY, date_sent_before=NEXT_DAY, page_size=1000)
    assert forwarding.asked == asked
    assert [one.sid for one in (*calls, *messages)] == [record.call_id for record in ours]
    for call, record in zip(calls, ours, strict=False):
        event = usage(record)
        assert (event.quantity, event.ended_at) == (int(call.duration), call.end_time)
        assert (record.began_at, event.to_number) == (call.start_time, call.to)


def test_a_list_goes_on_where_another_reader_stopped(bed: Bed) -> None:
    for number in range(25):
        bed.twilio.add_call(a_listed_call("AC1", f"CA{number}", NOON))
    first = bed.records.page(CONNECTION, "AC1", DAY, NEXT_DAY, None)
    other = TwilioRecords(JsonRest(bed.twilio.url))
    second = other.page(CONNECTION, "AC1", DAY, NEXT_DAY, first.next)
    assert [record.call_id for record in second.records] == [f"CA{n}" for n in range(14, 4, -1)]


@pytest.mark.parametrize(
    ("price", "cost"),
    [
        ("-0.02800", ListedCost("0.02800", "USD")),
        ("-0", ListedCost("0", "USD")),
        ("0.0085", ListedCost("0.0085", "USD")),
        ("-123456789.123456", ListedCost("123456789.123456", "USD")),
        (None, None),
        ("", None),
    ],
)
def test_a_charge_is_negative_and_missing_until_it_is_rated(
    bed: Bed, price: str | None, cost: ListedCost | None
) -> None:
    assert bed.call(price=price).cost == cost


def test_currencies_are_in_capitals_whatever_messages_say(bed: Bed) -> None:
    assert bed.message(price_unit="usd").cost == ListedCost("0.00790", "USD")


@pytest.mark.parametrize("price", [-0.028, "1e9", "NaN", "--1", "1,5", [], "-", "\u0661"])
def test_a_price_that_is_no_decimal_is_not_guessed(bed: Bed, price: object) -> None:
    content = bed.call(price=price).content
    assert isinstance(content, Unreadable)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("Sat, 21 Nov 2026 12:00:00 +0000", NOON),
        ("Sat, 21 Nov 2026 17:30:00 +0530", NOON),
        ("Sat, 21 Nov 2026 04:00:00 -0800", NOON),
        ("Sun, 22 Nov 2026 00:00:00 +1200", NOON),
    ],
)
def test_times_are_read_in_their_own_zone(bed: Bed, given: str, read: datetime) -> None:
    record = bed.call(end_time=given)
    assert usage(record).ended_at == read
    assert usage(record).answered_at == read - timedelta(seconds=61)
    assert record.began_at == NOON - timedelta(seconds=61)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("busy", CallStatus.BUSY),
        ("no-answer", CallStatus.NO_ANSWER),
        ("canceled", CallStatus.CANCELED),
        ("failed", CallStatus.FAILED),
    ],
)
def test_what_nobody_answered_is_nothing_and_may_have_no_end(
    bed: Bed, status: str, outcome: CallStatus
) -> None:
    record = bed.call(status=status, duration="", end_time=None, price=None)
    event = usage(record)
    assert (event.status, event.quantity, event.answered_at) == (outcome, 0, None)
    assert event.ended_at == NOON - timedelta(seconds=61)


def test_what_was_never_dialled_happened_when_twilio_last_touched_it(bed: Bed) -> None:
    record = bed.call(status="canceled", duration=None, start_time=None, end_time=None, price=None)
    assert usage(record).ended_at == NOON
    assert record.began_at is None


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress", "initiated", "", None])
def test_a_call_that_goes_on_is_no_usage_yet(bed: Bed, status: str | None) -> None:
    record = bed.call(status=status, duration=None, end_time=None, price=None)
    assert record.content == Ignored("call_not_ended")
    assert record.call_id == "CA1"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("inbound", Direction.INBOUND),
        ("outbound-api", Direction.OUTBOUND),
        ("outbound-dial", Direction.OUTBOUND),
        ("trunking-originating", Direction.INBOUND),
        ("trunking-terminating", Direction.OUTBOUND),
    ],
)
def test_directions_are_the_tenants(bed: Bed, given: str, read: Direction) -> None:
    assert usage(bed.call(direction=given)).direction is read


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"sid": None}, "invalid_sid"),
        ({"sid": "CA1#x"}, "invalid_sid"),
        ({"account_sid": "AC2"}, "invalid_sid"),
        ({"direction": "sideways"}, "invalid_direction"),
        ({"to": ""}, "invalid_number"),
        ({"to": "+1" * 200}, "invalid_number"),
        ({"duration": "-5"}, "invalid_quantity"),
        ({"duration": None}, "invalid_quantity"),
        ({"duration": "1.5"}, "invalid_quantity"),
        ({"duration": 61.0}, "invalid_text"),
        ({"duration": "63"}, "invalid_quantity"),
        ({"start_time": None}, "invalid_timestamp"),
        ({"end_time": None}, "invalid_timestamp"),
        ({"end_time": "2026-11-21 12:00:00"}, "invalid_timestamp"),
        ({"end_time": "Sat, 21 Nov 2026 12:00:00"}, "invalid_timestamp"),
        ({"start_time": {}}, "invalid_text"),
    ],
)
def test_a_record_that_cannot_be_true_is_kept_and_the_others_go_on(
    bed: Bed, overrides: dict[str, Any], reason: str
) -> None:
    bed.twilio.accounts["AC1"].records["Calls"] = [
        a_listed_call("AC1", "CA1", NOON) | overrides,
        a_listed_call("AC1", "CA2", NOON),
    ]
    good, bad = bed.all()
    assert usage(good).key.call_id == "CA2"
    assert isinstance(bad.content, Unreadable)
    assert bad.content.reason == reason
    assert bad.content.provider_account == "AC1"


def test_one_second_more_than_the_times_say_is_rounding(bed: Bed) -> None:
    times = {"start_time": listed_time(NOON - timedelta(seconds=60)), "end_time": listed_time(NOON)}
    assert usage(bed.call(duration="61", **times)).quantity == 61


@pytest.mark.parametrize(
    ("status", "outcome", "quantity"),
    [
        ("sent", CallStatus.COMPLETED, 3),
        ("delivered", CallStatus.COMPLETED, 3),
        ("undelivered", CallStatus.COMPLETED, 3),
        ("read", CallStatus.COMPLETED, 3),
        ("received", CallStatus.COMPLETED, 3),
        ("failed", CallStatus.FAILED, 0),
    ],
)
def test_messages_are_counted_in_segments(
    bed: Bed, status: str, outcome: CallStatus, quantity: int
) -> None:
    event = usage(bed.message(status=status, num_segments="3"))
    assert (event.unit, event.status, event.quantity) == (Unit.MESSAGES, outcome, quantity)
    assert event.ended_at == NOON


def test_a_message_without_a_count_is_one(bed: Bed) -> None:
    assert usage(bed.message(num_segments="0")).quantity == 1


@pytest.mark.parametrize(
    "status", ["queued", "sending", "accepted", "scheduled", "receiving", "canceled"]
)
def test_a_message_that_was_not_sent_is_no_usage(bed: Bed, status: str) -> None:
    assert bed.message(status=status, date_sent=None).content == Ignored("message_not_sent")


def test_the_text_of_a_message_is_never_kept(bed: Bed) -> None:
    content = bed.message(direction="?").content
    assert isinstance(content, Unreadable)
    assert "body" not in content.callback


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.com/2010-04-01/Accounts/AC1/Calls.json?Page=1",
        "//example.com/2010-04-01/Accounts/AC1/Calls.json?Page=1",
        "http://[/2010-04-01/Accounts/AC1/Calls.json",
        "/2010-04-01/Accounts/AC2/Calls.json?Page=1",
        "/2010-04-01/Accounts/AC1/Messages.json?Page=1",
        "/2010-04-01/Accounts/AC1/../AC2/Calls.json",
        "/2010-04-01/Accounts/AC1/Calls.json?Page=1#x",
        "/2010-04-01/Accounts/AC1/Calls.json?a=1\r\nX: y",
        "Calls.json",
        "@example.com",
        {"page": 1},
        7,
    ],
)
def test_the_next_page_is_of_the_same_list(bed: Bed, uri: object) -> None:
    bed.twilio.instead = [Answer(200, json.dumps({"calls": [], "next_page_uri": uri}).encode())]
    with pytest.raises(ProviderUnavailableError):
        bed.all()
    assert len(bed.twilio.asked) == 1


@pytest.mark.parametrize(
    "page",
    [{}, {"calls": None}, {"calls": {}}, {"calls": [1]}, {"calls": [None]}, {"messages": []}],
)
def test_a_page_without_its_list_is_no_page(bed: Bed, page: dict[str, Any]) -> None:
    bed.twilio.instead = [Answer(200, json.dumps(page).encode())]
    with pytest.raises(ProviderUnavailableError):
        bed.all()


@pytest.mark.parametrize("cursor", ["https://example.com/", "/2010-04-01/Accounts.json", "", "//x"])
def test_a_forged_place_is_asked_of_nobody(bed: Bed, cursor: str) -> None:
    with pytest.raises(ProviderUnavailableError):
        bed.records.page(CONNECTION, "AC1", DAY, NEXT_DAY, cursor)
    assert bed.twilio.asked == []


@pytest.mark.parametrize("account", ["", "AC1/../AC2", "AC1?x", "AC 1", "-"])
def test_what_is_no_account_sid_is_asked_of_nobody(bed: Bed, account: str) -> None:
    with pytest.raises(ProviderRefusedError):
        bed.records.page(CONNECTION, account, DAY, NEXT_DAY, None)
    assert bed.twilio.asked == []


def test_either_secret_opens_while_one_is_replaced(bed: Bed) -> None:
    bed.twilio.add_call(a_listed_call("AC1", "CA1", NOON))
    assert len(bed.all(replace(CONNECTION, secrets=("new", "token")))) == 1
    # The one that works is kept: the second list is not refused first.
    assert len(bed.twilio.asked) == 3


def test_a_sub_account_is_read_as_itself_or_with_its_parents_token(bed: Bed) -> None:
    for sid in ("AC0", "AC2"):
        bed.twilio.add_account(sid, "its own", parent="AC1")
        bed.twilio.add_call(a_listed_call(sid, f"CA{sid}", NOON))
    accounts = dict.fromkeys(("AC0", "AC1", "AC2"), ACME)
    connection = replace(CONNECTION, accounts=accounts)
    assert [one.call_id for one in bed.all(connection, "AC0")] == ["CAAC0"]
    assert [one.call_id for one in bed.all(connection, "AC2")] == ["CAAC2"]
    own = replace(CONNECTION, connection_id="own", secrets=("its own",), accounts={"AC2": ACME})
    assert [one.call_id for one in bed.all(own, "AC2")] == ["CAAC2"]


def test_a_wrong_token_is_not_tried_without_end(bed: Bed) -> None:
    accounts = {f"AC{number}": ACME for number in range(1000)}
    connection = replace(CONNECTION, secrets=("wrong", "wrong too"), accounts=accounts)
    with pytest.raises(ProviderRefusedError, match="401"):
        bed.all(connection)
    assert len(bed.twilio.asked) == MAX_CREDENTIALS


def test_a_secret_may_hold_any_text(bed: Bed) -> None:
    bed.twilio.accounts["AC1"].token = "schlüssel: 鍵"
    assert bed.all(replace(CONNECTION, secrets=("schlüssel: 鍵",))) == []


def test_without_a_secret_nobody_is_asked(bed: Bed) -> None:
    with pytest.raises(ProviderRefusedError):
        bed.all(replace(CONNECTION, secrets=()))
    assert bed.twilio.asked == []
