"""Requests that no decent client sends, byte by byte: the gateway, the authorizer and the function.

What a library would mend or refuse to send, such as a header that comes twice, a path that is no
text, or a body in pieces, can only be seen from here.
"""

import gzip
import http.client
import json
import urllib.parse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from integration.stack.conftest import ACCOUNT, Stack

pytestmark = pytest.mark.cloud

Header = tuple[str, str | bytes]

JSON: Header = ("Content-Type", "application/json")
QUOTES = f"{ACCOUNT}/quotes"
WANTS = b'{"wants": []}'
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Raw:
    status: int
    kind: str
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def problem(self) -> Any:
        assert self.kind == PROBLEM, self
        found = json.loads(self.content)
        assert found["status"] == self.status
        return found


def send(
    stack: Stack,
    method: str,
    path: str,
    headers: Iterable[Header] = (),
    body: bytes | Sequence[bytes] = b"",
) -> Raw:
    """Exactly that; a body in pieces is sent in chunks."""
    url = urllib.parse.urlsplit(stack.url)
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    try:
        connection.putrequest(method, url.path + path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if isinstance(body, bytes):
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
        else:
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders(body, encode_chunked=True)
        answer = connection.getresponse()
        kind = answer.headers.get_content_type()
        return Raw(answer.status, kind, answer.headers, answer.read())
    finally:
        connection.close()


@pytest.fixture
def admin(stack: Stack) -> Header:
    return "Authorization", f"Bearer {stack.tokens['acme_admin']}"


@pytest.mark.parametrize("method", ["HEAD", "TRACE", "PUT", "PATCH", "DELETE", "QUERY"])
def test_a_method_that_a_path_does_not_answer_is_405_with_those_it_does(
    stack: Stack, admin: Header, method: str
) -> None:
    found = send(stack, method, ACCOUNT, [admin])
    assert found.status == 405
    assert found.headers["Allow"] == "GET, OPTIONS"
    if method == "HEAD":
        assert not found.content
    else:
        assert found.problem["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    [
        f"{ACCOUNT}/",
        "/v1//accounts/default",
        "/v1/accounts/../catalog",
        "/v1/accounts/%2e%2e",
        "/v1/accounts/a%2Fb",
        "/v1/accounts/a%00b",
        "/v1/accounts/%ff",
        "/v1/accounts/%C3%A9%F0%9F%93%9E",
        "/v1/nothing",
    ],
)
def test_a_path_that_is_none_of_ours_is_404_in_our_words(
    stack: Stack, admin: Header, path: str
) -> None:
    assert send(stack, "GET", path, [admin]).problem["code"] == "not_found"


@pytest.mark.parametrize("path", ["/", "/nothing", "/v1", "/%2e%2e/v1/accounts/default"])
def test_outside_of_what_is_routed_nothing_is_invoked(
    stack: Stack, admin: Header, path: str
) -> None:
    found = send(stack, "GET", path, [admin])
    assert (found.status, found.kind) == (404, "application/json")
    assert "X-Content-Type-Options" not in found.headers, "it has been in our function"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=%ff", "invalid_request"),
        ("limit=1&limit=2", "invalid_request"),
        ("cursor=%00", "invalid_cursor"),
        ("limit=%31%30&sort=%0d%0aSet-Cookie:x", "invalid_input"),
        (f"cursor={'x' * 8_000}", "invalid_input"),
    ],
)
def test_a_query_that_cannot_be_read_is_a_problem(
    stack: Stack, admin: Header, query: str, code: str
) -> None:
    found = send(stack, "GET", f"/v1/accounts?{query}", [admin])
    assert found.problem["code"] == code
    assert "Set-Cookie" not in found.headers


def test_only_one_whole_bearer_token_opens_anything(stack: Stack, admin: Header) -> None:
    name, value = admin
    token = str(value).removeprefix("Bearer ")
    refused: list[list[Header]] = [
        [],
        [(name, token)],
        [(name, f"Basic {token}")],
        [(name, f"Bearer {token}x")],
        [(name, f"Bearer {token[:-1]}")],
        [(name, b"Bearer \xff\xfe")],
        [admin, (name, "Bearer x")],
        [(name, "Bearer x"), admin],
        [("X-Authorization", value)],
        [("Cookie", f"Authorization={value!r}")],
    ]
    assert [send(stack, "GET", ACCOUNT, headers).status for headers in refused] == [401] * 10
    assert send(stack, "GET", f"{ACCOUNT}?access_token={token}").status == 401
    assert send(stack, "GET", ACCOUNT, [(name, f"bearer {token}")]).status == 200


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", [JSON], 400, "invalid_json"),
        (b"\xef\xbb\xbf" + WANTS, [JSON], 400, "invalid_json"),
        (WANTS.decode().encode("utf-16"), [JSON], 400, "invalid_json"),
        (b"\xff\xfe\xfd", [JSON], 400, "invalid_json"),
        (WANTS, [("Content-Type", "application/xml")], 415, "unsupported_media_type"),
        (gzip.compress(WANTS), [JSON, ("Content-Encoding", "gzip")], 415, "unsupported_media_type"),
        (b"[" * 50_000, [JSON], 413, "body_too_large"),
        (b"x" * 7_000_000, [JSON], 413, "body_too_large"),
        ([b'{"wa', b'nts": ', b"[]}"], [JSON], 422, "invalid_input"),
    ],
    ids=["none", "bom", "utf-16", "no-utf-8", "xml", "gzip", "deep", "large", "chunked"],
)
def test_a_body_that_is_not_one_json_text_in_utf_8_is_refused(
    stack: Stack,
    admin: Header,
    body: bytes | list[bytes],
    headers: list[Header],
    status: int,
    code: str,
) -> None:
    found = send(stack, "POST", QUOTES, [admin, *headers], body)
    assert (found.status, found.problem["code"]) == (status, code)


def test_what_a_header_claims_changes_neither_method_nor_host(stack: Stack, admin: Header) -> None:
    overridden = [admin, ("X-HTTP-Method-Override", "GET"), ("X-Method-Override", "GET")]
    assert send(stack, "POST", ACCOUNT, overridden).status == 405
    claimed = [admin, ("X-Forwarded-Host", "evil.example"), ("Forwarded", "host=evil.example")]
    found = send(stack, "GET", f"{ACCOUNT}/usage?limit=1", claimed)
    assert found.status == 200
    assert b"evil.example" not in found.content
    assert "evil.example" not in str(found.headers)
    assert send(stack, "GET", ACCOUNT, [admin, ("X-Note", b"\xff\xfe")]).status == 200
