"""Requests made from the endpoints' own schemas, so that a new field is tried without being told.

A *place* is where in a body a value may stand. Around it stands the endpoint's sample, and what the
schema requires where the sample has nothing.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from api.endpoint import Endpoint
from api.routes import ENDPOINTS
from integration.api.client import ADMIN, OPERATOR, SERVICE, Reply, Token, a_token
from integration.api.test_isolation import SAMPLES, Stage

# Any: JSON schemas, and JSON, throughout.
Node = dict[str, Any]
Pointer = tuple[str | int, ...]

WITH_BODY = [endpoint for endpoint in ENDPOINTS if endpoint.body is not None]
READING = [endpoint for endpoint in ENDPOINTS if endpoint.reads]

_TEXTS = (
    "a",
    "2026-03-14T12:00:00Z",
    "2026-03-14",
    "1.00",
    "USD",
    "+14155550100",
    "sandbox",
    "a@example.com",
    "https://hooks.example.com/",
    "recordings",
    "abcdefghijklmnopqrst",
)


@dataclass(frozen=True)
class Place:
    """Somewhere in a body.

    Args:
        node: The schema of what stands there.
        above: The schemas of what it stands in, outermost first, one for each part of the pointer.
    """

    pointer: Pointer
    node: Node
    above: tuple[Node, ...]

    @property
    def text(self) -> str:
        return "".join(f"/{part}" for part in self.pointer)

    def put(self, body: Any, value: Any) -> Any:
        """The body with a value here; what has to be around it is made up where it is missing."""
        body = deepcopy(body)
        at = body
        for depth, part in enumerate(self.pointer[:-1]):
            made: Any = {} if isinstance(self.pointer[depth + 1], str) else []
            if isinstance(at, list):
                at.extend([made] if not at else [])
            elif not isinstance(at.get(part), type(made)):
                at[part] = made
            at = at[part]
            if isinstance(at, dict):
                at.update({k: v for k, v in smallest(self.above[depth + 1]).items() if k not in at})
        last = self.pointer[-1]
        if isinstance(at, list):
            at[:1] = [value]
        else:
            at[last] = value
        return body


def schema_of(model: type[BaseModel]) -> Node:
    """A model's JSON schema without references."""
    found: Node = model.model_json_schema()
    definitions = found.pop("$defs", {})

    def inlined(value: Any, seen: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return [inlined(item, seen) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            name = value["$ref"].rpartition("/")[2]
            return {} if name in seen else inlined(definitions[name], (*seen, name))
        return {key: inlined(item, seen) for key, item in value.items() if key != "discriminator"}

    resolved: Node = inlined(found, ())
    return resolved


def options(node: Node) -> list[Node]:
    found = node.get("anyOf") or node.get("oneOf")
    return [one for choice in found for one in options(choice)] if found else [node]


def places(node: Node, pointer: Pointer = (), above: tuple[Node, ...] = ()) -> Iterator[Place]:
    """Every place, the objects and lists themselves included."""
    for one in options(node):
        if pointer:
            yield Place(pointer, one, above)
        for name, inner in one.get("properties", {}).items():
            yield from places(inner, (*pointer, name), (*above, one))
        if "items" in one:
            yield from places(one["items"], (*pointer, 0), (*above, one))
        if isinstance(one.get("additionalProperties"), dict):
            yield from places(one["additionalProperties"], (*pointer, "a"), (*above, one))


def places_of(endpoint: Endpoint) -> tuple[Place, ...]:
    assert endpoint.body is not None
    return _places_in(endpoint.body)


@cache
def _places_in(model: type[BaseModel]) -> tuple[Place, ...]:
    found = {(place.text, str(place.node)): place for place in places(schema_of(model))}
    return tuple(found.values())


def typed(endpoint: Endpoint, *kinds: str) -> list[Place]:
    return [place for place in places_of(endpoint) if place.node.get("type") in kinds]


def smallest(node: Node) -> Any:
    """The least that a schema takes, as far as it tells."""
    one = options(node)[0]
    if "const" in one:
        return one["const"]
    if "enum" in one:
        return one["enum"][0]
    kind = one.get("type")
    if kind == "object":
        inner = one.get("properties", {})
        return {name: smallest(inner[name]) for name in one.get("required", ())}
    if kind == "array":
        return [smallest(one["items"])] * one.get("minItems", 0)
    if kind == "integer":
        return one.get("minimum", 1)
    if kind == "boolean":
        return True
    return next((text for text in _TEXTS if _takes(one, text)), "a")


def _takes(node: Node, text: str) -> bool:
    wanted = {"date-time": _TEXTS[1], "date": _TEXTS[2]}.get(node.get("format", ""), text)
    pattern = node.get("pattern")
    return (
        text == wanted
        and node.get("minLength", 0) <= len(text)
        and (pattern is None or re.search(pattern, text) is not None)
    )


def body_of(endpoint: Endpoint, stage: Stage) -> Any:
    """The sample's body, whole."""
    body = SAMPLES[endpoint.name].body
    return {**body, "member": stage.member} if endpoint.name == "post_lease" else body


def caller_of(endpoint: Endpoint, tenant: str = "acme") -> tuple[Token | None, dict[str, str]]:
    """Somebody of a tenant who may call, and the headers that he sends beside his token."""
    for token in (ADMIN, SERVICE) if endpoint.is_tenants else ():
        (role,) = token.claims["roles"].strip("[]").split()
        if endpoint.roles and role in endpoint.roles:
            return a_token(role, tenant), {}
    if endpoint.roles is None:
        return None, {}
    return OPERATOR, {"Talktime-Tenant": tenant} if endpoint.is_tenants else {}


def send(
    stage: Stage,
    endpoint: Endpoint,
    body: Any,
    *,
    whose: str = "acme",
    headers: Mapping[str, str] | None = None,
    at: Mapping[str, str] | None = None,
) -> Reply:
    """One request of somebody who may, with a key of its own.

    Args:
        at: Parameters of the path that are not the stage's.
    """
    token, named = caller_of(endpoint, whose)
    keys = {"Idempotency-Key": f"generated-{len(stage.world.log.lines)}"}
    sent = {**SAMPLES[endpoint.name].headers, **keys, **named, **(headers or {})}
    path = stage.path_of(endpoint, **(at or {}))
    query = SAMPLES[endpoint.name].query
    return stage.world.call(endpoint.method, path, body, token=token, headers=sent, **query)


def seen_tag(
    stage: Stage, endpoint: Endpoint, whose: str = "acme", at: Mapping[str, str] | None = None
) -> dict[str, str]:
    """If-Match, with what is there now."""
    if not endpoint.needs_match:
        return {}
    token, named = caller_of(endpoint, whose)
    path = stage.path_of(endpoint, **(at or {}))
    found = stage.world.call("GET", path, token=token, headers=named)
    return {"If-Match": found.headers.get("etag", '"1"')}
