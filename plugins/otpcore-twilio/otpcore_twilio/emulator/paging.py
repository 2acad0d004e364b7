"""Lists, page by page, as the SDK walks through them: it follows `meta.next_page_url` until there is none.

A page token names the record next to the page: PA… the pages after it, PB… those before. So a page starts where the
last one ended, whatever came or went in between. A `Page` without a token counts pages from the start.

Rule of this file: any list; nothing of a single resource.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from urllib.parse import urlencode

from otpcore_twilio.emulator.request import Answer, integer, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otpcore_twilio.emulator.request import Call
    from otpcore_twilio.emulator.wire import Body

__all__ = ["page_of"]

_PAGING: Final = frozenset({"PageSize", "Page", "PageToken"})
_PAGE_SIZES: Final = range(1, 1001)
_PAGES: Final = range(1_000_000)
_TOKEN: Final = re.compile(r"P([AB])(\d{1,18})", re.ASCII)


class _Listed(Protocol):
    @property
    def serial(self) -> int: ...


_Record = TypeVar("_Record", bound=_Listed)


def page_of(
    call: Call, key: str, records: Sequence[_Record], body: Callable[[_Record], Body], *, newest_first: bool = False
) -> Answer:
    """One page.

    Args:
        call: its query says which page; every other parameter of it stays in the URLs of the other pages.
        key: the name of the list in the answer.
        records: all of them, in the order of the list.
        body: of one record.
        newest_first: their serials fall; else they rise.
    """
    size = integer("PageSize", call.query.get("PageSize", "50"), _PAGE_SIZES)
    number = integer("Page", call.query.get("Page", "0"), _PAGES)
    token = call.query.get("PageToken")
    start = number * size if token is None else _start(records, token, size, newest_first=newest_first)
    shown = records[start : start + size]

    def url(page: int, token: str | None = None) -> str:
        rest = {name: value for name, value in call.query.items() if name not in _PAGING}
        place = {"PageSize": size, "Page": page} | ({} if token is None else {"PageToken": token})
        return f"{call.origin}{call.path}?{urlencode(rest | place)}"

    before = shown and start > 0
    after = shown and start + size < len(records)
    meta = {
        "page": number,
        "page_size": size,
        "first_page_url": url(0),
        "previous_page_url": url(max(number - 1, 0), f"PB{shown[0].serial}") if before else None,
        "url": url(number, token),
        "next_page_url": url(number + 1, f"PA{shown[-1].serial}") if after else None,
        "key": key,
    }
    return Answer(200, {"meta": meta, key: [body(record) for record in shown]})


def _start(records: Sequence[_Record], token: str, size: int, *, newest_first: bool) -> int:
    """Where the page of a token begins."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise invalid("PageToken", token)
    serial = int(match[2])
    behind = sum(1 for one in records if (one.serial > serial if newest_first else one.serial < serial))
    if match[1] == "B":
        return max(behind - size, 0)
    return behind + any(one.serial == serial for one in records)
