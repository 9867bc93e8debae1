"""Serve one request: the checks every endpoint shares, in one order, and the answer's form.

The order is: token, role, tenant; then the body's size and form; then the key and the
precondition; then the schemas. Whoever may not call learns nothing about what he sent.
"""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NoReturn
from urllib.parse import parse_qsl
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from api import auth, etags, idempotency, limits
from api.endpoint import JSON, Answer, Call, Endpoint
from api.observing import RequestLine, RequestLog, tenant_hash
from api.problems import CONTENT_TYPE, FieldError, RequestError, escape, problem_of
from api.schemas.base import Query, Schema
from api.wiring import Talktime
from billing.domain.audit import origin_of
from billing.domain.errors import ConflictError, TalktimeError
from billing.domain.records import Origin

Event = Mapping[str, Any]

ALLOWED_HEADERS = (
    "Authorization, Content-Type, Accept, Idempotency-Key, If-Match, If-None-Match, Talktime-Tenant"
)
EXPOSED_HEADERS = "ETag, Idempotency-Replayed, Link, Location, Retry-After, X-Request-Id"
PREFLIGHT_SECONDS = 600

_MAX_ERRORS = 50
_ACCEPTANCE = "/acceptance/"


class Server:
    """Serves endpoints for one deployment.

    Args:
        talktime: What the endpoints work with.
        log: Gets one line per request, and nothing that a caller sent.
    """

    def __init__(self, talktime: Talktime, log: RequestLog) -> None:
        self._talktime = talktime
        self._log = log

    def serve(self, endpoint: Endpoint, event: Event, path: Mapping[str, str]) -> Answer:
        """Answer a request that was routed here; refusals are problems."""
        seen: list[Call] = []

        def answer(request_id: str) -> Answer:
            call = self._checked(endpoint, event, path, request_id)
            seen.append(call)
            try:
                answered = endpoint.serve(call)
            except ConflictError as error:
                if endpoint.needs_match and error.code == ConflictError.code:
                    raise etags.stale() from error
                raise
            assert answered.status in endpoint.answers, "an answer is declared"
            return answered

        return self._answered(event, endpoint.path, answer, seen)

    def refuse(self, event: Event, allowed: tuple[str, ...]) -> Answer:
        """Answer a request that no endpoint serves.

        Args:
            allowed: Methods this path has endpoints for.
        """

        def answer(_request_id: str) -> Answer:
            if _method(event) == "OPTIONS":
                return Answer(204, headers=self._preflight(event, allowed))
            if not allowed or _method(event) in allowed:
                # A method that is allowed got here by an id that no id can be.
                raise RequestError("not_found", "There is no such path.")
            raise RequestError(
                "method_not_allowed",
                f"This path answers {', '.join(allowed)}.",
                headers={"Allow": ", ".join((*allowed, "OPTIONS"))},
            )

        return self._answered(event, "", answer, [])

    def _checked(
        self, endpoint: Endpoint, event: Event, path: Mapping[str, str], request_id: str
    ) -> Call:
        headers = headers_of(event)
        principal = tenant_id = None
        if endpoint.roles is not None:
            rules = self._talktime.settings.token_rules
            principal = auth.authenticate(event, headers, rules)
            auth.authorize(principal, endpoint.roles)
            if endpoint.is_tenants:
                tenant_id = auth.tenant_of(principal, headers)
        content, body = _body(endpoint, event, headers)
        key = idempotency.key_of(headers, endpoint.key)
        raw_query = _query_pairs(event)
        limits.refuse_card_numbers(
            dict(raw_query), endpoint.machine_ids, is_near_cards=endpoint.is_near_cards
        )
        limits.refuse_card_numbers_in_path(path, is_near_cards=endpoint.is_near_cards)
        return Call(
            endpoint=endpoint,
            talktime=self._talktime,
            request_id=request_id,
            path=path,
            url_path=str(event.get("rawPath", "")),
            headers=headers,
            raw_query=raw_query,
            query=_validated_query(endpoint.query or Query, raw_query),
            content=content,
            body=body() if body else None,
            principal=principal,
            tenant_id=tenant_id,
            # No key that is sent can be this: the request alone is its own cause.
            key=key or f"\0{request_id}",
            precondition=etags.read(headers),
            origin=_origin(event),
        )

    def _answered(
        self,
        event: Event,
        route: str,
        answer: Callable[[str], Answer],
        seen: list[Call],
    ) -> Answer:
        started = perf_counter()
        request_id = str(event.get("requestContext", {}).get("requestId") or uuid4())
        code, where = "", ""
        try:
            answered = answer(request_id)
        except TalktimeError as error:
            answered, code = _refused(error, request_id)
            if answered.status >= 500:
                where = _where(error)
        except Exception as error:  # noqa: BLE001  # the boundary: every fault is a problem too
            answered, code = _refused(TalktimeError(type(error).__name__), request_id)
            where = _where(error)
        call = seen[0] if seen else None
        self._log.write(
            RequestLine(
                request_id=request_id,
                method=_method(event),
                route=route,
                status=answered.status,
                code=code,
                duration_ms=round((perf_counter() - started) * 1000),
                tenant=tenant_hash(call.tenant_id) if call and call.tenant_id else "",
                replayed=answered.is_replayed,
                where=where,
            )
        )
        return self._dressed(answered, event, request_id)

    def _dressed(self, answer: Answer, event: Event, request_id: str) -> Answer:
        """The headers every answer carries."""
        headers = {
            "X-Request-Id": request_id,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **self._cors(event),
            **answer.headers,
        }
        if answer.is_replayed:
            headers["Idempotency-Replayed"] = "true"
        return Answer(
            answer.status,
            answer.body,
            headers,
            answer.content_type,
            is_compressible=answer.is_compressible,
        )

    def _cors(self, event: Event) -> dict[str, str]:
        origins = self._talktime.settings.cors_origins
        if not origins:
            return {}
        origin = headers_of(event).get("origin", "")
        if not origin or not ({origin, "*"} & origins):
            return {"Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": EXPOSED_HEADERS,
            "Vary": "Origin",
        }

    def _preflight(self, event: Event, allowed: tuple[str, ...]) -> dict[str, str]:
        if "Access-Control-Allow-Origin" not in self._cors(event):
            return {}
        return {
            "Access-Control-Allow-Methods": ", ".join(allowed or ("GET",)),
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        }


