"""Stripe's interface in front of its book: requests, idempotency keys, pages and lost answers."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from contract.stripe_book import Object, StripeBook, StripeFaultError, invalid

SECRET = "rk_test_restricted"
KEY_LIFE = timedelta(hours=24)
ATTEMPTS = 3
"""That the library makes of one call: the first, and its retries."""

MINIMUM = 50
"""Stripe's least payment, roughly, in the currencies of the tests."""

CREATE_INTENT = {
    "amount",
    "confirm",
    "currency",
    "customer",
    "metadata",
    "off_session",
    "payment_method",
    "payment_method_data",
    "payment_method_types",
}
CREATE_SETUP = {
    "customer",
    "metadata",
    "payment_method_options",
    "payment_method_types",
    "usage",
}

Answer = tuple[int, str, dict[str, str]]


class LostAnswerError(Exception):
    """The connection ended before an answer came."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request.

    Args:
        answer: What is answered instead; None: the answer is lost.
        takes_effect: Whether the request is done first.
        is_kept: Whether the idempotency key is bound to that answer, as it is to a 500.
        act: Nothing goes wrong, but this happens just before.
    """

    answer: Answer | None = None
    takes_effect: bool = False
    is_kept: bool = False
    act: Callable[[], object] | None = None


class FakeStripe:
    """One account at Stripe. Safe to call from many threads.

    Args:
        now: What its clock says at first; aware UTC.
    """

    def __init__(self, now: datetime) -> None:
        self.book = StripeBook(now)
        self.requests: list[tuple[str, str, Object]] = []
        self.faults: list[Fault] = []
        self._kept: dict[str, tuple[datetime, object, Answer]] = {}
        self._lock = threading.RLock()

    def lose_answer(self, *, after_doing: bool) -> None:
        """Lose the answers to the next call, and to the library's own retries of it."""
        self.faults += [Fault(takes_effect=after_doing)] * ATTEMPTS

    def fail(self, status: int, error: Object | None = None, *, is_kept: bool = False) -> None:
        """Answer the next call, and the library's own retries of it, with an error."""
        body = json.dumps({"error": error or {"type": "api_error", "message": "Not now."}})
        self.faults += [Fault((status, body, {}), is_kept=is_kept)] * ATTEMPTS

    def meanwhile(self, act: Callable[[], object]) -> None:
        """Something happens just before the next request arrives."""
        self.faults.append(Fault(act=act))

    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """One request and its answer.

        Raises:
            LostAnswerError: The answer is lost.
        """
        with self._lock:
            path, query = urlsplit(url).path, urlsplit(url).query
            params = _nested(body or query)
            self.requests.append((method, path, params))
            fault = self.faults.pop(0) if self.faults else Fault(act=lambda: None)
            if fault.act is not None:
                fault.act()
                return self._answered(method, path, params, headers)
            if fault.takes_effect:
                self._answered(method, path, params, headers)
            if fault.answer is None:
                raise LostAnswerError
            if fault.is_kept:
                kept = (self.book.now, [path, params], fault.answer)
                self._kept[headers["Idempotency-Key"]] = kept
            return fault.answer

    def _answered(
        self, method: str, path: str, params: Object, headers: Mapping[str, str]
    ) -> Answer:
        given = {name.lower(): value for name, value in headers.items()}
        if given.get("authorization") != f"Bearer {SECRET}":
            return _error(401, {"type": "invalid_request_error", "message": "Invalid API Key."})
        if method != "post":
            return self._done(method, path, params)[0]
        key = given["idempotency-key"]
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self.book.now - KEY_LIFE:
            if kept[1] != [path, params]:
                return _error(400, {"type": "idempotency_error", "message": "Key used before."})
            status, body, _ = kept[2]
            return status, body, {"idempotent-replayed": "true"}
        answer, is_kept = self._done(method, path, params)
        if is_kept:
            self._kept[key] = (self.book.now, [path, params], answer)
        return answer

    def _done(self, method: str, path: str, params: Object) -> tuple[Answer, bool]:
        try:
            # Written down at once: what happens later changes no answer that was given.
            return (200, json.dumps(self._route(method, path, params)), {}), True
        except StripeFaultError as fault:
            return _error(fault.status, fault.error), fault.is_kept

    def _route(self, method: str, path: str, params: Object) -> Object:
        for route_method, pattern, handler in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and route_method == method:
                return handler(self, params, *found.groups())
        raise invalid(f"Unrecognized request URL ({method}: {path}).", status=404)

    def _create_intent(self, params: Object) -> Object:
        _only(params, CREATE_INTENT)
        fields = dict(params)
        fields["amount"] = _amount(params, MINIMUM)
        _check_currency(params)
        _metadata(params)
        self._check_customer(params)
        token = params.get("payment_method")
        if token is not None:
            self._check_source(params, token)
        types = list(params.get("payment_method_types", {}).values())
        fields["payment_method_types"] = types
        if types == ["upi"] and params["currency"] != "inr":
            raise invalid("UPI only supports inr.", "currency")
        intent = self.book.add_intent(fields)
        if params.get("confirm") == "true":
            if token is None and "payment_method_data" not in params:
                raise invalid("You must provide a payment method.", "payment_method")
            self.book.confirm(intent)
        elif "off_session" in params:
            raise invalid("off_session needs confirm.", "off_session")
        return intent

    def _check_customer(self, params: Object) -> None:
        customer = params.get("customer")
        if customer is not None and customer not in self.book.customers:
            raise invalid(f"No such customer: '{customer}'", "customer", "resource_missing")

    def _check_source(self, params: Object, token: str) -> None:
        source = self.book.sources.get(token)
        if source is None:
            raise invalid(f"No such PaymentMethod: '{token}'", "payment_method", "resource_missing")
        if source["customer"] is None:
            raise invalid("The PaymentMethod was detached from a Customer.", "payment_method")
        if source["customer"] != params.get("customer"):
            raise invalid("The PaymentMethod belongs to another Customer.", "payment_method")
        if [source["type"]] != list(params.get("payment_method_types", {}).values()):
            raise invalid("The type of the PaymentMethod is not allowed.", "payment_method_types")

    def _intent(self, payment_id: str) -> Object:
        intent = self.book.intents.get(payment_id)
        if intent is None:
            raise invalid("No such payment_intent", "intent", "resource_missing", 404)
        return intent

    def _list_intents(self, params: Object) -> Object:
        _only(params, {"created", "customer", "limit", "starting_after"})
        self._check_customer(params)
        return _page(self.book.intents, params, ("customer",), "/v1/payment_intents")

    def _update_intent(self, params: Object, payment_id: str) -> Object:
        _only(params, {"metadata"})
        intent = self._intent(payment_id)
        intent["metadata"] |= _metadata(params)
        return intent

    def _cancel_intent(self, params: Object, payment_id: str) -> Object:
        _only(params, set())
        intent = self._intent(payment_id)
        self.book.cancel(intent)
        return intent

    def _create_refund(self, params: Object) -> Object:
        _only(params, {"amount", "metadata", "payment_intent"})
        amount = _amount(params, 1)
        return self.book.add_refund(params["payment_intent"], amount, _metadata(params))

    def _list_refunds(self, params: Object) -> Object:
        _only(params, {"limit", "payment_intent", "starting_after"})
        self._intent(params["payment_intent"])
        return _page(self.book.refunds, params, ("payment_intent",), "/v1/refunds")

    def _create_customer(self, params: Object) -> Object:
        _only(params, {"metadata"})
        return self.book.add_customer(_metadata(params))

    def _create_setup(self, params: Object) -> Object:
        _only(params, CREATE_SETUP)
        _metadata(params)
        self._check_customer(params)
        fields = dict(params)
        fields["payment_method_types"] = list(params["payment_method_types"].values())
        mandate = params.get("payment_method_options", {}).get("upi", {}).get("mandate_options", {})
        if "amount" in mandate:
            mandate["amount"] = int(mandate["amount"])
        return self.book.add_setup(fields)

    def _retrieve_setup(self, params: Object, setup_id: str) -> Object:
        _only(params, {"expand"})
        setup = self.book.setups.get(setup_id)
        if setup is None:
            raise invalid("No such setupintent", "intent", "resource_missing", 404)
        expanded = list(params.get("expand", {}).values())
        if "payment_method" in expanded and setup["payment_method"]:
            return setup | {"payment_method": self.book.sources[setup["payment_method"]]}
        return setup

    def _detach(self, params: Object, token: str) -> Object:
        source = self.book.sources.get(token)
        if source is None:
            raise invalid("No such PaymentMethod", "payment_method", "resource_missing", 404)
        if source["customer"] is None:
            raise invalid("The payment method you provided is not attached to a customer.")
        self.book.detach(source)
        return source


