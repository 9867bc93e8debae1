"""Made-up requests against the running stack: what gateway, authorizer and function make of them.

By default what only reads an account; ``TALKTIME_HTTP_CASES`` says how many of everything, on a
stack that no other test looks at afterwards. A failure prints a request that reproduces it.
"""

import json
import os
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from api.auth import Role
from api.endpoint import Endpoint
from api.openapi import document
from api.routes import ENDPOINTS
from integration.api.test_fuzz import MALFORMED, has_form
from integration.stack.conftest import Stack
from local import demo

pytestmark = pytest.mark.cloud

CASES = int(os.environ.get("TALKTIME_HTTP_CASES", "0"))
SEED = int(os.environ.get("FUZZ_SEED", "20260314"))

EXISTING = {"acct": "main", "conn": demo.CONNECTION, "deck": demo.DECK, "tenant": "acme"}
"""What there is on the stack, by the name of a path's parameter."""

USUAL = [one for one in ENDPOINTS if one.method == "GET" and "{acct}" in one.path]
WHAT_IS_CALLED = ENDPOINTS if CASES else USUAL
WHAT_HAS_A_FORM = [endpoint for endpoint in WHAT_IS_CALLED if has_form(endpoint)]


@cache
def described(url: str, kind: GenerationMode) -> dict[str, Any]:
    """The operations by name. Read once: it takes a moment."""
    found = document(ENDPOINTS, url)
    if kind is GenerationMode.NEGATIVE:
        # We always send a token: to have left it out would be the one thing that is wrong at times.
        del found["security"]
    schema = schemathesis.openapi.from_dict(found)
    schema.config.update(base_url=url)
    # What is valid alone may still be refused for what there is: MALFORMED holds it to its form.
    schema.config.checks.positive_data_acceptance.expected_statuses = ["2xx", "3xx", "4xx"]
    schema.config.checks.negative_data_rejection.expected_statuses = ["4xx"]
    operations = (one.ok() for one in schema.get_all_operations() if isinstance(one, Ok))
    return {one.definition.raw["operationId"]: one for one in operations}


def headers_for(stack: Stack, endpoint: Endpoint) -> dict[str, str]:
    """Those of somebody who may call, with a token of the stack's own identity provider."""
    if endpoint.roles is None:
        return {}
    if Role.BILLING_ADMIN in endpoint.roles:
        return {"Authorization": f"Bearer {stack.tokens['acme_admin']}"}
    if Role.OPERATOR not in endpoint.roles:
        return {"Authorization": f"Bearer {stack.tokens['acme_service']}"}
    tenant = {"Talktime-Tenant": "acme"} if endpoint.is_tenants else {}
    return {"Authorization": f"Bearer {stack.tokens['operator']}", **tenant}


def is_gateways_own(url: str, status: int, content: bytes) -> bool:
    """A path with a line feed matches no route of the gateway's: no function has seen it."""
    return "%0A" in url and status == 404 and json.loads(content) == {"message": "Not Found"}


def fuzz(stack: Stack, endpoint: Endpoint, kind: GenerationMode, cases: int) -> None:
    operation = described(stack.url, kind)[endpoint.name]
    headers = headers_for(stack, endpoint)

    @seed(SEED)
    @settings(
        max_examples=cases,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=kind), finds=st.booleans())
    def holds(case: Case[Any], finds: bool) -> None:
        case.headers.pop("Talktime-Tenant", None)
        if finds:
            there = {name: EXISTING[name] for name in case.path_parameters if name in EXISTING}
            case.path_parameters.update(there)
        response = case.call(headers=headers)
        if is_gateways_own(str(response.request.url), response.status_code, response.content):
            return
        case.validate_response(response, headers=headers, transport_kwargs={"headers": headers})
        if kind is GenerationMode.POSITIVE and response.status_code >= 400:
            assert response.json()["code"] not in MALFORMED, response.text

    holds()


@pytest.mark.parametrize("endpoint", WHAT_IS_CALLED, ids=lambda e: e.name)
def test_an_operation_does_over_http_as_it_is_described(stack: Stack, endpoint: Endpoint) -> None:
    fuzz(stack, endpoint, GenerationMode.POSITIVE, CASES or 1)


@pytest.mark.parametrize("endpoint", WHAT_HAS_A_FORM, ids=lambda e: e.name)
def test_an_operation_refuses_over_http_what_is_otherwise(stack: Stack, endpoint: Endpoint) -> None:
    fuzz(stack, endpoint, GenerationMode.NEGATIVE, CASES or 1)
