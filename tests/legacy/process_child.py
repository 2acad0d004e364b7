"""What a process does with the facade: `python -m tests.legacy.process_child <what> <variant>`.

    forked      sends, forks in use; the child sends, then the parent again
    opening     forks while a thread is in the middle of opening the desk; the child sends
    warned      many threads make the process's first objects at once; prints where it was warned
    imported    imports the facade, watched; prints what that did

The variant "facade" is as it is; every other one has the defect of its name. What happens is printed as JSON.

Rules of this file: nothing of the facade is imported at its head, since one of the stories is about that.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

__all__ = ["PARTIES", "PATIENCE_S"]

PARTIES: Final = 16
PATIENCE_S: Final = 60
HELD_S: Final = 3
"""Until a child that hangs is given up, and an opening that is waited for goes on."""

SLOW: Final = "otpcore_slow_part"
OWNER: Final = "os"
"""By which a transport knows whose it is."""

WARNING: Final = "_objects"
ROOT: Final = Path(__file__).parents[2]


def phones(count: int) -> list[str]:
    from tests.numbers import phone

    return [phone(1900 + place) for place in range(count)]


def in_a_child(
    call: Callable[[], object], patience_s: int = PATIENCE_S, ended_with: Callable[[], object] = bool
) -> str:
    """What became of a call in a forked child: "done", "failed" or "hung"."""
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(patience_s)
        failed = 1
        try:
            call()
            failed = 0
        finally:
            os._exit(failed)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    ended_with()
    return {0: "done", -signal.SIGALRM: "hung"}.get(ended, "failed")


def send(number: str) -> None:
    """One send, as an object of its own."""
    from otpcore.legacy import OTP_Model

    assert OTP_Model(number).verification().status == "pending"


def watch_no_fork() -> None:
    """The defect: the facade is not told of forks. To be planted before it is imported."""
    real = os.register_at_fork

    def planted(**hooks: Any) -> None:
        if getattr(hooks.get("after_in_child"), "__module__", "") != "otpcore.legacy.desk":
            real(**hooks)

    setattr(os, "register_at_fork", planted)  # noqa: B010


def forked(variant: str) -> object:
    """See above. "shared": neither the facade nor the transport notices that it is in another process."""
    if variant == "shared":
        watch_no_fork()
        from otpcore.providers.transport import per_process

        setattr(per_process, OWNER, SimpleNamespace(getpid=lambda: 1))
    mine, theirs, mine_again = phones(3)
    send(mine)
    child = in_a_child(lambda: send(theirs))
    send(mine_again)
    return child


class Slow(MetaPathFinder, Loader):
    """A module whose import takes as long as it is told."""

    def __init__(self, body: Callable[[], None]) -> None:
        self._body = body

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == SLOW else None

    def exec_module(self, module: ModuleType) -> None:
        self._body()


def opening(variant: str) -> object:
    """See above. "importing": it is in the middle of an import then. "not watching": the child keeps a lost lock."""
    if variant.startswith("not watching"):
        watch_no_fork()
    from otpcore.legacy import Desk, use
    from otpcore.providers.fake import FakeProvider
    from otpcore.stores.memory import MemoryStore

    parent, inside, go_on, forked_it = os.getpid(), threading.Event(), threading.Event(), threading.Event()

    def meet() -> None:
        if os.getpid() == parent:
            inside.set()
            assert go_on.wait(PATIENCE_S)

    def make() -> Desk:
        if variant.endswith("importing"):
            importlib.import_module(SLOW)
        else:
            meet()
        return Desk(MemoryStore(), FakeProvider())

    def let_go() -> None:
        forked_it.wait(HELD_S)  # a fork may also wait until the desk is open
        go_on.set()

    sys.meta_path.insert(0, Slow(meet))
    use(make)
    mine, theirs, mine_again = phones(3)
    opens, lets_go = threading.Thread(target=send, args=(mine,)), threading.Thread(target=let_go)
    opens.start()
    assert inside.wait(PATIENCE_S)
    lets_go.start()
    patience = {"facade": PATIENCE_S, "importing": 2 * HELD_S}.get(variant, HELD_S)
    child = in_a_child(lambda: send(theirs), patience, forked_it.set)
    opens.join()
    lets_go.join()
    send(mine_again)
    return child


def warned(variant: str) -> object:
    """See above. "not locked": each looks whether it was said before any says it. "filtered": a filter is set."""
    from otpcore.legacy import OTP_Model, model

    heard: list[Any] = []

    def show(message: Any, category: type[Warning], filename: str, *_: object, **__: object) -> None:
        heard.append([category.__name__, str(message), Path(filename).name])

    warnings.simplefilter("always")
    warnings.showwarning = show
    if variant == "filtered":
        warnings.filterwarnings("ignore", message="OTP_Model is kept", category=DeprecationWarning)
    meeting = threading.Barrier(PARTIES)

    class Hasty:
        """As the facade's own, but all of them meet between the look and the word."""

        def __next__(self) -> int:
            made: int = sum(each[0] == "DeprecationWarning" for each in heard)
            meeting.wait(PATIENCE_S)
            return made

    if variant == "not locked":
        setattr(model, WARNING, Hasty())
    latch = threading.Barrier(PARTIES)

    def party(number: str) -> None:
        latch.wait(PATIENCE_S)
        OTP_Model(number)

    parties = [threading.Thread(target=party, args=(number,)) for number in phones(PARTIES)]
    for each in parties:
        each.start()
    for each in parties:
        each.join()
    return heard


