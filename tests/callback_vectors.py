"""Vectors made with the providers' own SDKs (``scripts/vectors``), and ways to damage them."""

import base64
import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from billing.domain.callbacks import WebhookRequest
from billing.ports import TelephonyProvider

VECTORS = Path(__file__).parent / "vectors"

MUTATIONS = int(os.environ.get("TALKTIME_MUTATIONS", "1500"))
"""Of each provider's valid requests, in one run of the tests."""


@dataclass(frozen=True)
class Vector:
    """One request with the SDK's verdict and ours; ``differs`` says why they are not the same."""

    name: str
    request: WebhookRequest
    secrets: tuple[str, ...]
    received_at: datetime
    official: bool
    accepted: bool
    differs: str

    def decided_by(self, provider: TelephonyProvider) -> bool:
        return provider.verify(self.request, self.secrets, self.received_at)


def vectors(provider: str) -> list[Vector]:
    document = json.loads((VECTORS / f"{provider}.json").read_text(encoding="ascii"))
    return [
        Vector(
            name=each["name"],
            request=WebhookRequest(
                each["method"],
                each["url"],
                each["headers"],
                base64.b64decode(each["body_base64"]),
            ),
            secrets=tuple(each["secrets"]),
            received_at=datetime.fromisoformat(each["received_at"]),
            official=each["official"],
            accepted=each["accepted"],
            differs=each["differs"],
        )
        for each in document["vectors"]
    ]


def named(provider: str, name: str) -> Vector:
    (found,) = (each for each in vectors(provider) if each.name == name)
    return found


def mutations(
    valid: Vector, parts: list[str], is_same: Callable[[WebhookRequest, WebhookRequest], bool]
) -> Iterator[Vector]:
    """Random damage to what the signature covers, always the same in every run.

    Args:
        parts: What to damage: ``url``, ``body``, ``secret``, or the name of a header.
        is_same: Whether a damaged request still says the same, such as a form in another order.
    """
    rng = random.Random(f"{valid.name} 20261122")
    made = 0
    while made < MUTATIONS:
        part = rng.choice(parts)
        mutated = _mutated(rng, valid, part)
        if mutated.secrets == valid.secrets and is_same(valid.request, mutated.request):
            continue
        made += 1
        yield mutated


def _mutated(rng: random.Random, valid: Vector, part: str) -> Vector:
    request = valid.request
    if part == "body":
        return replace(valid, request=replace(request, body=_damaged(rng, request.body)))
    if part == "url":
        url = _damaged(rng, request.url.encode()).decode(errors="surrogateescape")
        return replace(valid, request=replace(request, url=url))
    if part == "secret":
        secret = _damaged(rng, valid.secrets[0].encode()).decode(errors="replace")
        return replace(valid, secrets=(secret,))
    value = _damaged(rng, request.headers[part].encode()).decode(errors="surrogateescape")
    headers = {**request.headers, part: value}
    return replace(valid, request=replace(request, headers=headers))


def _damaged(rng: random.Random, given: bytes) -> bytes:
    """One to four changes: a bit, a byte, a cut, some more bytes, or a piece said twice."""
    changed = bytearray(given)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(changed)) if changed else 0
        end = start + rng.randint(1, 8)
        match rng.randrange(5) if changed else 3:
            case 0:
                changed[start] ^= 1 << rng.randrange(8)
            case 1:
                changed[start] = rng.randrange(256)
            case 2:
                del changed[start:end]
            case 3:
                changed[start:start] = rng.randbytes(end - start)
            case _:
                changed[start:start] = changed[start:end]
    return bytes(changed)
