"""What a body may be before anybody looks at what it says."""

import base64
import json
import re
from collections.abc import Container, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from api.problems import FieldError, RequestError, escape

JSON_BYTES = 256 * 1024
FORM_BYTES = 16 * 1024
"""A form that a person fills in."""

CSV_BYTES = 4_500_000
"""A Lambda function is handed at most 6 MB (service quota): a body in base64 is a third longer, and
the rest of the event wants room."""

MAX_DEPTH = 32

_MARK = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_CARD = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
_SPREAD_OUT = re.compile(r"\d(?:[\s._\-\u2010-\u2015]{0,3}\d){12,}")
_GROUP = re.compile(r"\d+")
_CARD_DIGITS = range(13, 20)
_GIVEN_OUT = re.compile(r"[a-z]+_[0-9a-z]{20,}")
_MACHINE_WORD = re.compile(r"[0-9A-Za-z]{32,}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_FIELDS = frozenset({"to", "from", "e164"})


def read_body(event: Mapping[str, Any], limit_bytes: int) -> bytes:
    """The raw body.

    Raises:
        RequestError: ``body_too_large``, or ``invalid_request`` where its base64 is none.
    """
    text = event.get("body") or ""
    # Cheap first: no decoding of what is too large in any encoding.
    if len(text) > limit_bytes * 4 // 3 + 4:
        raise _too_large(limit_bytes)
    try:
        body = (
            base64.b64decode(text, validate=True)
            if event.get("isBase64Encoded")
            else (text.encode("utf-8"))
        )
    except ValueError:  # No base64, or not even ASCII; or text that is no Unicode.
        raise RequestError("invalid_request", "The body cannot be decoded.") from None
    if len(body) > limit_bytes:
        raise _too_large(limit_bytes)
    return body


def require_media_type(headers: Mapping[str, str], *media_types: str) -> str:
    """Which of the types the body has; the first, if it does not say.

    Raises:
        RequestError: ``unsupported_media_type``: another type, or compressed.
    """
    given = headers.get("content-type", media_types[0]).partition(";")[0].strip().lower()
    is_plain = headers.get("content-encoding", "identity").lower() == "identity"
    if given not in media_types or not is_plain:
        raise RequestError(
            "unsupported_media_type",
            f"Send {' or '.join(media_types)}, in UTF-8 and uncompressed.",
        )
    return given


def read_json(body: bytes) -> tuple[str, Any]:
    """The text of a JSON body, and what it holds.

    Raises:
        RequestError: ``invalid_json``: not UTF-8, not JSON, nested too deeply, the same key twice,
            a lone surrogate, or a number that is none.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _invalid("it is not UTF-8") from None
    _check_depth(text)
    try:
        value = json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse)
    except ValueError:
        raise _invalid("it does not parse") from None
    for _, _, found in strings(value):
        if not found.isascii() and any("\ud800" <= c <= "\udfff" for c in found):
            # Where it is may be the name of a field, which nobody has looked at yet.
            raise _invalid("a text in it is no Unicode text")
    return text, value


def strings(
    value: Any, pointer: str = "", name: str = "", *, with_numbers: bool = False
) -> Iterator[tuple[str, str, str]]:
    """Every string in a JSON value: its pointer, the name of its field, and itself.

    Args:
        with_numbers: Numbers, too, as text.
    """
    if isinstance(value, str):
        yield pointer, name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield pointer, name, key
            yield from strings(item, f"{pointer}/{escape(key)}", key, with_numbers=with_numbers)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, f"{pointer}/{index}", name, with_numbers=with_numbers)
    elif with_numbers and isinstance(value, int | float):
        yield pointer, name, str(value)


def refuse_card_numbers(
    value: Any, exempt: Container[str] = (), *, is_near_cards: bool = False
) -> None:
    """No card number enters, whichever field it is put in.

    Args:
        exempt: See ``card_number_pointers``.
        is_near_cards: See ``card_number_pointers``.

    Raises:
        RequestError: ``card_number_refused``; it does not repeat the number.
    """
    pointers = card_number_pointers(value, exempt, is_near_cards=is_near_cards)
    if pointers:
        raise RequestError(
            "card_number_refused",
            "This looks like a card number. Send the payment gateway's token instead.",
            errors=[FieldError(pointer, "not a card number") for pointer in pointers],
        )


def refuse_card_numbers_in_path(path: Mapping[str, str], *, is_near_cards: bool) -> None:
    """The same for the parameters of a path, but for ids that were given out and phone numbers.

    Where nobody has a card at hand, only a parameter of digits alone can be meant as one.

    Raises:
        RequestError: ``card_number_refused``.
    """
    given = {name: unquote(value) for name, value in path.items()}
    suspects = {
        name: value
        for name, value in given.items()
        if not _GIVEN_OUT.fullmatch(value)
        and not _E164.fullmatch(value)
        and (is_near_cards or not any(c.isalpha() for c in value))
    }
    refuse_card_numbers(suspects, is_near_cards=is_near_cards)


def card_number_pointers(
    value: Any, exempt: Container[str] = (), *, is_near_cards: bool = False
) -> list[str]:
    """Where a JSON value holds what looks like a card number.

    Args:
        exempt: Pointers of ids that machines made: one in ten that is a long number passes Luhn's
            check by chance.
        is_near_cards: Look also into machines' words, numbers that are no text, and digits that are
            spread out, where more than a card's number is refused now and then.
    """
    if is_near_cards:
        return [
            "" if holds_spread_card_number(pointer) else pointer
            for pointer, _, text in strings(value, with_numbers=True)
            if holds_spread_card_number(text)
        ]
    return [
        # The name of a field may be the number itself.
        "" if holds_card_number(pointer) else pointer
        for pointer, name, text in strings(value)
        if holds_card_number(text)
        and not (name in _PHONE_FIELDS and _E164.fullmatch(text))
        and pointer not in exempt
    ]


def holds_card_number(text: str) -> bool:
    """Whether 13 to 19 digits in it, spaces and dashes aside, pass Luhn's check.

    Long words of letters and digits are ids and secrets of machines, where it happens by chance.
    """
    found = _CARD.finditer(_MACHINE_WORD.sub(" ", text))
    return any(_passes_luhn([int(c) for c in match.group() if c.isdigit()]) for match in found)


def holds_spread_card_number(text: str) -> bool:
    """Whether neighbouring groups of digits, 13 to 19 of them together, pass Luhn's check.

    Between the groups may be a few spaces, dashes, dots or underscores; digits of any script count,
    and whatever stands before or behind.
    """
    for run in _SPREAD_OUT.finditer(text):
        groups = _GROUP.findall(run.group())
        for first in range(len(groups)):
            digits = ""
            for group in groups[first:]:
                digits += group
                if len(digits) in _CARD_DIGITS and _passes_luhn([int(c) for c in digits]):
                    return True
                if len(digits) > _CARD_DIGITS[-1]:
                    break
    return False


def _passes_luhn(digits: list[int]) -> bool:
    doubled = (2 * digit for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0


def _check_depth(text: str) -> None:
    """Before parsing, which recurses."""
    depth, is_string = 0, False
    for match in _MARK.finditer(text):
        mark = match.group()
        if mark == '"':
            is_string = not is_string
        elif is_string or mark[0] == "\\":
            continue
        elif mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise _invalid(f"it is nested more than {MAX_DEPTH} deep")
        else:
            depth -= 1


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _invalid("an object has the same key twice")
    return value


def _refuse(constant: str) -> None:
    raise _invalid(f"{constant} is not a JSON number")


def _invalid(why: str) -> RequestError:
    return RequestError("invalid_json", f"The body cannot be read: {why}.")


def _too_large(limit_bytes: int) -> RequestError:
    return RequestError("body_too_large", f"At most {limit_bytes} bytes are read here.")
