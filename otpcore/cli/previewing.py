"""`message preview`: what a person would read, and what it costs as SMS.

Rules of this file: presentation; the text is made by `otpcore.messages`, from the settings, around a code that nobody
was sent.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from otpcore.cli.exits import Exit
from otpcore.cli.shell import AsJson, shell_of
from otpcore.contract import MessageText
from otpcore.errors import UsageError
from otpcore.messages import Encoding, Size, Template, Templates, render, size_of

__all__ = ["preview"]

SAMPLE: Final = "1234567890"
"""Cut to the length of the settings' codes."""

UNITS: Final = {Encoding.GSM_7: "septets", Encoding.UCS_2: "units of UTF-16"}


def preview(
    context: typer.Context,
    locale: Annotated[str | None, typer.Option(help="BCP 47, as a call would give it.")] = None,
    channel: Annotated[str, typer.Option(help="As a call would give it.")] = "sms",
    purpose: Annotated[str, typer.Option(help="As a call would give it; else any.")] = "",
    template: Annotated[str | None, typer.Option(help="Name of one template; else the one that a call finds.")] = None,
    *,
    as_json: AsJson = False,
) -> int:
    """Show the message around a code. With its encoding and segments; nothing is sent."""
    from otpcore.settings import load_settings  # noqa: PLC0415  # settings cost a quarter of a second

    shell = shell_of(context)
    settings = load_settings(env_file=shell.env_file)
    templates, digits = settings.catalogue(), settings.policy().code_digits
    templates.check(settings.brand, digits)
    if template is None:
        chosen = templates.find(purpose=purpose, channel=channel, locale=locale, brand=settings.brand)
    else:
        chosen = _named(templates, template, locale, settings.brand)
        channel = chosen.channel or channel
    minutes = max(1, settings.code_lifetime_s // 60)
    made = render(chosen, SAMPLE[:digits], minutes, settings.brand, channel=channel)
    size = size_of(made.text)
    if as_json:
        shell.give(_machine(chosen, made, size))
        return Exit.OK
    if made.subject is not None:
        shell.say(f"Subject: {made.subject}", "")
    shell.say(made.text, "")
    shell.say(f"Template {chosen.label}, {_for(chosen)}.")
    if channel == "sms":
        several = f"{size.segments} messages" if size.segments > 1 else "1 message"
        shell.say(f"As SMS: {size.encoding}, {several}, {size.left} {UNITS[size.encoding]} left.")
    for name, value in made.dlt.items():
        shell.say(f"DLT {name}: {value}")
    return Exit.OK


def _named(templates: Templates, name: str, locale: str | None, brand: str) -> Template:
    """Of those of one name, the one in this language, else in the default, else the first."""
    found = [each for each in templates.templates if each.name == name and (brand or not each.branded)]
    if not found:
        names = ", ".join(dict.fromkeys(each.name for each in templates.templates))
        raise UsageError(f"There is no template of this name; there are {names}.")
    found.sort(key=lambda each: not each.branded)
    tags = [*templates.languages(locale)]
    return min(found, key=lambda each: tags.index(tag) if (tag := each.locale.lower()) in tags else len(tags))


def _for(template: Template) -> str:
    purpose = f"purpose {template.purpose}" if template.purpose else "any purpose"
    return f"for {purpose} on {template.channel or 'any channel'}"


def _machine(template: Template, made: MessageText, size: Size) -> dict[str, Any]:
    return {
        "template": made.template,
        "locale": made.locale,
        "purpose": template.purpose,
        "channel": template.channel,
        "subject": made.subject,
        "text": made.text,
        "encoding": size.encoding.value,
        "units": size.units,
        "segments": made.segments,
        "left": size.left,
        "dlt": dict(made.dlt),
    }
