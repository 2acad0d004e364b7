"""`plugin new`: a distribution for a third party's provider or store, that passes its kit from the first run.

Rules of this file: whole files or none; nothing that exists is touched. The texts are in `scaffold/`; what it writes
for the provider `example` is `examples/otpcore-example`, held by a test. Each class there has a
suffix, so that none hides what the texts import, whatever the name.
"""

from __future__ import annotations

import keyword
import re
import shutil
from collections.abc import Mapping
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Annotated, Final

import typer

from otpcore.cli.exits import Exit
from otpcore.cli.shell import AsJson, shell_of
from otpcore.errors import UsageError
from otpcore.plugins import Plugins

__all__ = ["new", "written"]

NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
LONGEST: Final = 40
GREEN: Final = "                  # green as it is; at the end it says what was not tested"

FILES: Final[Mapping[str, str]] = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "{kind}/README.md",
    "otpcore_{module}/__init__.py": "{kind}/plugin.py",
    "otpcore_{module}/py.typed": "",
    "tests/test_contract.py": "{kind}/test_contract.py",
}
"""What is written, and from which text."""

REQUIREMENTS: Final = {"provider": "otpcore[http]", "store": "otpcore"}
SUMMARIES: Final = {"provider": "sends codes with {title}", "store": "keeps the records in {title}"}


def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Of the plugin: lower-case letters, digits, hyphens.", metavar="NAME")],
    *,
    provider: Annotated[bool, typer.Option("--provider", help="It sends codes, over a REST API.")] = False,
    store: Annotated[bool, typer.Option("--store", help="It keeps records; it begins as one SQLite file.")] = False,
    into: Annotated[
        Path, typer.Option("--into", help="The folder where `otpcore-NAME` is made.", metavar="FOLDER")
    ] = Path(),
    as_json: AsJson = False,
) -> int:
    """Write a plugin to start from: a folder `otpcore-NAME` that installs, and passes its kit as it is."""
    shell = shell_of(context)
    if provider == store:
        raise UsageError("Say what the plugin brings: --provider or --store.")
    kind = "provider" if provider else "store"
    check_name(name, kind)
    folder = into / f"otpcore-{name}"
    files = written(name, kind)
    make(folder, files)
    if as_json:
        shell.give({"folder": str(folder), "files": sorted(files)})
        return Exit.OK
    shell.say(f"{folder}", *(f"  {each}" for each in files), "", "Now:", f"  cd {folder}")
    theirs = "vendor" if provider else "database"
    shell.say("  pip install -e '.[test]'", f"  pytest{GREEN}", "")
    shell.say(f"Then put your {theirs} into otpcore_{name.replace('-', '_')}/__init__.py, step by step, as the page")
    shell.say(f"docs/howto/write-a-{kind}.md of otpcore says. The README.md says how the plugin is used and published.")
    return Exit.OK


def check_name(name: str, kind: str) -> None:
    """Refuse a name that cannot be a plugin's, or is somebody's.

    Raises:
        UsageError: saying why.
    """
    module = name.replace("-", "_")
    if not NAME.fullmatch(name) or len(name) > LONGEST or keyword.iskeyword(module):
        raise UsageError(
            f"The name of a plugin is lower-case letters, digits and hyphens between them, at most {LONGEST}, and no "
            "word of Python's."
        )
    registry = Plugins()
    registry.discover()
    types = registry.providers if kind == "provider" else registry.stores
    if name in types or any(info.name == name for info in registry.listing()):
        raise UsageError(f"There is a plugin {name!r} here already; two of one name are refused. Choose another.")


def written(name: str, kind: str) -> dict[str, str]:
    """Every file of the new distribution: its text by its place, with "/" between folders."""
    title = name.replace("-", " ").capitalize()
    series = version("otpcore").split(".")[:2]
    after = f"{series[0]}.{int(series[1]) + 1}" if series[0] == "0" else f"{int(series[0]) + 1}"
    values = {
        "name": name,
        "module": name.replace("-", "_"),
        "constant": name.replace("-", "_").upper(),
        "class_name": "".join(part.capitalize() for part in name.split("-")),
        "title": title,
        "summary": SUMMARIES[kind].format(title=title),
        "requirement": f"{REQUIREMENTS[kind]}>={'.'.join(series)},<{after}",
    }
    texts = resources.files("otpcore.cli") / "scaffold"
    files: dict[str, str] = {}
    for place, text in FILES.items():
        source = (texts / f"{text.format(kind=kind)}.tmpl").read_text("utf-8") if text else ""
        files[place.format(module=values["module"])] = Template(source).substitute(values)
    return files


def make(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files into a folder that is not there yet; one that fails half-way is taken away again.

    Raises:
        UsageError: it is there, or cannot be made.
    """
    try:
        folder.mkdir()
    except FileExistsError:
        raise UsageError(f"There is something at {folder} already; nothing was written.") from None
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}.") from None
    try:
        for place, text in files.items():
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8", newline="\n")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise UsageError(f"{folder} cannot be written: {error.strerror}. Nothing was left.") from None
        raise
