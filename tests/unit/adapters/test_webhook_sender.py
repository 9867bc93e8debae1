"""Webhooks go to the address that was checked, under the name that was asked for, or nowhere."""

import json
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing.adapters.telephony import standard_webhooks
from billing.adapters.webhook_sender import PinnedSender
from billing.domain.callbacks import WebhookRequest
from billing.domain.webhook_deliveries import Failure, Outcome
from billing.domain.webhook_endpoints import check_url
from unit.adapters.hook_server import OK, HookServer, a_certificate, answering, serving
from unit.adapters.ssrf_corpus import LEADING_INSIDE, PRIVATE_ADDRESSES, PUBLIC_ADDRESSES

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOST = "hooks.example.com"
OLD, NEW = "whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8
BODY = b'{"type":"balance.low"}'
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "outgoing.json").read_text())


def anything(_address: str) -> bool:
    """Tests listen on loopback, which a deployment never calls."""
    return True


def resolving(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda _host, _port: list(addresses)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_certificate(tmp_path_factory.mktemp("tls"), HOST)


def a_sender(certificate: Path | None = None, total_seconds: float = 15.0) -> PinnedSender:
    return PinnedSender(
        anything,
        resolving("127.0.0.1"),
        lambda: ssl.create_default_context(cafile=certificate),
        total_seconds,
    )


def send(sender: PinnedSender, url: str) -> Outcome:
    return sender.send(url, "evt_1", BODY, (NEW, OLD), NOON)


def plain(server: HookServer, host: str = HOST, path: str = "/") -> str:
    return f"http://{host}:{server.port}{path}"


def secure(server: HookServer, host: str = HOST) -> str:
    return f"https://{host}:{server.port}/talktime?x=1"


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
def test_a_name_that_leads_inside_is_not_connected_to(address: str) -> None:
    found = send(PinnedSender(resolve=resolving(address)), f"https://{HOST}/")
    assert found == Outcome(failure=Failure.ADDRESS_REFUSED)


@pytest.mark.parametrize(("host", "address"), LEADING_INSIDE)
def test_a_name_that_may_be_saved_is_checked_where_it_leads(host: str, address: str) -> None:
    url = f"https://{host}/"
    check_url(url, "url")
    found = send(PinnedSender(resolve=resolving(address)), url)
    assert found == Outcome(failure=Failure.ADDRESS_REFUSED)


def test_a_name_that_leads_elsewhere_the_next_time_is_checked_again() -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "10.0.0.1"]]
    with serving() as server:
        sender = PinnedSender(
            lambda address: address == "127.0.0.1", lambda _host, _port: answers.pop(0)
        )
        assert send(sender, plain(server)) == Outcome(204)
        for _ in range(2):
            assert send(sender, plain(server)) == Outcome(failure=Failure.ADDRESS_REFUSED)
    assert server.connections == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1"])
def test_one_bad_address_among_good_ones_refuses_them_all(address: str) -> None:
    mixed = resolving(PUBLIC_ADDRESSES[0], address)
    found = send(PinnedSender(resolve=mixed), f"https://{HOST}/")
    assert found == Outcome(failure=Failure.ADDRESS_REFUSED)


def test_this_very_machine_is_refused_although_it_would_answer() -> None:
    with serving() as server:
        found = send(PinnedSender(resolve=resolving("127.0.0.1")), plain(server))
        assert found == Outcome(failure=Failure.ADDRESS_REFUSED)
    assert server.connections == 0


def test_a_name_is_resolved_once_so_that_it_cannot_lead_elsewhere_by_then() -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    with serving() as server:
        sender = PinnedSender(anything, lambda _host, _port: answers.pop(0))
        assert send(sender, plain(server)) == Outcome(204)
    assert answers == [["169.254.169.254"]]


def test_tls_is_for_the_name_and_the_connection_to_the_address(certificate: Path) -> None:
    with serving(certificate=certificate) as server:
        assert send(a_sender(certificate), secure(server)) == Outcome(204)
    assert server.names == [HOST]
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /talktime?x=1 HTTP/1.1\r\n")
    assert f"host: {HOST}:{server.port}".encode() in head.lower()
    assert body == BODY


