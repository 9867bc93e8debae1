"""Asking a provider: patient, bounded, and never led to another host."""

import socket
from collections.abc import Iterator

import pytest

from billing.adapters.telephony import json_rest
from billing.adapters.telephony.json_rest import JsonRest
from billing.domain.errors import ProviderRefusedError, ProviderUnavailableError
from fakes.twilio_rest import Answer, TwilioRest


class Bed:
    def __init__(self, twilio: TwilioRest) -> None:
        self.twilio = twilio
        self.waits: list[float] = []
        self.rest = JsonRest(twilio.url, self.waits.append)

    def get(self, *instead: Answer) -> object:
        self.twilio.instead = list(instead)
        return self.rest.get("/2010-04-01/x", "AC1", "token")


@pytest.fixture
def bed() -> Iterator[Bed]:
    with TwilioRest().serving() as twilio:
        yield Bed(twilio)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.twilio.com",
        "http://169.254.169.254",
        "http://localhost.example.com",
        "http://127.0.0.1@example.com",
        "ftp://127.0.0.1",
        "https://",
        "https://user@api.twilio.com",
        "https://api.twilio.com/path",
        "https://api.twilio.com?query",
        "",
    ],
)
def test_only_https_is_asked_or_loopback(url: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        JsonRest(url)


@pytest.mark.parametrize(
    "url", ["https://api.twilio.com", "http://127.0.0.1:4571", "http://localhost:1"]
)
def test_https_and_loopback_are_taken(url: str) -> None:
    JsonRest(url)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_goes_away_by_itself_is_asked_again(bed: Bed, status: int) -> None:
    assert bed.get(*[Answer(status)] * 4, Answer(200, b'{"a": 1}')) == {"a": 1}
    assert len(bed.waits) == 4
    assert all(0 <= wait <= 0.5 * 2**number for number, wait in enumerate(bed.waits))


def test_patience_ends(bed: Bed) -> None:
    with pytest.raises(ProviderUnavailableError, match="429"):
        bed.get(*[Answer(429)] * 9)
    assert len(bed.twilio.asked) == 5
    assert len(bed.waits) == 4


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("3", 3.0, 3.5),
        ("86400", 20.0, 20.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0, 0.5),
        ("²", 0, 1),
    ],
)
def test_a_wait_that_is_asked_for_is_kept_within_reason(
    bed: Bed, asked: str, least: float, most: float
) -> None:
    header = {"Retry-After": asked.encode("latin-1").decode("latin-1")}
    bed.get(Answer(429, headers=header), Answer(200))
    assert least <= bed.waits[0] <= most


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 201])
def test_everything_else_is_refused_at_once(bed: Bed, status: int) -> None:
    with pytest.raises(ProviderRefusedError) as refused:
        bed.get(Answer(status, headers={"Location": "https://example.com/"}))
    assert refused.value.status == status
    assert len(bed.twilio.asked) == 1


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'"a"', b"{", b"\xff{}", b"<html>", b"[" * 100_000]
)
def test_what_is_no_json_object_is_no_answer(bed: Bed, body: bytes) -> None:
    with pytest.raises(ProviderUnavailableError):
        bed.get(Answer(200, body))


def test_a_page_without_end_is_not_read_to_its_end(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rest, "MAX_BODY_BYTES", 1000)
    with pytest.raises(ProviderUnavailableError, match="more than"):
        bed.get(Answer(200, b'{"a": "' + b"a" * 1000 + b'"}'))


def test_nobody_there_is_asked_again_and_then_given_up() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        waits: list[float] = []
        rest = JsonRest(f"http://127.0.0.1:{taken.getsockname()[1]}", waits.append)
        with pytest.raises(ProviderUnavailableError, match="5 times"):
            rest.get("/x", "AC1", "token")
    assert len(waits) == 4


def test_silence_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rest, "READ_TIMEOUT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rest = JsonRest(f"http://127.0.0.1:{silent.getsockname()[1]}", lambda _: None)
        with pytest.raises(ProviderUnavailableError):
            rest.get("/x", "AC1", "token")


def test_a_refusal_says_nothing_of_the_secret(bed: Bed) -> None:
    for answers in ([Answer(401)], [Answer(500)] * 5, [Answer(200, b"x")]):
        with pytest.raises((ProviderRefusedError, ProviderUnavailableError)) as error:
            bed.get(*answers)
        assert "token" not in str(error.value)