Handler = Callable[..., Object]

ROUTES: list[tuple[str, str, Handler]] = [
    ("post", "/v1/customers", FakeStripe._create_customer),
    ("get", "/v1/payment_intents", FakeStripe._list_intents),
    ("post", "/v1/payment_intents", FakeStripe._create_intent),
    ("get", "/v1/payment_intents/([a-z0-9_]+)", lambda fake, _, name: fake._intent(name)),
    ("post", "/v1/payment_intents/([a-z0-9_]+)", FakeStripe._update_intent),
    ("post", "/v1/payment_intents/([a-z0-9_]+)/cancel", FakeStripe._cancel_intent),
    ("post", "/v1/payment_methods/([a-z0-9_.]+)/detach", FakeStripe._detach),
    ("get", "/v1/refunds", FakeStripe._list_refunds),
    ("post", "/v1/refunds", FakeStripe._create_refund),
    ("post", "/v1/setup_intents", FakeStripe._create_setup),
    ("get", "/v1/setup_intents/([a-z0-9_]+)", FakeStripe._retrieve_setup),
]


def _error(status: int, error: Object) -> Answer:
    return status, json.dumps({"error": error}), {}


def _nested(form: str) -> Object:
    """``metadata[tenant]=acme&payment_method_types[0]=card`` as objects within an object."""
    result: Object = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        first, *others = re.findall(r"[^\[\]]+", name)
        into = result
        for inner in others:
            into = into.setdefault(first, {})
            first = inner
        into[first] = value
    return result


