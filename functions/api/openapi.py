"""The OpenAPI 3.1 document, written from the table of endpoints."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.endpoint import CSV, JSON, Endpoint
from api.idempotency import MAX_KEY_LENGTH, Needs
from api.problems import CONTENT_TYPE, KINDS

VERSION = "0.1.0"
REF = "#/components/schemas/{model}"

DESCRIPTION = """\
Prepaid billing for telephony and diallers.

Money is an exact decimal string with its currency; times are RFC 3339 in UTC; durations are whole
seconds. Errors are `application/problem+json`; switch on `code`. `default` in the place of an
account means the tenant's first. Only an operator names a tenant, in a path or with the header
`Talktime-Tenant`; for everybody else it is the token's.\
"""

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457). `code` is stable; members beyond these may follow.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(KINDS)},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "For 422: where in the body or query (a JSON pointer), and why.",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string"},
                    "detail": {"type": "string"},
                    "line": {"type": "integer"},
                    "column": {"type": "string"},
                },
            },
        },
    },
}

HEADERS: dict[str, Any] = {
    "ETag": {"schema": {"type": "string"}, "description": "The settings' version."},
    "Idempotency-Replayed": {
        "schema": {"type": "string", "enum": ["true"]},
        "description": "The first answer to the same key, again.",
    },
    "Link": {"schema": {"type": "string"}, "description": "The next page, as rel=next."},
    "Location": {"schema": {"type": "string", "format": "uri"}},
    "X-Request-Id": {"schema": {"type": "string"}},
}

_KEYWORDS = {"ge": "minimum", "le": "maximum"}
"""Bounds of what is text before it is a number are left by their Python names."""

_OR_NULL = ("anyOf", "default")

# Any: OpenAPI objects, throughout.
Object = dict[str, Any]


def document(endpoints: Sequence[Endpoint], server_url: str) -> Object:
    """The document for a deployment."""
    schemas, references = _schemas(endpoints)
    paths: Object = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(
            endpoint, references
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Talktime",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server_url or "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
            "headers": HEADERS,
            "responses": {
                "Problem": {
                    "description": "A problem",
                    "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
                    "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
            },
            "schemas": {**schemas, "Problem": PROBLEM},
        },
    }


def as_text(value: Object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _schemas(endpoints: Iterable[Endpoint]) -> tuple[Object, dict[type[BaseModel], Object]]:
    """Every schema once, and a reference to each model that an endpoint names."""
    models: dict[type[BaseModel], None] = {}
    for endpoint in endpoints:
        for model in (endpoint.body, *endpoint.reads.values(), *endpoint.answers.values()):
            if model is not None:
                models[model] = None
    found, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=REF
    )
    references = {model: found[model, "validation"] for model in models}
    return dict(sorted(definitions["$defs"].items())), references


def _operation(endpoint: Endpoint, references: dict[type[BaseModel], Object]) -> Object:
    operation: Object = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
    }
    if endpoint.roles is None:
        operation["security"] = []
    else:
        operation["x-roles"] = sorted(role.value for role in endpoint.roles)
    parameters = list(_parameters(endpoint))
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        schema = references[endpoint.body]
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    elif endpoint.uploads is not None:
        content = {endpoint.uploads: {"schema": {"type": "string"}}}
        operation["requestBody"] = {"required": True, "content": content}
    elif endpoint.reads:
        content = {name: {"schema": references[model]} for name, model in endpoint.reads.items()}
        operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = {
        **{str(status): _success(endpoint, status, references) for status in endpoint.answers},
        **_problems(endpoint),
    }
    return operation


