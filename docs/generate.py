# ruff: noqa: INP001  # a script, no package
"""Writes `docs/reference/api` from the docstrings: one page for each public module, and an index.

    python docs/generate.py           write
    python docs/generate.py --check   write nothing; leave with 1 and the names where a page is not what it should be

A name is described once: on the page of the module that defines it, else on the first other page of `MODULES` whose
`__all__` has it, and on the page of `otpcore` only where there is none. Every other page that exports it links there.

Rules of this file: it reads sources and imports nothing of the package; the same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import griffe

__all__ = ["MODULES", "main", "pages"]

ROOT: Final = Path(__file__).parent.parent
API: Final = ROOT / "docs" / "reference" / "api"

MODULES: Final = (
    "otpcore",
    "otpcore.engine",
    "otpcore.engine.audit",
    "otpcore.results",
    "otpcore.policy",
    "otpcore.routing",
    "otpcore.messages",
    "otpcore.errors",
    "otpcore.model",
    "otpcore.phone",
    "otpcore.mail",
    "otpcore.recipients",
    "otpcore.settings",
    "otpcore.contract",
    "otpcore.receipts",
    "otpcore.ports",
    "otpcore.events",
    "otpcore.hookspecs",
    "otpcore.plugins",
    "otpcore.conformance.store",
    "otpcore.conformance.provider",
    "otpcore.stores.memory",
    "otpcore.stores.tinydb",
    "otpcore.providers.console",
    "otpcore.providers.fake",
    "otpcore.providers.http",
    "otpcore.providers.transport",
    "otpcore.providers.transport.requests",
    "otpcore.providers.transport.urllib3",
)
"""The public modules, in the order of the index."""

WIDTH: Final = 100
"""A longer signature has one argument to a line."""

SECTIONS: Final = {"Args:": "Arguments"} | {f"{name}:": name for name in ("Attributes", "Returns", "Yields", "Raises")}
HEAD: Final = "<!-- Written by docs/generate.py from the docstrings; change those. -->\n"

_ITEM: Final = re.compile(r"([\w.*]+(?:, [\w.*]+)*): (.*)")
_TOLD: Final = frozenset({"classmethod", "staticmethod"})
_QUOTED: Final = re.compile(r"(^(?: {4}.*\n?)+)", re.MULTILINE)
_NAMED: Final = re.compile(r"(?<!\[)`([A-Za-z_][\w.]*)`")


class Reference:
    """The public names of the package, and where each is described."""

    def __init__(self) -> None:
        package = griffe.load("otpcore", search_paths=[str(ROOT)])
        self._modules = {name: package if name == "otpcore" else package[name[8:]] for name in MODULES}
        self._entries: dict[str, dict[str, griffe.Object]] = {name: {} for name in MODULES}
        self._homes = self._find_homes()
        self._links: dict[str, str] = {name: f"{name}.md" for name in MODULES[1:]}
        for page, entries in self._entries.items():
            self._find_links(page, entries)

    def page(self, name: str) -> str:
        """The page of one module."""
        entries = self._entries[name]
        parts = [f"# {name}", self._prose(without_rules(text_of(self._modules[name])))]
        for exported, target in entries.items():
            parts += self._entry(exported, target)
        others = [self._object(name, each) for each in exports(self._modules[name]) if each not in entries]
        if others:
            rows = [f"| [`{each.name}`]({self._links[each.path]}) | {summary(each)} |" for each in others]
            parts += ["## Also exported", "\n".join(["| name | what it is |", "| --- | --- |", *rows])]
        return HEAD + "\n" + "\n\n".join(part for part in parts if part) + "\n"

    def index(self) -> str:
        """The list of the pages."""
        rows = [f"| [`{name}`]({name}.md) | {summary(module)} |" for name, module in self._modules.items()]
        top = "# Reference\n\nWritten from the docstrings of the public modules.\n"
        return "\n".join([HEAD, top, "| module | what is there |", "| --- | --- |", *rows]) + "\n"

    # --- what there is ---

    def _object(self, module: str, name: str) -> griffe.Object:
        return real(self._modules[module][name])

    def _find_homes(self) -> dict[str, str]:
        """The page of each name, by the path of its definition."""
        homes: dict[str, str] = {}
        for module in (*MODULES[1:], MODULES[0]):
            for name in exports(self._modules[module]):
                target = self._object(module, name)
                defined = target.module.path
                home = homes.setdefault(target.path, defined if defined in MODULES else module)
                if home == module:
                    self._entries[module][name] = target
        for entries in self._entries.values():
            ordered = sorted(entries.items(), key=lambda each: (each[1].module.path, each[1].lineno or 0))
            entries.clear()
            entries.update(ordered)
        return homes

    def _find_links(self, page: str, entries: dict[str, griffe.Object]) -> None:
        """The anchors of a page, in the order of its headings: a second one of a spelling is counted."""
        seen: Counter[str] = Counter()
        for name, target in entries.items():
            for heading in (name, *(f"{name}.{member.name}" for member in self._members(target))):
                anchor = slug(heading)
                link = f"{page}.md#{anchor}" + (f"-{seen[anchor]}" if seen[anchor] else "")
                seen[anchor] += not heading.partition(".")[2].startswith("test_")
                self._links |= {heading: link, f"{page}.{heading}": link}
            self._links[target.path] = self._links[name]

    def _members(self, target: griffe.Object) -> list[griffe.Object]:
        """The public members of a class that have something to say, with those of bases that have no page."""
        if not isinstance(target, griffe.Class):
            return []
        named = self._homes.keys() - {target.path}
        found: dict[str, griffe.Object] = {}
        for member in [*target.members.values(), *target.inherited_members.values()]:
            found_at = real(member)
            owner = found_at.path.rpartition(".")[0]
            shown = not member.name.startswith("_") or (member.name == "__call__" and owner == target.path)
            if shown and owner not in named and found_at.docstring is not None:
                found.setdefault(member.name, found_at)
        return list(found.values())

    # --- how it reads ---

    def _entry(self, name: str, target: griffe.Object) -> Iterator[str]:
        yield f"## {name}"
        yield declared(name, target)
        yield self._prose(text_of(target), within=name)
        members = self._members(target)
        for member in members:
            if not member.name.startswith("test_"):
                yield f"### {name}.{member.name}"
                yield declared(member.name, member)
                yield self._prose(text_of(member), within=name)
        tests = [member for member in members if member.name.startswith("test_")]
        if tests:
            yield f"### What {name} checks"
            yield "\n".join(f"- `{test.name}`: {' '.join(text_of(test).split())}" for test in tests)

    def _prose(self, text: str, *, within: str = "") -> str:
        """A docstring as Markdown: sections as lists, names as links."""
        parts: list[str] = []
        for heading, lines in sections(text):
            body = "\n".join(lines).strip("\n").replace("::\n", ":\n")
            if heading in ("Arguments", "Attributes", "Raises"):
                body = "\n".join(f"- `{names}`: {words}" for names, words in items(lines))
            elif heading:
                body = " ".join(body.split())
            parts += [f"**{heading}**" if heading else "", body]
        return self._linked("\n\n".join(part for part in parts if part), within)

    def _linked(self, text: str, within: str) -> str:
        def link(match: re.Match[str]) -> str:
            to = self._links.get(match[1])
            return match[0] if to is None or to == self._links.get(within) else f"[`{match[1]}`]({to})"

        return "".join(part if _QUOTED.fullmatch(part) else _NAMED.sub(link, part) for part in _QUOTED.split(text))


# --- docstrings ------------------------------------------------------------------------------


def text_of(target: griffe.Object | griffe.Alias) -> str:
    """The docstring, "" where there is none."""
    return target.docstring.value if target.docstring is not None else ""


def real(found: griffe.Object | griffe.Alias) -> griffe.Object:
    """What a name stands for, wherever it was imported from."""
    target = found.final_target if isinstance(found, griffe.Alias) else found
    assert isinstance(target, griffe.Object)  # noqa: S101  # what a chain of imports ends in
    return target


def summary(target: griffe.Object | griffe.Alias) -> str:
    """What a line of a table says of it: the first line of its docstring, else its value."""
    text = text_of(target).partition("\n")[0] or f"`{getattr(target, 'value', '')}`"
    return text.replace("|", "\\|")


def without_rules(text: str) -> str:
    """A module's docstring without what is meant for who changes the module."""
    return "\n\n".join(part for part in text.split("\n\n") if not part.startswith("Rules of this"))


def sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """The Google sections of a docstring; the first has no heading."""
    heading, lines = "", list[str]()
    for line in text.splitlines():
        if line in SECTIONS:
            yield heading, lines
            heading, lines = SECTIONS[line], []
        else:
            lines.append(line.removeprefix("    ") if heading else line)
    yield heading, lines


def items(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and words of a section, continuation lines joined."""
    names, words = "", ""
    for line in lines:
        match = None if line.startswith(" ") else _ITEM.fullmatch(line)
        if match:
            if names:
                yield names, words
            names, words = "`, `".join(match[1].split(", ")), match[2]
        else:
            words = f"{words} {line.strip()}".strip()
    if names:
        yield names, words


def declared(name: str, target: griffe.Object) -> str:
    """How a name is declared, as Python without bodies, in a block that the tests parse and do not run."""
    if isinstance(target, griffe.Class):
        code = class_of(name, target)
    elif isinstance(target, griffe.Function):
        code = signature(name, target)
    elif isinstance(target, griffe.Attribute) and "property" in target.labels:
        code = f"@property\ndef {name}(self) -> {target.annotation}: ..."
    else:
        assert isinstance(target, griffe.Attribute)  # noqa: S101  # there is nothing else in a class or module
        code = field_of(name, target)
    return f"```python fragment\n{code}\n```"


def class_of(name: str, target: griffe.Class) -> str:
    """A class with the fields of its body and the arguments that make it."""
    bases = ", ".join(str(base) for base in target.bases if not str(base).startswith("_"))
    lines = [f"@{decorator.value}" for decorator in target.decorators]
    lines.append(f"class {name}({bases}):" if bases else f"class {name}:")
    attributes = (each for each in target.members.values() if isinstance(each, griffe.Attribute))
    body = [f"    {field_of(each.name, each)}" for each in attributes if is_field(each)]
    made = target.members.get("__init__")
    if isinstance(made, griffe.Function) and "dataclass" not in target.labels:
        body += [f"    {line}" for line in signature("__init__", made).splitlines()]
    return "\n".join([*lines, *(body or ["    ..."])])


def is_field(target: griffe.Attribute) -> bool:
    """Whether it is declared in the body of its class, for others to see."""
    in_body = "class-attribute" in target.labels or (target.value is None and target.annotation is not None)
    return in_body and "property" not in target.labels and not target.name.startswith(("_", "model_config"))


def field_of(name: str, target: griffe.Attribute) -> str:
    """An attribute with its type and value."""
    value = "" if target.value is None else f" = {target.value}"
    final = target.annotation is None or str(target.annotation) == "Final"
    return f"{name}{value}" if final and value else f"{name}: {target.annotation}{value}"


def signature(name: str, target: griffe.Function) -> str:
    """A function's head."""
    parts: list[str] = []
    star = False
    for parameter in target.parameters:
        if parameter.kind is griffe.ParameterKind.keyword_only and not star:
            parts.append("*")
        star = star or parameter.kind in (griffe.ParameterKind.keyword_only, griffe.ParameterKind.var_positional)
        parts.append(_parameter(parameter))
    head = f"{'async ' if 'async' in target.labels else ''}def {name}"
    returns = f" -> {target.returns}" if target.returns is not None else ""
    told = [f"@{decorator.value}" for decorator in target.decorators if str(decorator.value) in _TOLD]
    line = f"{head}({', '.join(parts)}){returns}: ..."
    if len(line) > WIDTH:
        line = "\n".join([f"{head}(", *(f"    {part}," for part in parts), f"){returns}: ..."])
    return "\n".join([*told, line])


def _parameter(parameter: griffe.Parameter) -> str:
    annotation = f": {parameter.annotation}" if parameter.annotation is not None else ""
    match parameter.kind:
        case griffe.ParameterKind.var_positional:
            return f"*{parameter.name}{annotation}"
        case griffe.ParameterKind.var_keyword:
            return f"**{parameter.name}{annotation}"
        case _:
            equals = " = " if annotation else "="
            default = "" if parameter.default is None else f"{equals}{parameter.default}"
            return f"{parameter.name}{annotation}{default}"


# --- pages -----------------------------------------------------------------------------------


def exports(module: griffe.Object | griffe.Alias) -> list[str]:
    """The names of `__all__`, in its order, and the hooks of a module of specifications."""
    functions = (each for each in module.members.values() if isinstance(each, griffe.Function))
    hooks = [each.name for each in functions if any(str(one.value).startswith("hookspec") for one in each.decorators)]
    return [*(str(name) for name in module.exports or ()), *hooks]


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def pages() -> dict[Path, str]:
    """Every file of the reference, by its path, with what it should hold."""
    reference = Reference()
    found = {API / f"{name}.md": reference.page(name) for name in MODULES}
    return found | {API / "README.md": reference.index()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the reference; 1 where a check found a difference."""
    parser = argparse.ArgumentParser(description="Write docs/reference/api from the docstrings.")
    parser.add_argument("--check", action="store_true", help="write nothing; name the pages that differ")
    check: bool = parser.parse_args(arguments).check
    due = pages()
    stray = sorted(set(API.glob("*.md")) - due.keys())
    stale = [path for path, text in due.items() if not path.exists() or path.read_text("utf-8") != text]
    if check:
        for path in [*stale, *stray]:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not what the docstrings say; run: make docs\n")
        return int(bool(stale or stray))
    API.mkdir(parents=True, exist_ok=True)
    for path in stray:
        path.unlink()
    for path in stale:
        path.write_text(due[path], "utf-8")
    sys.stdout.write(f"{len(due)} pages, {len(stale)} written, {len(stray)} removed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
