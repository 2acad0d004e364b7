"""The declaration of a gateway: what it is asked, what its answers mean, how it reports. Everything of it is data.

    name = "Pigeon"                              method = "POST"
    url = "https://api.pigeon.example/v1/messages"
    secrets = ["api_key"]
    auth = { kind = "bearer", token = "{api_key}" }
    json = { to = "{recipient}", text = "{text}" }
    success = [{ statuses = [201], path = "status", values = ["queued"] }]
    id = { path = "id" }

Rules of this file: the model, and its judgement as a whole. A refusal names the place and the rule; it quotes the names
of placeholders and nothing else of what was written.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator

from otpcore.errors import ConfigurationError
from otpcore.providers.transport import is_loopback
from otpcore_http.answers import Cost, ErrorRule, Id, Meaning, Part, Pattern, Success
from otpcore_http.paths import Path
from otpcore_http.receipt_rules import HeaderName, Name, Receipts
from otpcore_http.templates import PLACEHOLDERS, placeholders_of, problems_of, texts_of

__all__ = ["BasicAuth", "BearerAuth", "Gateway", "HeaderAuth", "NoAuth", "read_gateway", "read_table"]

LARGEST_FILE: Final = 256 * 1024

_EVERYWHERE: Final = frozenset(PLACEHOLDERS) - {"receipt_url"}
_IN_PATHS: Final = _EVERYWHERE - {"text"}
_IN_HEADERS: Final = frozenset({"send_id", "sender", "ttl_s", "expires_at"})


class NoAuth(Part):
    """The gateway asks for nothing, or for fields that the request has."""

    kind: Literal["none"] = "none"


class BasicAuth(Part):
    """Name and password (RFC 7617)."""

    kind: Literal["basic"]
    username: str
    password: str


class BearerAuth(Part):
    """A token (RFC 6750)."""

    kind: Literal["bearer"]
    token: str


class HeaderAuth(Part):
    """A header of the vendor's own."""

    kind: Literal["header"]
    name: HeaderName
    value: str


