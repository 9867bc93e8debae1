"""Packing loses nothing, and what was once packed can be read for ever."""

import hashlib

from hypothesis import example, given
from hypothesis import strategies as st

from billing.adapters.dynamodb.packing import DICTIONARY, pack, pack_calls, unpack, unpack_calls
from billing.domain.canonical import Json
from billing.domain.usage import CallKey
from builders import a_call_key

hexadecimal = st.text(alphabet="0123456789abcdef", max_size=80)
texts = st.text(max_size=20) | hexadecimal | st.uuids().map(str)
values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
)
call_keys = st.builds(CallKey, st.sampled_from(["twilio", "sip"]), texts, texts)

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@given(values)
@example({"a": "\x01!\x02", UUID: [UUID, UUID.replace("-", ""), "f" * 64, "f" * 65]})
def test_any_json_comes_back_exactly(value: Json) -> None:
    assert unpack(pack(value)) == value


@given(st.lists(call_keys, max_size=30))
@example([CallKey("p", "a", "CA00"), CallKey("p", "a", "CA000"), CallKey("p", "a", "CA00")])
def test_any_call_keys_come_back_exactly_and_in_order(found: list[CallKey]) -> None:
    assert unpack_calls(pack_calls(found)) == tuple(found)


def test_a_call_id_of_34_characters_takes_16_bytes() -> None:
    one, two = (len(pack_calls([a_call_key(n) for n in range(count)])) for count in (24, 25))
    assert two - one == 16


def test_a_random_id_takes_its_own_bytes_once_however_often_it_is_said() -> None:
    assert len(pack([UUID] * 8)) - len(pack(["", UUID])) < 12


def test_the_dictionary_of_schema_1_never_changes() -> None:
    assert hashlib.sha256(DICTIONARY).hexdigest() == (
        "5b40a2760fa9215054543fccc8b7d0911c395b83a560ecddf503ccfd89f58908"
    )
