"""What a REST provider and the transport say to each other: a request, an answer, and what an answer means.

Rules of this file: frozen values and pure functions. Everything is encoded, nothing concatenated: what cannot be
encoded without doubt is refused (`UnfitRequest`) before a connection is made. No value shows in a `repr` or in a
message.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, cast
from urllib.parse import quote, urlencode, urlsplit

from otpcore.ports import Failure, FailureKind, FailureScope, SendEffect

__all__ = ["KINDS", "Encoded", "Fields", "HttpRequest", "HttpResponse", "UnfitRequest", "failure", "url_of"]

Fields = Mapping[str, str] | Sequence[tuple[str, str]]
"""Names and values, in order; a sequence where a name comes more than once."""

_NONE: Mapping[str, str] = MappingProxyType({})

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
"""Headers that the transport writes."""

LONGEST_WAIT: Final = timedelta(days=1)
"""What a vendor asks for beyond it is cut to it."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A header's name (RFC 9110, 5.6.2)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

KINDS: Mapping[int | str, FailureKind] = MappingProxyType(
    {
        400: FailureKind.CONTENT_REJECTED,
        401: FailureKind.MISCONFIGURED,
        402: FailureKind.QUOTA_EXHAUSTED,
        403: FailureKind.MISCONFIGURED,
        404: FailureKind.MISCONFIGURED,
        405: FailureKind.MISCONFIGURED,
        408: FailureKind.TRANSIENT,
        409: FailureKind.CONTENT_REJECTED,
        413: FailureKind.CONTENT_REJECTED,
        415: FailureKind.MISCONFIGURED,
        422: FailureKind.CONTENT_REJECTED,
        425: FailureKind.TRANSIENT,
        429: FailureKind.RATE_LIMITED,
        451: FailureKind.DESTINATION_BLOCKED,
        504: FailureKind.TIMEOUT,
    }
)
"""What a status means where a vendor says no more (RFC 9110, 15; RFC 6585). An author's own table is
`KINDS | {400: INVALID_RECIPIENT, "21610": OPTED_OUT}`: statuses are ints, a vendor's own codes are strings."""