class Gateway(Part):
    """One REST gateway.

    Attributes:
        name: for people.
        documentation: the vendor's page, and when it was read.
        channels: what it sends on.
        method: of the request.
        url: absolute, https (http to this machine alone), without a query. Placeholders stand in segments of the path.
        secrets: names of what the operator gives beside this declaration; each is a placeholder.
        auth: how we are known to it.
        headers, query, form, json: the request, as trees of templates; see `otpcore_http.templates`. A body is a form
            or JSON.
        success: the ways in which it says yes.
        id: where the message's id is.
        codes: where its own error code stands, the first that is there, or
        code_pattern: what finds it in an answer that is text.
        errors: what its refusals mean; the first rule that holds.
        retry_after: where the answer says how many seconds to wait, beside the header of that name.
        cost, segments: where the price and the number of messages stand.
        receipts: how it tells what became of a message.
    """

    name: str = Field(min_length=1, max_length=60)
    documentation: str = ""
    channels: frozenset[Annotated[str, Field(pattern="^[a-z_]{1,20}$")]] = frozenset({"sms"})
    method: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    url: str
    secrets: tuple[Name, ...] = ()
    auth: NoAuth | BasicAuth | BearerAuth | HeaderAuth = Field(default=NoAuth(), discriminator="kind")
    headers: dict[HeaderName, str] = Field(default_factory=dict)
    query: dict[str, str] = Field(default_factory=dict)
    form: dict[str, str] | None = None
    json_: Any = Field(default=None, alias="json")
    success: tuple[Success, ...] = Field(min_length=1)
    id: Id
    codes: tuple[Path, ...] = ()
    code_pattern: Pattern | None = None
    errors: tuple[ErrorRule, ...] = ()
    retry_after: Path | None = None
    cost: Cost | None = None
    segments: Path | None = None
    receipts: Receipts | None = None

    @property
    def meaning(self) -> Meaning:
        """The rules for its answers."""
        told = self.cost, self.segments, self.retry_after
        return Meaning(self.success, self.id, self.codes, self.code_pattern, self.errors, *told)

    @model_validator(mode="after")
    def _whole(self) -> Gateway:
        problems = [*_of_url(self), *_of_templates(self), *_of_auth(self), *_of_answers(self), *_of_receipts(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def read_gateway(table: Mapping[str, Any], name: str = "") -> Gateway:
    """A gateway out of what a TOML file holds.

    Args:
        table: the file, read.
        name: of the file or preset, for the message of a refusal.

    Raises:
        ConfigurationError: naming every place and its rule.
    """
    try:
        return Gateway.model_validate(dict(table))
    except ValidationError as error:
        told = [f"{_place(each['loc'])}{_rule(each)}" for each in error.errors(include_url=False, include_input=False)]
    where = f" {name}" if name else ""
    raise ConfigurationError(f"The gateway{where} cannot be used: {'; '.join(told)}.")


def read_table(file: File) -> dict[str, Any]:
    """What a TOML file holds.

    Raises:
        ConfigurationError: there is none, or it is too large or no TOML.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(LARGEST_FILE + 1)
        if len(text) > LARGEST_FILE:
            raise ConfigurationError(f"The gateway's file {file.name} has more than {LARGEST_FILE} bytes.")
        return tomllib.loads(text.decode())
    except OSError as error:
        refusal = ConfigurationError(f"The gateway's file {file.name} cannot be read ({type(error).__name__}).")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        line = str(error).partition("(at ")[2].rstrip(")")
        refusal = ConfigurationError(f"The gateway's file {file.name} is no TOML{f' (at {line})' if line else ''}.")
    raise refusal from None


def _place(steps: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, steps))}: " if steps else ""


def _rule(error: Any) -> str:
    text: str = error["msg"]
    return text.removeprefix("Value error, ").rstrip(".")


def _of_url(gateway: Gateway) -> Iterator[str]:
    try:
        parts = urlsplit(gateway.url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield "url cannot be read"
        return
    if parts.scheme not in ("https", "http") or not host or "@" in parts.netloc:
        yield "url is absolute, https or http, and without user information"
        return
    if parts.query or parts.fragment or "?" in gateway.url or "#" in gateway.url:
        yield "url has neither query nor fragment; give fields in `query`"
    if "{" in parts.netloc or "{" in parts.scheme:
        yield "placeholders stand in segments of the path of url"
    if parts.scheme == "http" and not is_loopback(host):
        yield "url is plain http to another machine, which would show the code to the network; use https"
    if any(step in (".", "..") for step in parts.path.split("/")) or "//" in parts.path:
        yield "a segment of url's path is empty or a dot"
    if not gateway.url.isascii() or not gateway.url.isprintable() or " " in gateway.url:
        yield "url holds what is not encoded"


def _of_templates(gateway: Gateway) -> Iterator[str]:
    secrets = frozenset(gateway.secrets)
    if secrets & PLACEHOLDERS.keys() or len(secrets) < len(gateway.secrets):
        yield "a secret has a name of its own, once"
    if gateway.form is not None and gateway.json_ is not None:
        yield "a request has one body: `form` or `json`"
    if gateway.method == "GET" and (gateway.form is not None or gateway.json_ is not None):
        yield "a GET has no body"
    trees: list[tuple[str, Any, frozenset[str]]] = [
        ("url", gateway.url.partition("://")[2].partition("/")[2], _IN_PATHS),
        ("headers", gateway.headers, _IN_HEADERS),
        ("query", gateway.query, _EVERYWHERE),
        ("form", gateway.form or {}, _EVERYWHERE),
        ("json", {} if gateway.json_ is None else gateway.json_, _EVERYWHERE),
        ("auth", gateway.auth.model_dump(exclude={"kind", "name"}), frozenset[str]()),
    ]
    if gateway.receipts is not None:
        trees.append(("receipts.request", gateway.receipts.request, _EVERYWHERE | {"receipt_url"}))
    sent: set[str] = set()
    for name, tree, known in trees:
        try:
            for place, text in texts_of(tree, name):
                yield from (f"{place}: {problem}" for problem in problems_of(text, known | secrets))
                sent |= set(placeholders_of(text))
        except ValueError as error:
            yield str(error)
    for needed, what in (("text", "the message"), ("recipient", "the number")):
        if not sent & {needed, f"{needed}_digits"}:
            yield f"no field has {{{needed}}}: {what} would not be sent"
    if gateway.id.send_id and gateway.receipts is None and "send_id" not in sent:
        yield "id is the send's, and no field has {send_id}: the vendor is not told it"
    unused = sorted(secrets - sent - {_secret_of_receipts(gateway)})
    if unused:
        yield f"no field has the secret {', '.join(unused)}"


def _secret_of_receipts(gateway: Gateway) -> str:
    return gateway.receipts.auth.secret if gateway.receipts is not None else ""


def _of_auth(gateway: Gateway) -> Iterator[str]:
    """What lets us in is a secret, and no secret stands in a declaration."""
    given = {name: value for name, value in gateway.auth.model_dump().items() if name in ("password", "token", "value")}
    for name, value in given.items():
        if not set(placeholders_of(value)) & set(gateway.secrets):
            yield f"auth.{name}: name a secret of `secrets` in braces; none is written down here"


def _of_answers(gateway: Gateway) -> Iterator[str]:
    if (gateway.codes or gateway.code_pattern) is None and any(rule.code for rule in gateway.errors):
        yield "errors have codes, and neither `codes` nor `code_pattern` says where one stands"
    seen: set[tuple[int | None, str | None]] = set()
    for number, rule in enumerate(gateway.errors):
        earlier = {(rule.status, rule.code), (None, rule.code), (rule.status, None)} & seen
        if earlier:
            yield f"errors.{number} is never reached: an earlier rule holds wherever it does"
        seen.add((rule.status, rule.code))


def _of_receipts(gateway: Gateway) -> Iterator[str]:
    if gateway.receipts is None:
        return
    if gateway.receipts.auth.secret not in gateway.secrets:
        yield "receipts.auth.secret is not among `secrets`"
    if gateway.receipts.auth.kind == "ticket" and not gateway.id.send_id:
        yield "receipts are known by a ticket, which holds the send's id: say id = { send_id = true }"