class Asked(MutableMapping[str, str]):
    """The environment, with a list of what is read of it, and by which file."""

    def __init__(self, real: MutableMapping[str, str], asked: list[tuple[str, str]]) -> None:
        self._real = real
        self._asked = asked

    def _note(self, name: str) -> None:
        frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]  # who asks
        own = {__file__, os.__file__, sys.modules["_collections_abc"].__file__}
        while frame.f_back is not None and frame.f_code.co_filename in {
            *own,
            "<frozen _collections_abc>",
            "<frozen os>",
        }:
            frame = frame.f_back
        self._asked.append((name, frame.f_code.co_filename))

    def __getitem__(self, name: str) -> str:
        self._note(name)
        return self._real[name]

    def __contains__(self, name: object) -> bool:
        self._note(str(name))
        return name in self._real

    def __iter__(self) -> Iterator[str]:
        self._note("*")
        return iter(self._real)

    def __len__(self) -> int:
        return len(self._real)

    def __setitem__(self, name: str, value: str) -> None:
        self._note(f"{name}=")
        self._real[name] = value

    def __delitem__(self, name: str) -> None:
        self._note(f"{name}=")
        del self._real[name]


WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
MAKES: Final = ("socket.", "subprocess.", "os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "os.fork")


def imported(variant: str) -> object:
    """See above. "used": the facade is not only imported, it sends."""
    asked: list[tuple[str, str]] = []
    done: list[str] = []

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[2], int) and args[2] & WRITES:
            done.append(f"open {Path(str(args[0])).name}")
        elif event.startswith(MAKES) or event == "_thread.start_new_thread":
            done.append(event)

    os.environ = Asked(os.environ, asked)  # type: ignore[assignment]  # noqa: B003  # watched
    sys.addaudithook(watch)
    importlib.import_module("otpcore.legacy")

    if variant == "used":
        send(*phones(1))
    sources = str(ROOT / "otpcore"), str(ROOT / "plugins")
    return {
        "done": done,
        "asked": sorted({name for name, _ in asked}),
        "by_us": sorted({name for name, file in asked if file.startswith(sources)}),
        "threads": threading.active_count(),
        "loaded": sorted({"twilio", "requests", "tinydb", "sqlalchemy", "flask"} & sys.modules.keys()),
    }


STORIES: Final[dict[str, Callable[[str], object]]] = {
    "forked": forked,
    "opening": opening,
    "warned": warned,
    "imported": imported,
}


if __name__ == "__main__":
    print(json.dumps(STORIES[sys.argv[1]](sys.argv[2])))