class UnfitRequest(ValueError):
    """A request that cannot be put on the wire as it was meant; its message names the field and never the value."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request as bytes: what the transport takes.

    Attributes:
        method: in capitals.
        secure: https.
        host: without brackets, and
        port: where to connect.
        target: path and query.
        headers: in order, the transport's own left out but `Host`.
        body: empty where there is none.
    """

    method: str
    secure: bool
    host: str
    port: int
    target: bytes = field(repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request to a vendor.

    Attributes:
        method: GET, POST, PUT, PATCH or DELETE.
        url: absolute, http or https, without credentials and fragment; made by `url_of` where a part of it varies.
        headers: beside those of the transport.
        params: the query; behind a query that the URL brings.
        json: a document for the body, or
        form: fields for the body, or
        content: the body itself, whose `Content-Type` the author gives. At most one of the three.
        auth: name and password (RFC 7617).
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: _NONE, repr=False)
    params: Fields = field(default_factory=lambda: _NONE, repr=False)
    json: object = field(default=None, repr=False)
    form: Fields | None = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)

    def encode(self, text: str = "") -> Encoded:
        """The request as bytes.

        Args:
            text: the message, which alone may hold line breaks in a parameter, a form or a JSON document.

        Raises:
            UnfitRequest: a control character where none belongs (CR, LF, NUL and the others), an unknown method, two
                bodies, a header of the transport's, a URL that is not plainly one, or what has no encoding.
        """
        if self.method not in METHODS:
            raise UnfitRequest("the method is none of GET, POST, PUT, PATCH and DELETE")
        if sum(body is not None for body in (self.json, self.form, self.content)) > 1:
            raise UnfitRequest("a request has one body: json, form or content")
        for name, value in (*_pairs(self.params), *_pairs(self.form or ()), *_leaves(self.json)):
            _refuse_control(name, "a field's name")
            _refuse_control(value.replace(text, "") if text else value, "a field")
        try:
            return self._encoded()
        except UnicodeError:
            raise UnfitRequest("a value has no encoding in UTF-8") from None

    def _encoded(self) -> Encoded:
        secure, host, port, place, target = _place(self.url)
        query = urlencode(_pairs(self.params))
        if query:
            target += f"{'&' if '?' in target else '?'}{query}"
        kind, body = self._body()
        if any(name.lower() in OURS for name in self.headers):
            raise UnfitRequest("a header of the transport's own was given")
        headers = [("Host", place), *self.headers.items()]
        if self.auth is not None:
            headers.append(("Authorization", _basic(*self.auth)))
        if kind and not any(name.lower() == "content-type" for name in self.headers):
            headers.append(("Content-Type", kind))
        return Encoded(
            self.method, secure, host, port, target.encode("ascii"), (*(_header(*each) for each in headers),), body
        )

    def _body(self) -> tuple[str, bytes]:
        if self.form is not None:
            return "application/x-www-form-urlencoded", urlencode(_pairs(self.form)).encode("ascii")
        if self.json is not None:
            try:
                document = json.dumps(self.json, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            except (TypeError, RecursionError, ValueError):
                raise UnfitRequest("the document is not JSON") from None
            return "application/json", document.encode()
        return "", self.content or b""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What a vendor answered, read whole.

    Attributes:
        status: of the answer.
        headers: by name, in lower case; of a name that comes more than once, the last.
        body: as it came, at most 64 KiB.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def document(self) -> Mapping[str, Any]:
        """The body as a JSON object.

        Raises:
            ValueError: it is none. In `parse` this needs no care: what a parser raises is an unusable answer.
        """
        found: object = json.loads(self.body)
        if not isinstance(found, dict):
            raise ValueError("the answer is no JSON object")  # noqa: TRY004  # one error for what cannot be read
        return cast("dict[str, Any]", found)

    def said(self, name: str) -> str | None:
        """The string or number under this name of the body's JSON object; None where there is none, whatever the body.

        For error codes: a refusal stays one when a proxy put its own page in place of the vendor's words.
        """
        try:
            value = self.document.get(name)
        except (ValueError, RecursionError):
            return None
        return str(value) if isinstance(value, str | int) else None

    @property
    def is_success(self) -> bool:
        """Whether the status is a 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def retry_after(self) -> timedelta | None:
        """What `Retry-After` asks for (RFC 9110, 10.2.3), at most a day; None where it does not say.

        A date is read against the answer's own `Date`, so that no clock is needed.
        """
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdecimal():
            return min(timedelta(seconds=int(text[:9])), LONGEST_WAIT)
        try:
            wait = parsedate_to_datetime(text) - parsedate_to_datetime(self.headers.get("date", ""))
        except (ValueError, TypeError, OverflowError):
            return None
        return min(max(wait, timedelta()), LONGEST_WAIT)


def url_of(origin: str, *segments: str) -> str:
    """A URL whose path is the origin's and these segments, each encoded whole: a "/" in one does not split it.

    Raises:
        UnfitRequest: a segment is empty, "." or "..", or holds a control character.
    """
    for segment in segments:
        if segment in ("", ".", ".."):
            raise UnfitRequest("a segment of a path is empty or a dot")
        _refuse_control(segment, "a segment of a path")
    try:
        return "/".join([origin.rstrip("/"), *(quote(segment, safe="") for segment in segments)])
    except UnicodeError:
        raise UnfitRequest("a segment of a path has no encoding in UTF-8") from None


def failure(
    response: HttpResponse,
    kinds: Mapping[int | str, FailureKind] = KINDS,
    *,
    code: str | None = None,
    effect: SendEffect | None = None,
    scope: FailureScope = FailureScope.ACCOUNT,
) -> Failure:
    """What an answer that is no acceptance means.

    Args:
        response: the answer.
        kinds: what statuses and the vendor's own codes mean; the code wins. Unknown: a 4xx is CONTENT_REJECTED,
            everything else INTERNAL.
        code: the vendor's own error code, where its answer has one.
        effect: where the vendor's documentation says so. Otherwise a 4xx is NOT_SENT, and so is a code of `kinds` in a
            2xx unless its kind is TIMEOUT or INTERNAL; everything else is UNKNOWN.
        scope: of whom it says something; see `Failure`.
    """
    refused = HTTPStatus.BAD_REQUEST <= response.status < HTTPStatus.INTERNAL_SERVER_ERROR
    known = kinds.get(code) if code is not None else None
    kind = known or kinds.get(response.status) or (FailureKind.CONTENT_REJECTED if refused else FailureKind.INTERNAL)
    if effect is None:
        said = response.is_success and known not in (None, FailureKind.TIMEOUT, FailureKind.INTERNAL)
        effect = SendEffect.NOT_SENT if refused or said else SendEffect.UNKNOWN
    shown = code if code is not None and re.fullmatch(r"[A-Za-z0-9_.\-]{1,64}", code) else str(response.status)
    return Failure(
        kind,
        effect,
        f"the vendor answered with status {response.status}",
        provider_code=shown,
        scope=scope,
        retry_after=response.retry_after,
        native=response,
    )


def _pairs(fields: Fields) -> list[tuple[str, str]]:
    found = cast("list[tuple[object, object]]", [*(fields.items() if isinstance(fields, Mapping) else fields)])
    pairs = [(name, value) for name, value in found if isinstance(name, str) and isinstance(value, str)]
    if len(pairs) < len(found):
        raise UnfitRequest("names and values of fields are strings")
    return pairs


def _leaves(document: object) -> Iterator[tuple[str, str]]:
    """Every string of a document, with the name that it stands under."""
    if isinstance(document, str):
        yield "", document
    elif isinstance(document, Mapping):
        for name, value in cast("Mapping[object, object]", document).items():
            yield str(name), ""
            yield from _leaves(value)
    elif isinstance(document, list | tuple):
        for value in cast("Sequence[object]", document):
            yield from _leaves(value)


def _refuse_control(value: str, place: str) -> None:
    if _CONTROL.search(value):
        raise UnfitRequest(f"{place} holds a control character")


def _place(url: str) -> tuple[bool, str, int, str, str]:
    """Whether it is https, host, port, the `Host` header, and path with query."""
    if not url.isascii() or not url.isprintable() or any(each in url for each in ' "<>\\^`{|}#'):
        raise UnfitRequest("the URL holds what is not encoded; see url_of and params")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UnfitRequest("the URL cannot be read") from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise UnfitRequest("the URL is http or https, absolute and without credentials")
    secure = parts.scheme == "https"
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    return secure, host, port or (443 if secure else 80), parts.netloc, target


def _basic(name: str, password: str) -> str:
    if ":" in name:
        raise UnfitRequest("a name for basic authentication holds no colon")
    _refuse_control(name + password, "a credential")
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    if not _TOKEN.fullmatch(name):
        raise UnfitRequest("a header has a name that it cannot have")
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise UnfitRequest("a header's value is printable ASCII without space at its ends")
    return name.encode(), value.encode()