def _only(params: Object, known: set[str]) -> None:
    for name in params:
        if name not in known:
            raise invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")


def _amount(params: Object, least: int) -> int:
    text = params.get("amount", "")
    if not re.fullmatch(r"-?[0-9]+", text):
        raise invalid("Invalid integer", "amount", "parameter_invalid_integer")
    amount = int(text)
    if amount < 1:
        raise invalid("This value must be at least 1.", "amount", "parameter_invalid_integer")
    if amount < least:
        raise invalid("Amount must be at least $0.50.", "amount", "amount_too_small")
    return amount


def _check_currency(params: Object) -> None:
    currency, amount = params.get("currency", ""), int(params["amount"])
    if not re.fullmatch(r"[a-z]{3}", currency):
        raise invalid("Invalid currency", "currency")
    step = 100 if currency in ("isk", "ugx") else 10 if currency == "kwd" else 1
    if amount % step:
        code = "invalid_charge_amount_no_decimal_compatible"
        raise invalid("Invalid amount.", "amount", code)


def _metadata(params: Object) -> dict[str, str]:
    metadata: dict[str, str] = params.get("metadata", {})
    if len(metadata) > 50 or any(len(k) > 40 or len(v) > 500 for k, v in metadata.items()):
        raise invalid("Metadata is too large.", "metadata")
    return metadata


def _page(
    objects: Mapping[str, Object], params: Object, filters: tuple[str, ...], url: str
) -> Object:
    """Newest first; in one second as in the order they were made."""
    created = params.get("created", {})
    matching = [
        one
        for one in reversed(objects.values())  # type: ignore[call-overload]  # a dict's values
        if all(one[name] == params[name] for name in filters if name in params)
        and int(created.get("gte", 0)) <= one["created"] <= int(created.get("lte", 2**40))
    ]
    after = params.get("starting_after")
    if after is not None:
        ids = [one["id"] for one in matching]
        if after not in ids:
            raise invalid("No such object", "starting_after", "resource_missing")
        matching = matching[ids.index(after) + 1 :]
    limit = int(params.get("limit", 10))
    if not 1 <= limit <= 100:
        raise invalid("Invalid limit", "limit")
    data, has_more = matching[:limit], len(matching) > limit
    return {"object": "list", "url": url, "data": data, "has_more": has_more}
