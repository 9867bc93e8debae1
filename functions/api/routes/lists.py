"""Lists: a page, its cursor and its link; and the same rows as CSV."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, get_args, get_origin
from urllib.parse import urlencode

from pydantic import BaseModel

from api.endpoint import CSV, PAGING, Answer, Call
from api.schemas.base import Page, PageQuery, Schema
from billing.domain.canonical import Json

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Schema)

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_FORMULA = re.compile(r"[\t\r\n]|[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""What begins one in some spreadsheet: the signs, also in full width, and blanks before them that
are cut off as it is read.

Source:
    https://owasp.org/www-community/attacks/CSV_Injection
"""


def position(call: Call) -> Json:
    """Where the page begins: what the cursor says, or None for the first page.

    Raises:
        RequestError: ``invalid_cursor``.
    """
    cursor = call.query_as(PageQuery).cursor
    return None if cursor is None else call.talktime.cursors.open(cursor, call.cursor_scope())


def limit(call: Call) -> int:
    return call.query_as(PageQuery).limit


def page(
    call: Call,
    items: Sequence[Item],
    row: Callable[[Item], Row],
    position_of: Callable[[Item], Json],
) -> Answer:
    """Answer a page.

    Args:
        items: One more than the limit, where there are more.
        position_of: Where the page after an item begins.
    """
    shown = items[: limit(call)]
    following = position_of(shown[-1]) if len(items) > len(shown) else None
    return page_of(call, [row(item) for item in shown], following)


def page_of(call: Call, rows: Sequence[Schema], following: Json) -> Answer:
    """Answer a page whose successor begins at ``following``; None: it is the last."""
    if following is None:
        cursor, headers = None, {}
    else:
        cursor = call.talktime.cursors.seal(following, call.cursor_scope())
        kept = [(name, value) for name, value in call.raw_query if name not in PAGING]
        query = urlencode([*kept, ("limit", str(limit(call))), ("cursor", cursor)])
        headers = {"Link": f'<{call.url(call.url_path)}?{query}>; rel="next"'}
    csv_rows = call.endpoint.csv_rows
    if csv_rows is not None and call.accepts_csv():
        return Answer(200, as_csv(csv_rows, rows), headers, f"{CSV}; charset=utf-8")
    return Answer(200, Page[Any](data=list(rows), next_cursor=cursor), headers)


def as_csv(model: type[Schema], rows: Sequence[Schema]) -> str:
    """Rows as CSV, nested fields by dotted names. Safe to open in a spreadsheet."""
    paths = list(_paths(model))
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow([".".join(path) for path in paths])
    for row in rows:
        values = row.model_dump(mode="json", by_alias=True)
        writer.writerow([_cell(_at(values, path)) for path in paths])
    return sheet.getvalue()


def _paths(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """Where a row's values are; the header is the same for every page, an empty one too."""
    for name, field in model.model_fields.items():
        own = field.alias or name
        kinds = (field.annotation, *get_args(field.annotation))
        nested = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        # A list has no columns of its own: it stays together, in one cell.
        is_list = any(get_origin(kind) is list for kind in kinds)
        if nested and not is_list:
            yield from ((own, *path) for path in _paths(nested[0]))
        else:
            yield (own,)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _cell(value: Any) -> str:
    """Text that a spreadsheet would run as a formula is quoted; plain numbers are not formulas."""
    is_nested = isinstance(value, list | dict)
    text = "" if value is None else json.dumps(value) if is_nested else str(value)
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
