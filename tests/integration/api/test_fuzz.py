"""Requests that schemathesis makes up from the description, good and bad, against all its checks.

``FUZZ_CASES`` says how many for each operation and kind; ``make fuzz`` takes many more than the
default, and other ones each time. A failure prints a request that reproduces it.
"""

import os
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok

from api.auth import Role
from api.endpoint import Endpoint
from api.idempotency import Needs
from api.openapi import document
from api.routes import ENDPOINTS
from integration.api.client import ADMIN, OPERATOR, SERVICE
from integration.api.test_isolation import Stage
from integration.api.wsgi import Wsgi

CASES = int(os.environ.get("FUZZ_CASES", "2"))
SEED = int(os.environ.get("FUZZ_SEED", "20260314"))

TOKENS = {"Bearer operator": OPERATOR, "Bearer admin": ADMIN, "Bearer service": SERVICE}
MALFORMED = frozenset(
    {
        "idempotency_key_required",
        "invalid_idempotency_key",
        "invalid_json",
        "invalid_request",
        "method_not_allowed",
        "unsupported_media_type",
    }
)
"""What is never said of a request that is as the description wants it."""


@cache
def described(kind: GenerationMode) -> tuple[Wsgi, dict[str, Any]]:
    """The API, and its operations by name. Read once: it takes a moment."""
    app = Wsgi(TOKENS)
    found = document(ENDPOINTS, "")
    if kind is GenerationMode.NEGATIVE:
        # We always send a token: to have left it out would be the one thing that is wrong at times.
        del found["security"]
    schema = schemathesis.openapi.from_dict(found)
    schema.app = app
    # What is valid alone may still be refused for what there is: MALFORMED holds it to its form.
    schema.config.checks.positive_data_acceptance.expected_statuses = ["2xx", "3xx", "4xx"]
    schema.config.checks.negative_data_rejection.expected_statuses = ["4xx"]
    operations = (one.ok() for one in schema.get_all_operations() if isinstance(one, Ok))
    return app, {one.definition.raw["operationId"]: one for one in operations}


def headers_for(endpoint: Endpoint) -> dict[str, str]:
    """Those of somebody who may call."""
    if endpoint.roles is None:
        return {}
    if Role.BILLING_ADMIN in endpoint.roles:
        return {"Authorization": "Bearer admin"}
    if Role.OPERATOR not in endpoint.roles:
        return {"Authorization": "Bearer service"}
    tenant = {"Talktime-Tenant": "acme"} if endpoint.is_tenants else {}
    return {"Authorization": "Bearer operator", **tenant}


def aimed(case: Case[Any], endpoint: Endpoint, stage: Stage) -> None:
    """Let a case find what there is: ids that are made up find nothing."""
    found = stage.path_of(endpoint).split("/")
    parts = zip(endpoint.path.split("/"), found, strict=True)
    case.path_parameters = {part[1:-1]: at for part, at in parts if part.startswith("{")}
    if "If-Match" in case.headers and isinstance(case.headers["If-Match"], str):
        at = stage.world.call("GET", "/".join(found), token=ADMIN)
        case.headers["If-Match"] = at.headers.get("etag", '"1"')


@cache
def unchanging() -> Stage:
    """A stage for those who only read."""
    return Stage()


@pytest.fixture
def stage(endpoint: Endpoint) -> Stage:
    return unchanging() if endpoint.method == "GET" else Stage()


def has_form(endpoint: Endpoint) -> bool:
    """Whether a request of it can be wrong: a path of any text is none of its forms."""
    has_body = endpoint.body is not None or bool(endpoint.reads)
    return has_body or endpoint.query is not None or endpoint.key is not Needs.NONE


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_an_operation_does_as_it_is_described(stage: Stage, endpoint: Endpoint) -> None:
    fuzz(stage, endpoint, GenerationMode.POSITIVE)


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if has_form(e)], ids=lambda e: e.name)
def test_an_operation_refuses_what_is_otherwise(stage: Stage, endpoint: Endpoint) -> None:
    fuzz(stage, endpoint, GenerationMode.NEGATIVE)


def fuzz(stage: Stage, endpoint: Endpoint, kind: GenerationMode) -> None:
    app, operations = described(kind)
    app.world = stage.world
    cases = operations[endpoint.name].as_strategy(generation_mode=kind)
    headers = headers_for(endpoint)
    never = MALFORMED
    if endpoint.key is Needs.OPTIONAL:
        # Whether a key is needed may be the body's to say, and no description of a header can.
        never -= {"idempotency_key_required"}

    @seed(SEED)
    @settings(
        # What cannot be asked for wrongly is asked for rightly as often again.
        max_examples=CASES if has_form(endpoint) else 2 * CASES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, finds=st.booleans())
    def holds(case: Case[Any], finds: bool) -> None:
        case.headers.pop("Talktime-Tenant", None)
        if finds:
            aimed(case, endpoint, stage)
        response = case.call(headers=headers)
        case.validate_response(response, headers=headers, transport_kwargs={"headers": headers})
        if kind is GenerationMode.POSITIVE and response.status_code >= 400:
            assert response.json()["code"] not in never, response.text

    holds()


def test_every_check_is_on() -> None:
    app, operations = described(GenerationMode.POSITIVE)
    assert set(operations) == {endpoint.name for endpoint in ENDPOINTS}
    stage = Stage()
    app.world = stage.world
    # A fault of ours is seen as one: what all the above relies on.
    stage.world.talktime.catalogs.current = None  # type: ignore[method-assign, assignment]
    case = operations["get_catalog"].Case()
    response = case.call(headers={"Authorization": "Bearer operator"})
    with pytest.raises(BaseException, match="Server error"):
        case.validate_response(response)
    assert not_a_server_error.__name__ in schemathesis.checks.CHECKS.get_all_names()
