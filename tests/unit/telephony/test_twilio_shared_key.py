"""Twilio's SharedKey signatures, with the official helper as the judge."""

import hashlib
import logging
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

import pytest
from twilio.request_validator import (  # type: ignore[import-untyped]  # has none
    RequestValidator,
    get_signature_algorithm,
)

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.callbacks import WebhookRequest
from callback_vectors import MUTATIONS, Vector, mutations

TWILIO = PROVIDERS["twilio"]
URL = "https://billing.example.com/webhooks/usage/acme"
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"
SECRET, NEXT = "shared-key-secret", "next-shared-key-secret"
SETTINGS = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
CALL = {"AccountSid": "AC1", "CallStatus": "completed", "Name": "Grüße", "Blank": ""}


def official(url: str = URL, secret: str = SECRET, algorithm: str = "HMAC_SHA256") -> str:
    return str(RequestValidator(secret).compute_signature(url, CALL, algorithm))


def request(
    signature: str,
    settings: str | None = SETTINGS,
    *,
    url: str = URL,
    body: bytes | None = None,
    kind: str = FORM,
) -> WebhookRequest:
    headers = {"Content-Type": kind, "X-Twilio-Signature": signature}
    if settings is not None:
        headers["X-Twilio-Webhooks-Signature-Settings"] = settings
    return WebhookRequest("POST", url, headers, urlencode(CALL).encode() if body is None else body)


def accepted(callback: WebhookRequest, *secrets: str) -> bool:
    return TWILIO.verify(callback, secrets or (SECRET,), NOW)


def test_what_a_shared_key_signs_is_accepted() -> None:
    assert accepted(request(official()))


def test_the_port_may_be_signed() -> None:
    assert accepted(request(official(URL.replace(".com", ".com:443"))))


def test_both_keys_count_while_one_is_replaced_and_the_removed_one_no_longer() -> None:
    assert accepted(request(official()), NEXT, SECRET)
    assert accepted(request(official(secret=NEXT)), NEXT, SECRET)
    assert not accepted(request(official()), NEXT)


def test_json_is_covered_by_its_digest() -> None:
    body = b'{"a": 1}'
    url = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = RequestValidator(SECRET).compute_signature(url, {}, "HMAC_SHA256")
    good = request(signature, url=url, body=body, kind="application/json")
    assert accepted(good)
    assert RequestValidator(SECRET).validate(url, body.decode(), signature, "HMAC_SHA256")
    assert not accepted(request(signature, url=url, body=b'{"a": 2}', kind="application/json"))


@pytest.mark.parametrize("url", [URL + "?x=1", URL.replace("acme", "globex")])
def test_an_altered_url_is_refused(url: str) -> None:
    assert not accepted(request(official(), url=url))


def test_an_altered_body_is_refused() -> None:
    assert not accepted(request(official(), body=urlencode(CALL).encode() + b"&x=1"))
    assert not accepted(request(official(), body=urlencode(CALL).encode() + b"\xff"))


@pytest.mark.parametrize("settings", [SETTINGS, None])
def test_a_pair_of_nothing_is_refused_though_nothing_of_it_is_signed(settings: str | None) -> None:
    algorithm = get_signature_algorithm(settings)
    callback = request(official(algorithm=algorithm), settings)
    assert accepted(callback)
    assert not accepted(replace(callback, body=b"=&" + callback.body))


@pytest.mark.parametrize("signed_with", ["HMAC_SHA1", "HMAC_SHA256"])
@pytest.mark.parametrize(
    "settings",
    [
        None,
        "",
        SETTINGS,
        "key=k",
        "algorithm=",
        "algorithm",
        "algorithm=HMAC_SHA1",
        " algorithm = hmac_sha256 ",
        "algorithm=HMAC_SHA256,algorithm=HMAC_SHA1",
        "algorithm=,algorithm=HMAC_SHA256",
        "Algorithm=HMAC_SHA256",
        "algorithm=HMAC_SHA512",
        "algorithm=none",
        "algorithm=é",
        pytest.param("algorithm=\ud800", id="a lone surrogate"),
        "algorithm=HMAC_SHA256;key=k",
    ],
)
def test_the_algorithm_is_the_one_the_official_helper_reads(
    settings: str | None, signed_with: str, caplog: pytest.LogCaptureFixture
) -> None:
    # The helper quotes what it was given, which a test report in UTF-8 cannot carry.
    caplog.set_level(logging.CRITICAL, "twilio.request_validator")
    signature = official(algorithm=signed_with)
    algorithm = get_signature_algorithm(settings)
    verdict = RequestValidator(SECRET).validate(URL, CALL, signature, algorithm)
    assert accepted(request(signature, settings)) == verdict


def test_random_damage_is_refused() -> None:
    body = urlencode(sorted(CALL.items())).encode()
    valid = Vector("shared key", request(official(), body=body), (SECRET,), NOW, True, True, "")
    assert valid.decided_by(TWILIO)
    parts = ["body", "url", "X-Twilio-Signature", "secret"]
    damaged = list(mutations(valid, parts, _says_the_same))
    assert len(damaged) == MUTATIONS
    assert [each for each in damaged if each.decided_by(TWILIO)] == []


def _says_the_same(one: WebhookRequest, other: WebhookRequest) -> bool:
    is_same_head = (one.url, one.headers) == (other.url, other.headers)
    return is_same_head and _meaning(one.body) == _meaning(other.body)


def _meaning(body: bytes) -> object:
    try:
        return set(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
    except ValueError:
        return None
