"""Every number that a request may hold, at its bounds and beyond: refused by name, or carried."""

from typing import Any

import pytest

from api.endpoint import Endpoint
from api.routes import ENDPOINTS
from integration.api.client import Reply, an_event
from integration.api.generated import (
    WITH_BODY,
    Place,
    body_of,
    caller_of,
    places_of,
    schema_of,
    seen_tag,
    send,
    typed,
)
from integration.api.test_isolation import SAMPLES, Stage

NO_TABLE_HOLDS = 10**39
"""DynamoDB's numbers have 38 digits."""

NO_NUMBER = (True, 1.5, 1e3, "1", "NaN", [1], {"a": 1})
HUGE = (10**18 + 1, 2**63, NO_TABLE_HOLDS, 10**400)
EXACT = ("0", "-0.000001", "999999999999.999999")
INEXACT: tuple[Any, ...] = ("0.0000001", "1e3", "NaN", "Infinity", "1" + "0" * 12, "-1" + "0" * 39)
INEXACT += (" 1", "1 ", "+1", "1_000", "\uff11", "0x1", "1,0", "", 1, 1.5, True, ["1"])

COUNTING = [endpoint for endpoint in WITH_BODY if typed(endpoint, "integer", "number")]
PAYING = [
    endpoint
    for endpoint in WITH_BODY
    if any(place.pointer[-1] == "amount" for place in typed(endpoint, "string"))
]
PAGED = [
    endpoint
    for endpoint in ENDPOINTS
    if endpoint.query and "integer" in str(schema_of(endpoint.query))
]


@pytest.fixture(scope="module")
def stage() -> Stage:
    """Nobody changes what there is by what is refused."""
    return Stage()


def names(endpoint: Endpoint) -> str:
    return endpoint.name


def other_kinds(endpoint: Endpoint, place: Place) -> set[str]:
    """What else may stand there."""
    return {p.node.get("type", "any") for p in places_of(endpoint) if p.text == place.text}


def beyond(place: Place) -> list[int]:
    node = place.node
    least = node.get("minimum", node.get("exclusiveMinimum"))
    most = node.get("maximum", node.get("exclusiveMaximum"))
    bounds = [least - 1, -(10**40)] if least is not None else []
    return bounds + ([most + 1, *HUGE] if most is not None else [])


def within(place: Place) -> list[int]:
    node = place.node
    bounds = (node.get("minimum"), node.get("maximum"), 0, -1, 1, *HUGE, -(2**63), -(10**39))
    return [bound for bound in bounds if bound is not None and bound not in beyond(place)]


def assert_refused(found: Reply, place: Place, value: object) -> None:
    assert found.status in (400, 422), (place.text, value, found.text)
    if found.status == 422:
        pointers = [error["pointer"] for error in found.body["errors"]]
        assert any(place.text in pointer or not pointer for pointer in pointers), found.text


@pytest.mark.parametrize("endpoint", COUNTING, ids=names)
def test_what_is_no_number_of_the_schema_is_refused_by_name(
    stage: Stage, endpoint: Endpoint
) -> None:
    body = body_of(endpoint, stage)
    for place in typed(endpoint, "integer", "number"):
        wrong = [] if other_kinds(endpoint, place) & {"string", "array"} else [*NO_NUMBER]
        for value in (*wrong, *beyond(place)):
            assert_refused(send(stage, endpoint, place.put(body, value)), place, value)


@pytest.mark.parametrize("endpoint", COUNTING, ids=names)
def test_a_number_at_its_bounds_is_no_fault_and_none_is_without_bounds(endpoint: Endpoint) -> None:
    stage = Stage()
    body = body_of(endpoint, stage)
    for place in typed(endpoint, "integer", "number"):
        for value in within(place):
            headers = seen_tag(stage, endpoint)
            found = send(stage, endpoint, place.put(body, value), headers=headers)
            assert found.status < 500, (place.text, value, stage.world.log.lines[-1].where)
            if abs(value) >= NO_TABLE_HOLDS:
                assert found.status >= 400, (place.text, value, found.text)


@pytest.mark.parametrize("endpoint", PAYING, ids=names)
def test_an_amount_is_exact_or_refused(endpoint: Endpoint) -> None:
    stage = Stage()
    body = body_of(endpoint, stage)
    for place in typed(endpoint, "string"):
        if place.pointer[-1] != "amount":
            continue
        for value in (*EXACT, *INEXACT):
            headers = seen_tag(stage, endpoint)
            found = send(stage, endpoint, place.put(body, value), headers=headers)
            assert found.status < 500, (place.text, value, stage.world.log.lines[-1].where)
            if value not in EXACT:
                assert_refused(found, place, value)


@pytest.mark.parametrize("endpoint", PAGED, ids=names)
def test_a_number_in_a_query_is_bounded_too(stage: Stage, endpoint: Endpoint) -> None:
    assert endpoint.query is not None
    token, headers = caller_of(endpoint)
    sample = SAMPLES[endpoint.name].query
    for name, node in schema_of(endpoint.query)["properties"].items():
        if "integer" not in str(node) or name in sample:
            continue
        for value in ("-1", "1.0", "1e2", "NaN", "٣", "0x10", "9" * 39, "9" * 4301, " 1", "true"):
            path = stage.path_of(endpoint)
            query = {**sample, name: value}
            found = stage.world.call(endpoint.method, path, token=token, headers=headers, **query)
            assert found.status in (400, 422), (name, value, found.text)


@pytest.mark.parametrize(
    "endpoint", [endpoint for endpoint in ENDPOINTS if endpoint.parameters], ids=names
)
def test_whatever_stands_in_a_path_is_no_fault(stage: Stage, endpoint: Endpoint) -> None:
    body = body_of(endpoint, stage)
    values: tuple[str, ...] = (
        "0",
        "-1",
        "1.0",
        "9" * 39,
        "9" * 4301,
        "٣",
        "²",
        "NaN",
        "%00",
        "%0d%0aa",
        "a" * 5000,
    )
    values += ("..", "%2e%2e%2f", "a%2fb", "null", "{}", "'", "+1", "😀", "%ff", "\u202e", "_" * 65)
    for name in endpoint.parameters:
        for value in values:
            found = send(stage, endpoint, body, at={name: value})
            assert found.status < 500, (name, value, stage.world.log.lines[-1].where)
            if name in COUNTED:
                assert found.status >= 400, (name, value, found.text)


COUNTED = {"v", "version", "number"}
"""Versions and invoices: nothing but their number, written in one way, names them."""


def test_a_header_is_no_fault_either(stage: Stage) -> None:
    values = ("", "\x00", "\r\nX: y", "ä", "9" * 5000, "W/", '"', '"' * 300, "*", ",", "\ud800")
    for endpoint in ENDPOINTS:
        token, named = caller_of(endpoint)
        for header in ("If-Match", "If-None-Match", "Accept", "Origin", "Content-Type"):
            for value in values:
                headers = {**named, header: value}
                event = an_event(endpoint.method, "/v1/nowhere", token=token, headers=headers)
                assert (
                    stage.world.call(
                        endpoint.method, event["rawPath"], token=token, headers=headers
                    ).status
                    < 500
                )
