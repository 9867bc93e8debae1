"""Bodies that are no bodies, on every route that reads one: refused quickly, before all else."""

import base64
import json
import time
from typing import Any

import pytest

from api.endpoint import JSON, Endpoint
from api.handler import handle
from api.limits import MAX_DEPTH
from api.routes import ENDPOINTS
from integration.api.client import Reply, an_event, reply
from integration.api.generated import body_of, caller_of
from integration.api.test_isolation import SAMPLES, Stage

READERS = [e for e in ENDPOINTS if e.body is not None or e.uploads is not None or e.reads]
OF_JSON = [endpoint for endpoint in READERS if endpoint.uploads is None]

AT_ONCE_SECONDS = 1.0


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


def sent(stage: Stage, endpoint: Endpoint, content: bytes | str, **headers: str) -> Reply:
    token, named = caller_of(endpoint)
    media_type = next(iter(endpoint.reads), endpoint.uploads or JSON)
    keys = {"Content-Type": media_type, "Idempotency-Key": "bodies", "If-Match": '"1"'}
    event = an_event(
        endpoint.method,
        stage.path_of(endpoint),
        "-",
        token=token,
        headers={**keys, **named, **headers},
        query=SAMPLES[endpoint.name].query,
    )
    is_text = isinstance(content, str)
    body = content if isinstance(content, str) else base64.b64encode(content).decode()
    started = time.process_time()
    found = reply(handle({**event, "body": body, "isBase64Encoded": not is_text}, stage.world.app))
    assert time.process_time() - started < AT_ONCE_SECONDS
    return found


def deep(opening: str, closing: str, depth: int) -> str:
    return opening * depth + "1" + closing * depth


NO_JSON = {
    "nothing": b"",
    "blank": b" \n",
    "not UTF-8": b'{"name": "\xff"}',
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"name": "a"}',
    "a surrogate": b'{"name": "\\ud800"}',
    "a surrogate in UTF-8": b'{"name": "\xed\xa0\x80"}',
    "not a number": b'{"name": NaN}',
    "infinity": b'{"name": -Infinity}',
    "a number without end": b'{"name": ' + b"9" * 5000 + b"}",
    "the same key twice": b'{"name": 1, "name": 2}',
    "the same key twice, escaped": b'{"name": 1, "n\\u0061me": 2}',
    "the same key twice, within": b'{"a": [{"name": 1, "name": 1}]}',
    "too deep in lists": deep("[", "]", MAX_DEPTH + 1).encode(),
    "too deep in objects": deep('{"a":', "}", MAX_DEPTH + 1).encode(),
    "far too deep": deep("[", "]", 8_000).encode(),
    "never closed": b"[" * 16_000,
    "two values": b"{} {}",
    "a comment": b"{/* */}",
    "single quotes": b"{'name': 'a'}",
    "a comma too many": b'{"name": 1,}',
    "a raw control character": b'{"name": "\x00"}',
    "a form": b"name=a",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "a compressed bomb": base64.b64decode("H4sIAAAAAAAA/+3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAA=="),
}


@pytest.mark.parametrize("endpoint", OF_JSON, ids=lambda endpoint: endpoint.name)
def test_what_is_no_json_is_refused(stage: Stage, endpoint: Endpoint) -> None:
    before = repr(stage.world.book.__dict__)
    for name, content in NO_JSON.items():
        found = sent(stage, endpoint, content)
        assert (found.status, found.code) == (400, "invalid_json"), (name, found.text)
    for other in ("null", "[]", '"text"', "1", "true", "[[]]", "1e999", "-0", '{"": {}}'):
        found = sent(stage, endpoint, other)
        is_refused = found.status in (400, 422)
        is_empty_batch = bool(endpoint.reads) and found.status < 300
        assert is_refused or is_empty_batch, (other, found.text)
    assert repr(stage.world.book.__dict__) == before


@pytest.mark.parametrize("endpoint", READERS, ids=lambda endpoint: endpoint.name)
def test_what_is_too_large_is_refused_in_either_form(stage: Stage, endpoint: Endpoint) -> None:
    limit = endpoint.body_limit_bytes
    for content in (b" " * (limit + 1), "[" * (limit + 1), b"\xff" * (limit * 2)):
        found = sent(stage, endpoint, content)
        assert (found.status, found.code) == (413, "body_too_large")
    assert limit * 4 // 3 < 6 * 2**20, "a function is handed at most 6 MB"


@pytest.mark.parametrize("endpoint", READERS, ids=lambda endpoint: endpoint.name)
def test_another_form_is_refused(stage: Stage, endpoint: Endpoint) -> None:
    body: Any = body_of(endpoint, stage)
    content = body if isinstance(body, str) else json.dumps(body)
    for other in (
        {"Content-Type": "text/html"},
        {"Content-Type": "multipart/form-data; boundary=a"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/xml"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
        {"Content-Encoding": "identity, gzip"},
    ):
        found = sent(stage, endpoint, content, **other)
        assert (found.status, found.code) == (415, "unsupported_media_type"), other


@pytest.mark.parametrize("endpoint", READERS, ids=lambda endpoint: endpoint.name)
def test_base64_that_is_none_is_refused(stage: Stage, endpoint: Endpoint) -> None:
    token, headers = caller_of(endpoint)
    event = an_event(endpoint.method, stage.path_of(endpoint), "%", token=token, headers=headers)
    for text in ("%%%", "A", "====", "ä", "\ud800"):
        found = reply(handle({**event, "body": text, "isBase64Encoded": True}, stage.world.app))
        assert (found.status, found.code) == (400, "invalid_request"), (text, found.text)
