"""`start`, `resend`, `check`, `status`, `cancel`, `forget`, `unlock`: the engine's verbs as commands.

Rules of this file: one call of the engine for each command; what it answers is said by `telling` and becomes an exit
code in `exits`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otpcore.cli.asking import TokenFile, ask_code, ask_token, token_into
from otpcore.cli.exits import AnyResult, Exit, exit_of
from otpcore.cli.shell import AsJson, Shell, complain, shell_of
from otpcore.cli.telling import for_people, for_programs
from otpcore.errors import UnknownPurpose, UsageError
from otpcore.results import ByRecipient, Refused, Sent

if TYPE_CHECKING:
    from otpcore.engine import Engine

__all__ = ["Number", "Region", "cancel", "check", "forget", "resend", "start", "status", "unlock"]


def _capitals(region: str | None) -> str | None:
    return None if region is None else region.upper()


Number = Annotated[
    str,
    typer.Argument(help="E.164 (+…), or national together with --region; or an e-mail address.", show_default=False),
]
Purpose = Annotated[str, typer.Option(help="What is being confirmed, one of OTPCORE_PURPOSES.")]
Region = Annotated[
    str | None, typer.Option(help="Of a national number, two letters (CM).", metavar="XX", callback=_capitals)
]
Recipient = Annotated[
    str | None,
    typer.Option(help="Address the session by its number or e-mail address, where it has no token.", metavar="NUMBER"),
]
Source = Annotated[str | None, typer.Option(help="The end user's address or device; kept as a pseudonym.")]


def start(
    context: typer.Context,
    number: Number,
    purpose: Purpose = "login",
    channel: Annotated[str, typer.Option(help="One that the provider serves; email for an address.")] = "sms",
    region: Region = None,
    locale: Annotated[str | None, typer.Option(help="BCP 47, for the provider.")] = None,
    source: Source = None,
    token_file: Annotated[
        Path | None, typer.Option(help="Write the token there (new, mode 0600) and do not show it.", metavar="FILE")
    ] = None,
    *,
    by_recipient: Annotated[bool, typer.Option("--by-recipient", help="Make no token.")] = False,
    as_json: AsJson = False,
) -> int:
    """Send a first code. Prints the token that opens the session: it is a secret."""
    shell = shell_of(context)
    with token_into(token_file) if token_file is not None else nullcontext() as keep:
        result = _ask(
            shell,
            lambda engine: engine.start(
                number,
                purpose=purpose,
                channel=channel,
                region=region,
                locale=locale,
                source=source,
                by_recipient=by_recipient,
            ),
        )
        if keep is not None and isinstance(result, Sent) and result.session.token is not None:
            try:
                keep(result.session.token)
            except UsageError as error:  # a full disk; the code is sent, and without its token it is worth nothing
                complain(f"{error} The token is in the answer instead.")
                _tell(shell, result, as_json=as_json)
                return Exit.TROUBLE
    return _tell(shell, result, as_json=as_json, token=token_file is None)


def resend(
    context: typer.Context,
    number: Number,
    token_file: TokenFile = None,
    purpose: Purpose = "login",
    channel: Annotated[str | None, typer.Option(help="Another one than the last.")] = None,
    region: Region = None,
    source: Source = None,
    *,
    by_recipient: Annotated[bool, typer.Option("--by-recipient", help="The session has no token.")] = False,
    as_json: AsJson = False,
) -> int:
    """Send a code once more. The number or address is needed again: it is not kept."""
    shell = shell_of(context)
    session = ByRecipient(number, purpose, region) if by_recipient else ask_token(token_file)
    result = _ask(shell, lambda engine: engine.resend(session, number, channel=channel, region=region, source=source))
    return _tell(shell, result, as_json=as_json, token=False)


def check(
    context: typer.Context,
    token_file: TokenFile = None,
    recipient: Recipient = None,
    purpose: Purpose = "login",
    region: Region = None,
    number: Annotated[
        str | None,
        typer.Option(help="With a token: the number or address, where the answer asks for it.", metavar="NUMBER"),
    ] = None,
    source: Source = None,
    *,
    as_json: AsJson = False,
) -> int:
    """Try a code. It is asked for, or a line of standard input; never an argument.

    From a pipe come the token (unless it is given otherwise) and then the code, a line each.
    """
    shell = shell_of(context)
    session = _session(token_file, recipient, purpose, region)
    code = ask_code()
    result = _ask(shell, lambda engine: engine.check(session, code, recipient=number, region=region, source=source))
    return _tell(shell, result, as_json=as_json)


def status(
    context: typer.Context,
    token_file: TokenFile = None,
    recipient: Recipient = None,
    purpose: Purpose = "login",
    region: Region = None,
    *,
    as_json: AsJson = False,
) -> int:
    """Say how a session stands."""
    shell, session = shell_of(context), _session(token_file, recipient, purpose, region)
    return _tell(shell, _ask(shell, lambda engine: engine.status(session)), as_json=as_json)


def cancel(
    context: typer.Context,
    token_file: TokenFile = None,
    recipient: Recipient = None,
    purpose: Purpose = "login",
    region: Region = None,
    *,
    as_json: AsJson = False,
) -> int:
    """End a live session. Nothing that was sent is given back."""
    shell, session = shell_of(context), _session(token_file, recipient, purpose, region)
    return _tell(shell, _ask(shell, lambda engine: engine.cancel(session)), as_json=as_json, asked_to_end=True)


def forget(context: typer.Context, number: Number, region: Region = None, *, as_json: AsJson = False) -> int:
    """Erase the sessions of a number or address. The pseudonymous limits stay until their windows end."""
    shell = shell_of(context)
    return _tell(shell, _ask(shell, lambda engine: engine.forget(number, region=region)), as_json=as_json)


def unlock(context: typer.Context, number: Number, region: Region = None, *, as_json: AsJson = False) -> int:
    """Lift a lock that failed checks have set. Audited; ladder and daily cap stay."""
    shell = shell_of(context)
    return _tell(shell, _ask(shell, lambda engine: engine.unlock(number, region=region)), as_json=as_json)


def _session(token_file: Path | None, recipient: str | None, purpose: str, region: str | None) -> str | ByRecipient:
    if recipient is None:
        return ask_token(token_file)
    if token_file is not None:
        raise UsageError("A session has a token or is addressed by --recipient; give one of them.")
    return ByRecipient(recipient, purpose, region)


def _ask(shell: Shell, call: Callable[[Engine], AnyResult]) -> AnyResult:
    from otpcore.engine.opening import open_engine  # noqa: PLC0415  # settings cost a quarter of a second

    with open_engine(env_file=shell.env_file) as engine:
        try:
            return call(engine)
        except UnknownPurpose as error:
            raise UnknownPurpose(f"{error} Name one with --purpose, or add it to OTPCORE_PURPOSES.") from None


def _tell(shell: Shell, result: AnyResult, *, as_json: bool, token: bool = True, asked_to_end: bool = False) -> Exit:
    if isinstance(result, Refused):
        result = replace(result, detail=result.detail.replace("give its region", "give its region with --region"))
    if as_json:
        shell.give(for_programs(result, token=token))
    else:
        shell.say(*for_people(result, now=shell.now, token=token))
    return exit_of(result, asked_to_end=asked_to_end)
