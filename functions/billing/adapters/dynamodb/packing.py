"""What is written with every call is packed, because a write is paid for by the kilobyte.

A packed value is its canonical JSON with the random ids and hashes taken out, deflated; behind it
the bytes those stand for. The names that recur are in a preset dictionary, so that a value of a few
hundred bytes deflates as if it had been preceded by its like.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from billing.domain.canonical import Json, canonical_json
from billing.domain.usage import CallKey

# Belongs to schema 1 and never changes: what was packed with it can be read with nothing else. It
# is what entries, calls and accounts have in common, in the order of canonical JSON; what matters
# most comes last, where a reference to it is shortest.
DICTIONARY = (
    b'"cause":"","credit":"wallet","debit":"gateway:stripe","kind":"recharge"'
    b'{"amount_micros":,"balance_micros":,"cause":"usage:","credit":"revenue:usage",'
    b'"currency":"USD","debit":"wallet","hash":"","kind":"usage","posted_at":"2026-",'
    b'"previous_hash":"","sequence":,"usage":{"granted_messages":,"granted_voice_seconds":,'
    b'"messages":,"voice_seconds":}}'
    b'"answered_at":null,"direction":"inbound","status":"no_answer","to_number":"+1","unit":"messages"'
    b'{"account":{"account_id":"","tenant_id":""},"billed_quantity":,"cost_micros":,'
    b'"deck_id":"standard","deck_version":,"event":{"answered_at":"2026-","connection_id":"",'
    b'"direction":"outbound","ended_at":"2026-","from_number":"+1","quantity":,'
    b'"status":"completed","to_number":"+1","unit":"voice_seconds"},"fingerprint":"",'
    b'"granted":[["minutes:2026",]],"posted_at":"2026-","prefix":"1","sequence":,"wallet_micros":}'
    b'"recharging":{"declines":0,"default_source_id":null,"due_at":null,"open":null,"ordinal":0,'
    b'"policy":{"amount_micros":0,"maximum_micros":null,"mode":"off","target_micros":0,'
    b'"threshold_micros":0},"suspended_at":null},"time_zone":"UTC","mode":"fixed",'
    b'"totals":{"calls":0,"granted_messages":0,"granted_voice_seconds":0,"messages":0,'
    b'"voice_seconds":0,"wallet_micros":0}"is_unknown":false,"rollover_limit":0'
    b'{"billing_day":1,"created_at":"2026-","daily_spend":{"from":"2026-","spent":[]},'
    b'"grants":[{"expires_at":null,"grant_id":"","granted_at":"2026-","priority":100,'
    b'"recurring_id":null,"remaining":,"rolled_over":true,"total":,"unit":"messages"},'
    b'{"expires_at":"2026-","grant_id":"","granted_at":"2026-","priority":,"recurring_id":"",'
    b'"remaining":,"rolled_over":false,"total":,"unit":"voice_seconds"}],'
    b'"head":{"hash":"","posted_at":"2026-","sequence":},"period":{"end_at":"2026-01T00:00:00.000000Z",'
    b'"start_at":"2026-01T00:00:00.000000Z"},"plan":{"catalog_version":,"plan_id":"",'
    b'"recurring_grants":[{"priority":100,"quantity":,"recurring_id":"","rollover_limit":,'
    b'"unit":"voice_seconds"}]},"rate_deck":"","recharging":{"declines":,"default_source_id":"",'
    b'"due_at":"2026-","open":{"amount_micros":,"is_unknown":true,"ordinal":,'
    b'"source_id":"","started_at":"2026-"},"ordinal":,'
    b'"policy":{"amount_micros":,"maximum_micros":,"mode":"target","target_micros":,'
    b'"threshold_micros":},"suspended_at":"2026-"},"time_zone":"America/New_York",'
    b'"totals":{"calls":,"granted_messages":,"granted_voice_seconds":,"messages":,'
    b'"voice_seconds":,"wallet_micros":}}'
)

_UUID_LENGTH = 36
_MARKS = {_UUID_LENGTH: "\x01", 32: "\x02", 64: "\x03"}
"""What stands for a UUID and for 16 or 32 bytes in hexadecimal; JSON text holds none of them."""

_LENGTHS = {mark: length for length, mark in _MARKS.items()}

_RANDOM = re.compile(
    "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{64}|[0-9a-f]{32}", re.ASCII
)
_MARKED = re.compile("([\x01-\x03])(.)", re.DOTALL)
_FIRST_PLACE = 0x21

_HEX_TAIL = re.compile(r"(.*?)((?:[0-9a-f]{2})*)", re.DOTALL)


def pack(value: Json) -> bytes:
    packer = zlib.compressobj(9, zdict=DICTIONARY)
    places: dict[str, int] = {}

    def mark(match: re.Match[str]) -> str:
        place = places.setdefault(match[0], len(places))
        return _MARKS[len(match[0])] + chr(_FIRST_PLACE + place)

    text = _RANDOM.sub(mark, canonical_json(value))
    taken = b"".join(bytes.fromhex(random.replace("-", "")) for random in places)
    return packer.compress(text.encode()) + packer.flush() + taken


def unpack(packed: bytes) -> Any:
    unpacker = zlib.decompressobj(zdict=DICTIONARY)
    text = unpacker.decompress(packed).decode()
    taken = unpacker.unused_data
    randoms: list[str] = []

    def restore(match: re.Match[str]) -> str:
        nonlocal taken
        place = ord(match[2]) - _FIRST_PLACE
        if place == len(randoms):
            length = _LENGTHS[match[1]]
            size = 16 if length == _UUID_LENGTH else length // 2
            randoms.append(_written(taken[:size].hex(), length))
            taken = taken[size:]
        return randoms[place]

    return json.loads(_MARKED.sub(restore, text))


def _written(digits: str, length: int) -> str:
    if length != _UUID_LENGTH:
        return digits
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def pack_calls(keys: Iterable[CallKey]) -> bytes:
    """Call keys in their order: what a run of them shares is said once, hexadecimal is halved.

    A deflated head of ``[provider, provider account, prefix, tail bytes, count]`` per run; behind
    it the tails of all call ids, which are random and would not deflate.
    """
    split = [(key, *_split(key.call_id)) for key in keys]
    runs: list[Json] = []
    for shared, run in groupby(
        split, lambda s: (s[0].provider, s[0].provider_account, s[1], len(s[2]))
    ):
        runs.append([*shared, len(list(run))])
    head = zlib.compress(canonical_json(runs).encode(), 9)
    return head + b"".join(tail for _, _, tail in split)


def unpack_calls(packed: bytes) -> tuple[CallKey, ...]:
    head = zlib.decompressobj()
    runs = json.loads(head.decompress(packed))
    return tuple(_unpacked(runs, head.unused_data))


def _split(call_id: str) -> tuple[str, bytes]:
    match = _HEX_TAIL.fullmatch(call_id)
    assert match is not None, call_id
    return match[1], bytes.fromhex(match[2])


def _unpacked(runs: list[tuple[str, str, str, int, int]], tails: bytes) -> Iterator[CallKey]:
    place = 0
    for provider, provider_account, prefix, length, count in runs:
        for _ in range(count):
            tail = tails[place : place + length]
            place += length
            yield CallKey(provider, provider_account, prefix + tail.hex())
