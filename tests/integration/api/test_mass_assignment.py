"""Nobody assigns what is not asked for: each field of any answer, at every place of a request."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.endpoint import Endpoint
from api.routes import ENDPOINTS
from integration.api.client import CALL_EVENT
from integration.api.generated import (
    READING,
    WITH_BODY,
    Node,
    Place,
    body_of,
    places,
    places_of,
    schema_of,
    send,
    smallest,
)
from integration.api.test_isolation import Stage

REPORTED_AT_MOST = 40
"""Fewer than the wrong fields that one answer names: some are wrong already."""

OWN = {
    "wallet_micros": 10**12,
    "tenant_id": "globex",
    "tenant_override": "globex",
    "account_id": "main",
    "__proto__": {"is_default": True},
    "constructor": {"name": "Account"},
    "__class__": "Account",
    "version": 7,
}
"""What answers never say, and an attacker tries."""


def answered_fields() -> dict[str, Any]:
    """Every field of every answer, with something that it could hold."""
    found = dict(OWN)
    for endpoint in ENDPOINTS:
        for model in endpoint.answers.values():
            for place in places(schema_of(model)) if model else ():
                if isinstance(place.pointer[-1], str):
                    found[place.pointer[-1]] = smallest(place.node)
    return found


FIELDS = answered_fields()


def objects(endpoint: Endpoint) -> Iterator[tuple[Place | None, Node]]:
    """Every object of a request; None: the body itself."""
    assert endpoint.body is not None
    yield None, schema_of(endpoint.body)
    for place in places_of(endpoint):
        if place.node.get("type") == "object" and "properties" in place.node:
            yield place, place.node


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


def test_answers_have_fields_to_try() -> None:
    assert {"balance", "is_default", "created_at", "state", "payment_id"} <= set(FIELDS)
    assert len(FIELDS) > 200


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda endpoint: endpoint.name)
def test_nobody_assigns_what_is_not_asked_for(stage: Stage, endpoint: Endpoint) -> None:
    before = repr(stage.world.book.__dict__)
    sample = body_of(endpoint, stage)
    for place, node in objects(endpoint):
        assert node.get("additionalProperties") is False, place
        further = [name for name in FIELDS if name not in node["properties"]]
        for first in range(0, len(further), REPORTED_AT_MOST):
            added = {name: FIELDS[name] for name in further[first : first + REPORTED_AT_MOST]}
            inner = _at(sample, place) or smallest(node)
            body = {**sample, **added} if place is None else place.put(sample, {**inner, **added})
            found = send(stage, endpoint, body)
            assert found.status == 422, (place, found.text)
            named = [error["pointer"].rpartition("/")[2] for error in found.body["errors"]]
            assert found.code == "acceptance_required" or set(added) <= set(named), found.text
    assert repr(stage.world.book.__dict__) == before


def _at(body: Any, place: Place | None) -> dict[str, Any] | None:
    """What the sample has there."""
    for part in place.pointer if place else ():
        try:
            body = body[part]
        except (KeyError, IndexError, TypeError):
            return None
    return body if isinstance(body, dict) else None


@pytest.mark.parametrize("endpoint", READING, ids=lambda endpoint: endpoint.name)
def test_what_an_event_says_beside_its_own_means_nothing(endpoint: Endpoint) -> None:
    own = set(CALL_EVENT) | {"time", "subject", "datacontenttype"}
    beside = {name.replace("_", "").lower(): FIELDS[name] for name in FIELDS if name not in own}
    plain, laden = Stage(), Stage()
    expected = send(plain, endpoint, CALL_EVENT)
    found = send(laden, endpoint, {**beside, **CALL_EVENT})
    assert (found.status, found.text) == (expected.status, expected.text)
    assert laden.world.usage_queue.__dict__ == plain.world.usage_queue.__dict__
    within = {**CALL_EVENT, "id": "e-2", "data": {**FIELDS, **CALL_EVENT["data"]}}
    refused = send(laden, endpoint, within)
    assert '"invalid' in refused.text or refused.status == 422, refused.text
    assert laden.world.usage_queue.__dict__ == plain.world.usage_queue.__dict__
