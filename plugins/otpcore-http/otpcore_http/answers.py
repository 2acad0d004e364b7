"""What a gateway's answer means, as rules that are data, and the judgement by them.

Rules of this file: pure. No answer is a success that a rule does not say is one; an answer that promised an id and has
none is not the vendor's. What no rule knows is left to `otpcore.providers.http.failure`, which goes by the status.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from otpcore.ports import Accepted, Failure, FailureKind, FailureScope, Money, SendEffect
from otpcore.providers.http import KINDS, HttpResponse, failure
from otpcore_http.paths import Path, text_at, text_of

__all__ = ["Cost", "ErrorRule", "Id", "Meaning", "Part", "Pattern", "Success", "Word", "meaning_of"]

MOST_SEGMENTS: Final = 255
LONGEST_RETRY: Final = timedelta(days=1)
LONGEST_READ: Final = 2000
"""Characters of an answer's text that a pattern is tried on."""

_HANDLE = re.compile(r"[\x21-\x7e]{1,100}")
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class Part(BaseModel):
    """A table of a gateway's file: what is misspelt is refused, and nothing of it is shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _word(given: object) -> object:
    """A number or truth value of the file as the text that it is compared as."""
    return given if isinstance(given, str) else text_of(given)


def _one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error:
        raise ValueError("it is no regular expression") from None
    if groups != 1 or len(pattern) > 200:  # noqa: PLR2004  # a longer one is no pattern of an answer's first line
        raise ValueError("a pattern has one group, which is what is looked for, and at most 200 characters")
    return pattern


Word = Annotated[str, BeforeValidator(_word), Field(min_length=1, max_length=200)]
Pattern = Annotated[str, AfterValidator(_one_group)]
Status = Annotated[int, Field(ge=200, le=599)]


class Success(Part):
    """One way in which the vendor says yes.

    Attributes:
        statuses: of the answer; one of them.
        path: where in the JSON of the answer the vendor's own word stands, or
        pattern: what finds it in an answer that is text, from its beginning.
        values: the words that are a yes.
    """

    statuses: frozenset[Status] = Field(min_length=1)
    path: Path | None = None
    pattern: Pattern | None = None
    values: tuple[Word, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Success:
        if (self.path is None and self.pattern is None) is bool(self.values):
            raise ValueError("give `values`, and `path` or `pattern` where they stand; or neither")
        if self.path is not None and self.pattern is not None:
            raise ValueError("give `path` or `pattern`")
        return self


class Id(Part):
    """Where the message's id stands, which receipts name.

    Attributes:
        path: in the JSON of the answer, or
        pattern: in its text, from its beginning, or
        send_id: ours is the id; the vendor was told it.
    """

    path: Path | None = None
    pattern: Pattern | None = None
    send_id: bool = False

    @model_validator(mode="after")
    def _one(self) -> Id:
        if [self.path is not None, self.pattern is not None, self.send_id].count(True) != 1:
            raise ValueError("give one of `path`, `pattern` and `send_id = true`")
        return self


class ErrorRule(Part):
    """What a refusal means.

    Attributes:
        status: of the answer, and
        code: the vendor's own; at least one of the two.
        kind, scope, effect: see `otpcore.ports.Failure`. Where no effect is given, the kinds timeout and internal are
            unknown, a 4xx and a code of a 2xx are not sent, and everything else is unknown.
    """

    status: Status | None = None
    code: Word | None = None
    kind: FailureKind
    scope: FailureScope = FailureScope.ACCOUNT
    effect: SendEffect | None = None

    @model_validator(mode="after")
    def _about_something(self) -> ErrorRule:
        if self.status is None and self.code is None:
            raise ValueError("give `status` or `code`, or both")
        return self


class Cost(Part):
    """Where the price stands.

    Attributes:
        path: in the JSON of the answer.
        currency: ISO 4217; None: the text there holds it too, as "KES 0.8000".
        divisor: the number there is so many times the price.
    """

    path: Path
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    divisor: int = Field(default=1, ge=1, le=1_000_000)


@dataclass(frozen=True, slots=True)
class Meaning:
    """The rules of one gateway; the attributes are those of `Gateway`."""

    success: Sequence[Success]
    id: Id
    codes: Sequence[str] = ()
    code_pattern: str | None = None
    errors: Sequence[ErrorRule] = ()
    cost: Cost | None = None
    segments: str | None = None
    retry_after: str | None = None


def meaning_of(response: HttpResponse, send_id: str, rules: Meaning) -> Accepted | Failure:
    """What an answer means.

    Args:
        response: the answer.
        send_id: of the send that it answers.
        rules: the gateway's.
    """
    document, text = _read(response)
    if any(_says_yes(each, response.status, document, text) for each in rules.success):
        return _accepted(response, send_id, rules, document, text)
    code = next((found for path in rules.codes if (found := text_at(document, path)) is not None), None)
    if code is None and rules.code_pattern is not None:
        code = _matched(rules.code_pattern, text)
    failed = _failed(response, code, rules.errors)
    seconds = text_at(document, rules.retry_after) if rules.retry_after else None
    if seconds is not None and seconds.isdecimal():
        return replace(failed, retry_after=min(timedelta(seconds=int(seconds[:9])), LONGEST_RETRY))
    return failed


def _read(response: HttpResponse) -> tuple[Any, str]:
    """The JSON of an answer, None where it is none, and its text."""
    text = response.body.decode(errors="replace")[:LONGEST_READ]
    try:
        return json.loads(response.body), text
    except (ValueError, RecursionError):
        return None, text


def _says_yes(rule: Success, status: int, document: Any, text: str) -> bool:
    if status not in rule.statuses:
        return False
    if rule.path is not None:
        return text_at(document, rule.path) in rule.values
    return rule.pattern is None or _matched(rule.pattern, text) in rule.values


def _accepted(response: HttpResponse, send_id: str, rules: Meaning, document: Any, text: str) -> Accepted | Failure:
    if rules.id.send_id:
        handle: str | None = send_id
    else:
        handle = _matched(rules.id.pattern, text) if rules.id.pattern else text_at(document, rules.id.path or "")
    if handle is None or not _HANDLE.fullmatch(handle):
        return Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN, "the answer is a yes without its id", native=response)
    count = text_at(document, rules.segments) if rules.segments else None
    segments = int(count) if count is not None and re.fullmatch(r"[1-9][0-9]{0,2}", count) else None
    if segments is not None and segments > MOST_SEGMENTS:
        segments = None
    return Accepted(handle, response, _price(document, rules.cost), segments)


def _price(document: Any, rule: Cost | None) -> Money | None:
    """What the vendor takes; None where it says nothing that can be read."""
    written = text_at(document, rule.path) if rule is not None else None
    if rule is None or written is None:
        return None
    currency, amount = rule.currency, written
    if currency is None:
        currency, _, amount = written.partition(" ")
    if not re.fullmatch(r"[A-Z]{3}", currency) or not _AMOUNT.fullmatch(amount):
        return None
    try:
        return Money(Decimal(amount) / rule.divisor, currency)
    except InvalidOperation:
        return None


def _failed(response: HttpResponse, code: str | None, errors: Sequence[ErrorRule]) -> Failure:
    """By the first rule that holds, else by the status."""
    for rule in errors:
        if rule.status not in (None, response.status) or rule.code not in (None, code):
            continue
        kinds = {response.status if rule.code is None else rule.code: rule.kind}
        # Whoever says that nobody knows has not said that nothing was sent, whatever the status.
        doubted = SendEffect.UNKNOWN if rule.kind in (FailureKind.TIMEOUT, FailureKind.INTERNAL) else None
        return failure(response, kinds, code=code, effect=rule.effect or doubted, scope=rule.scope)
    return failure(response, KINDS, code=code)


def _matched(pattern: str, text: str) -> str | None:
    found = re.match(pattern, text)
    return None if found is None else found[1]