def _parameters(endpoint: Endpoint) -> Iterable[Object]:
    for name in endpoint.parameters:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if endpoint.query is not None:
        schema = endpoint.query.model_json_schema(ref_template=REF)
        definitions = schema.get("$defs", {})
        for name, found in schema["properties"].items():
            yield {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", []),
                "schema": _in_a_query(_inlined(found, definitions)),
            }
    if endpoint.is_tenants:
        yield _header("Talktime-Tenant", "The tenant; for operators alone.", is_required=False)
    if endpoint.key is not Needs.NONE:
        yield {
            **_header(
                "Idempotency-Key",
                "Repeats are answered as the first request was.",
                is_required=endpoint.key is Needs.REQUIRED,
            ),
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_KEY_LENGTH,
                "pattern": "^[ -~]+$",
            },
        }
    if endpoint.needs_match:
        yield _header("If-Match", "The ETag you have seen.", is_required=not endpoint.creates)
    if endpoint.creates:
        yield _header("If-None-Match", "`*`: only if there is none yet.", is_required=False)


def _header(name: str, description: str, *, is_required: bool) -> Object:
    return {
        "name": name,
        "in": "header",
        "required": is_required,
        "description": description,
        "schema": {"type": "string"},
    }


def _inlined(schema: Any, definitions: Object) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(item, definitions) for name, item in schema.items()}


def _in_a_query(schema: Object) -> Object:
    """A parameter's schema in the words of JSON Schema. Nothing in a query is null: what is not
    wanted is left out."""
    told = {_KEYWORDS.get(name, name): item for name, item in schema.items()}
    one_of = [one for one in told.get("anyOf", ()) if one != {"type": "null"}]
    if len(one_of) != 1:
        return told
    return {**{name: item for name, item in told.items() if name not in _OR_NULL}, **one_of[0]}


def _success(endpoint: Endpoint, status: int, references: dict[type[BaseModel], Object]) -> Object:
    model = endpoint.answers[status]
    response: Object = {"description": _DESCRIPTIONS[status]}
    headers = ["X-Request-Id"]
    if endpoint.has_etag:
        headers.append("ETag")
    if endpoint.key is not Needs.NONE:
        headers += ["Idempotency-Replayed", "Location"]
    if endpoint.query is not None and "cursor" in endpoint.query.model_fields:
        headers.append("Link")
    response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    if status == 303:
        response["headers"]["Location"] = {"$ref": "#/components/headers/Location"}
    elif status != 204:
        schema = references[model] if model is not None else {}
        response["content"] = {endpoint.media_type: {"schema": schema}}
        if endpoint.csv_rows is not None:
            response["content"][CSV] = {"schema": {"type": "string"}}
    return response


_DESCRIPTIONS = {
    200: "Done",
    201: "Created",
    202: "Taken; where there is a Location, it leads to the outcome",
    204: "Done, nothing to say",
    303: "To whoever accepts application/pdf: where the print is, for a quarter of an hour",
}


def problem_codes(endpoint: Endpoint) -> set[str]:
    """Every code an endpoint refuses with: its own, and those that follow from its checks."""
    codes = {*endpoint.problems, "internal_error", "body_too_large", "invalid_request"}
    codes |= {"invalid_input", "card_number_refused"}
    if endpoint.roles is not None:
        codes |= {"unauthorized", "forbidden", "busy"}
    if endpoint.parameters:
        codes.add("not_found")
    if endpoint.is_tenants:
        codes.add("tenant_required")
    if endpoint.body is not None or endpoint.reads:
        codes |= {"invalid_json", "unsupported_media_type"}
    if endpoint.uploads is not None:
        codes.add("unsupported_media_type")
    if endpoint.query is not None and "cursor" in endpoint.query.model_fields:
        codes.add("invalid_cursor")
    if endpoint.key is not Needs.NONE:
        codes |= {"invalid_idempotency_key", "idempotency_key_reused"}
    if endpoint.key is Needs.REQUIRED:
        codes.add("idempotency_key_required")
    if endpoint.needs_match:
        codes |= {"precondition_required", "stale_settings"}
    return codes


def _problems(endpoint: Endpoint) -> Object:
    by_status: dict[int, list[str]] = {}
    for code in sorted(problem_codes(endpoint)):
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {
        str(status): {
            "$ref": "#/components/responses/Problem",
            "description": ", ".join(f"`{code}`" for code in codes),
        }
        for status, codes in sorted(by_status.items())
    }