def test_a_certificate_of_another_name_is_not_trusted(certificate: Path) -> None:
    with serving(certificate=certificate) as server:
        found = send(a_sender(certificate), secure(server, "other.example.com"))
        assert found == Outcome(failure=Failure.TLS_FAILED)
    assert server.requests == []


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(certificate: Path) -> None:
    with serving(certificate=certificate) as server:
        found = send(a_sender(), secure(server))
        assert found == Outcome(failure=Failure.TLS_FAILED)
    assert server.requests == []


def test_plain_http_does_not_pass_for_tls(certificate: Path) -> None:
    with serving() as server:
        found = send(a_sender(certificate, total_seconds=0.3), secure(server))
    assert found.status is None
    assert found.failure is not None
    assert server.requests == []


@pytest.mark.parametrize("status", [200, 204, 301, 302, 303, 307, 308, 400, 410, 429, 500])
def test_an_answer_is_its_status_and_nothing_is_followed(status: int) -> None:
    answer = f"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with serving(answering(answer)) as server:
        assert send(a_sender(), plain(server)) == Outcome(status)
    assert server.connections == 1


def test_a_body_without_end_is_not_read() -> None:
    answer = "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n" + "x" * 100_000
    with serving(answering(answer)) as server:
        started = time.monotonic()
        assert send(a_sender(), plain(server)) == Outcome(200)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("text", ["", "nonsense\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "\x00" * 100])
def test_what_is_no_http_is_no_answer(text: str) -> None:
    with serving(answering(text)) as server:
        assert send(a_sender(), plain(server)) == Outcome(failure=Failure.NO_ANSWER)


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(200):
        time.sleep(0.05)
        connection.sendall(b"x")


def test_who_answers_one_byte_at_a_time_is_not_waited_for() -> None:
    with serving(drip) as server:
        started = time.monotonic()
        found = send(a_sender(total_seconds=0.3), plain(server))
        assert found == Outcome(failure=Failure.TIMED_OUT)
    assert time.monotonic() - started < 5


def test_who_is_slow_to_begin_tls_is_not_waited_for_either(certificate: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        port = silent.getsockname()[1]
        found = send(a_sender(certificate, total_seconds=0.3), f"https://{HOST}:{port}/")
    assert found.status is None
    assert time.monotonic() - started < 2


def test_the_next_address_is_tried_where_nobody_listens() -> None:
    with serving() as server:
        sender = PinnedSender(anything, resolving("127.0.0.2", "127.0.0.1"))
        assert send(sender, plain(server)) == Outcome(204)


def test_nobody_there_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    found = send(a_sender(), f"http://{HOST}:{port}/")
    assert found == Outcome(failure=Failure.NOT_CONNECTED)


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label")])
def test_a_name_without_an_address_is_not_resolved(error: Exception) -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise error

    found = send(PinnedSender(resolve=resolve), f"https://{HOST}/")
    assert found == Outcome(failure=Failure.NOT_RESOLVED)
    empty = send(PinnedSender(resolve=resolving()), f"https://{HOST}/")
    assert empty == Outcome(failure=Failure.NOT_RESOLVED)


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_a_webhook_is_signed_with_either_secret(secret: str) -> None:
    with serving(OK) as server:
        send(a_sender(), plain(server))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    headers = {name.lower(): value for name, value in lines}
    request = WebhookRequest("POST", plain(server), headers, body)
    assert headers["webhook-id"] == "evt_1"
    assert headers["content-type"] == "application/cloudevents+json"
    assert standard_webhooks.is_signed(request, [secret], NOON)
    assert not standard_webhooks.is_signed(request, ["whsec_" + "b3RoZXI="], NOON)


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_signatures_are_those_of_the_official_library(vector: dict[str, str]) -> None:
    at = datetime.fromisoformat(vector["at"])
    made = standard_webhooks.sign(
        vector["webhook_id"], at, vector["body"].encode(), [vector["secret"]]
    )
    assert made["webhook-signature"] == vector["signature"]
    assert made["webhook-timestamp"] == vector["timestamp"]
