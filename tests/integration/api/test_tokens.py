"""Every route of the description, with every set of roles and every forgery that reaches our code.

The signature, the algorithm, the key and ``nbf`` are the HTTP API's authorizer's to check: what it
refuses never gets here, and tests/infra holds that every route below /v1 has it. What it hands over
is the only thing that counts: a token itself is never read.
"""

import base64
import json
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest

from api.app import allowed_at
from api.auth import Role
from api.handler import handle
from api.openapi import document
from api.routes import ENDPOINTS
from integration.api.client import ADMIN, MEMBER, OPERATOR, Reply, Token, World, an_event, reply
from integration.api.client import seeded as seeded_world
from integration.api.test_isolation import INVALID

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "")
DESCRIBED = {
    (method.upper(), path): operation
    for path, item in document(ENDPOINTS, "")["paths"].items()
    for method, operation in item.items()
}
GUARDED = {route: found for route, found in DESCRIBED.items() if "x-roles" in found}
SETS_OF_ROLES = [roles for size in range(5) for roles in combinations(Role, size)]


@pytest.fixture(scope="module")
def world() -> World:
    return seeded_world()


def nowhere(path: str) -> str:
    """A path of the route that leads to nothing."""
    parts = ("0" * 9 if part.startswith("{") else part for part in path.split("/"))
    return "/".join(parts)


def ask(world: World, route: tuple[str, str], token: Token | None, **event: Any) -> Reply:
    """A request without a form: whoever may call is told what is wrong with that instead."""
    method, path = route
    sent = an_event(method, nowhere(path), "[", token=token)
    return reply(handle({**sent, **event}, world.app))


def is_let_in(found: Reply) -> bool:
    return found.status < 400 or found.code not in ("unauthorized", "forbidden")


def test_every_route_is_described_with_its_roles_or_needs_none() -> None:
    assert set(DESCRIBED) == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    for route, operation in DESCRIBED.items():
        assert ("x-roles" in operation) != (operation.get("security") == []), route
        assert ("x-roles" in operation) == route[1].startswith("/v1/"), route
        assert set(operation.get("x-roles", ())) <= set(Role), route


@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
def test_a_set_of_roles_is_let_in_by_what_the_description_says(
    world: World, route: tuple[str, str]
) -> None:
    described = set(GUARDED[route]["x-roles"])
    for roles in SETS_OF_ROLES:
        token = ADMIN.but(roles=f"[{' '.join(roles)}]")
        found = ask(world, route, token)
        assert is_let_in(found) == bool(described & set(roles)), (roles, found.text)
        assert found.status < 500


def as_jwt(header: Mapping[str, str], claims: Mapping[str, str], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(dict(claims)).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


FORGED = {
    "no algorithm": as_jwt({"alg": "none"}, OPERATOR.claims),
    "no algorithm, spelt otherwise": as_jwt({"alg": "nOnE"}, OPERATOR.claims),
    "the public key as a secret": as_jwt({"alg": "HS256", "kid": "1"}, OPERATOR.claims, b"mac"),
    "a key of its own": as_jwt({"alg": "RS256", "jku": "https://evil"}, OPERATOR.claims, b"sig"),
    "a key id that is a path": as_jwt({"alg": "RS256", "kid": "../../null"}, OPERATOR.claims),
    "nothing signed": as_jwt({"alg": "RS256"}, OPERATOR.claims),
    "two tokens": f"{as_jwt({'alg': 'RS256'}, OPERATOR.claims)},e30.e30.c2ln",
}

CLAIMS = dict(OPERATOR.claims)
ELSEWHERE: dict[str, dict[str, Any] | None] = {
    "no authorizer": None,
    "a REST API's": {"claims": CLAIMS},
    "a function's": {"lambda": CLAIMS},
    "an IAM role's": {"iam": {"userId": "operator", **CLAIMS}},
    "claims that are none": {"jwt": {"claims": None}},
    "claims that are a list": {"jwt": {"claims": [CLAIMS]}},
    "claims that are text": {"jwt": {"claims": json.dumps(CLAIMS)}},
    "scopes alone": {"jwt": {"scopes": ["operator"]}},
    "claims within claims": {"jwt": {"claims": {"claims": CLAIMS}}},
    "claims that are nested": {"jwt": {"claims": {n: {"": v} for n, v in CLAIMS.items()}}},
}


def with_context(route: tuple[str, str], authorizer: dict[str, Any] | None) -> dict[str, Any]:
    context = an_event(route[0], nowhere(route[1]), token=None)["requestContext"]
    return {**context, "authorizer": authorizer} if authorizer is not None else context


@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
def test_nobody_gets_in_by_a_token_that_the_authorizer_did_not_hand_over(
    world: World, route: tuple[str, str]
) -> None:
    expected = ask(world, route, None)
    assert (expected.status, expected.code) == (401, "unauthorized")
    answers = [
        ask(world, route, token, requestContext=with_context(route, None))
        for token in (Token({}, f"Bearer {jwt}") for jwt in FORGED.values())
    ]
    answers += [
        ask(world, route, OPERATOR, requestContext=with_context(route, authorizer))
        for authorizer in ELSEWHERE.values()
    ]
    answers += [ask(world, route, token) for token in INVALID.values()]
    assert {(found.status, found.text) for found in answers} == {(401, expected.text)}


@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
def test_what_the_token_itself_says_is_not_read(world: World, route: tuple[str, str]) -> None:
    for jwt in FORGED.values():
        pretends = Token(MEMBER.claims, f"Bearer {jwt}")
        assert ask(world, route, pretends).text == ask(world, route, MEMBER).text


@pytest.mark.parametrize("path", sorted({path for _, path in GUARDED}))
def test_a_method_that_is_not_described_serves_nobody(world: World, path: str) -> None:
    # Another route's path may be an id of this one's.
    for method in set(METHODS) - {*allowed_at(nowhere(path)), "OPTIONS"}:
        for token in (None, OPERATOR):
            found = ask(world, (method, path), token)
            assert (found.status, found.code) == (405, "method_not_allowed"), method


@pytest.mark.parametrize("path", sorted({path for _, path in GUARDED}))
def test_no_other_spelling_of_a_path_leads_past_the_token(world: World, path: str) -> None:
    path = nowhere(path)
    for spelt in (
        f"{path}/",
        f"/{path}",
        f"/health/..{path}",
        f"/health{path}",
        f"/docs/%2e%2e{path}",
        path.upper(),
        path.replace("/v1/", "/v1//"),
        path.replace("/v1/", "/v1/./"),
        path.replace("/v1/", "/v1;a=b/"),
        path.replace("/", "%2f"),
        path.replace("/", "\\"),
        f"{path}%00",
        f"{path}\n",
        f"{path}.json",
    ):
        for method in ("GET", "POST", "PUT", "DELETE"):
            found = reply(handle(an_event(method, spelt, "{}"), world.app))
            assert found.status in (401, 404, 405), (method, spelt)