def headers_of(event: Event) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}


def render(body: Schema | str | None) -> str:
    """A body as text. Fields that were not set are left out, nulls that were set are not."""
    if isinstance(body, BaseModel):
        return body.model_dump_json(by_alias=True, exclude_unset=True)
    return body or ""


def _method(event: Event) -> str:
    return str(event.get("requestContext", {}).get("http", {}).get("method", "")).upper()


def _origin(event: Event) -> Origin:
    seen = event.get("requestContext", {}).get("http", {})
    return origin_of(str(seen.get("sourceIp") or ""), str(seen.get("userAgent") or ""))


def _body(
    endpoint: Endpoint, event: Event, headers: Mapping[str, str]
) -> tuple[bytes, Callable[[], Schema] | None]:
    """The raw body, and how to validate it once everything else has been checked."""
    content = limits.read_body(event, endpoint.body_limit_bytes)
    if endpoint.uploads is not None:
        limits.require_media_type(headers, endpoint.uploads)
        return content, None
    if endpoint.reads:
        limits.require_media_type(headers, *endpoint.reads)
        return content, None
    model = endpoint.body
    if model is None:
        return content, None
    limits.require_media_type(headers, JSON)
    text, value = limits.read_json(content)
    limits.refuse_card_numbers(value, endpoint.machine_ids, is_near_cards=endpoint.is_near_cards)

    def validated() -> Schema:
        try:
            return model.model_validate_json(text)
        except ValidationError as error:
            _refuse_invalid(error)

    return content, validated


def _query_pairs(event: Event) -> tuple[tuple[str, str], ...]:
    try:
        pairs = parse_qsl(
            str(event.get("rawQueryString") or ""), keep_blank_values=True, errors="strict"
        )
    except ValueError:
        raise RequestError("invalid_request", "The query is not UTF-8.") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise RequestError("invalid_request", "The query has the same parameter twice.")
    return tuple(pairs)


def _validated_query(model: type[Query], pairs: tuple[tuple[str, str], ...]) -> Query:
    try:
        return model.model_validate(dict(pairs))
    except ValidationError as error:
        _refuse_invalid(error)


def _refuse_invalid(error: ValidationError) -> NoReturn:
    """The errors of a schema, without what was sent: it may be anything.

    Raises:
        RequestError: ``invalid_input``; ``acceptance_required`` where only that is incomplete.
    """
    errors = [
        FieldError(
            "".join(f"/{escape(str(part))}" for part in found["loc"]),
            found["msg"].removeprefix("Value error, "),
        )
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    is_acceptance = all(f"{found.pointer}/".startswith(_ACCEPTANCE) for found in errors)
    code = "acceptance_required" if is_acceptance else "invalid_input"
    detail = "; ".join(f"{found.pointer or 'body'}: {found.detail}" for found in errors[:3])
    raise RequestError(code, detail, errors=errors[:_MAX_ERRORS]) from None


def _refused(error: TalktimeError, request_id: str) -> tuple[Answer, str]:
    problem = problem_of(error, request_id)
    answer = Answer(problem.status, problem.body, problem.headers, CONTENT_TYPE)
    return answer, problem.code


def _where(error: BaseException) -> str:
    """The fault's type and place: its message could quote what a caller sent."""
    traceback, place = error.__traceback__, ""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        place = f"{code.co_filename}:{traceback.tb_lineno} {code.co_name}"
        traceback = traceback.tb_next
    return f"{type(error).__name__} at {place}"
