"""The peers' side of row 7, in a process and an environment of their own: django-phone-verify and django-otp.

    python -m tests.benchmarks.peer_child '{"ENGINE": …}'

The argument is Django's description of a database. Each line of the input is a JSON object: the peer, how many clients,
and the numbers; it answers with the seconds of one cycle, or with 0 clients with the profile of one. A cycle is one
start and the right check of it, by the functions that the peer's own views call; what it would send is kept.

Rules of this file: it imports nothing of otpcore, and Django's packages by name, for the checkers do not see them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from time import perf_counter
from typing import Any, Final

from tests.benchmarks.sampling import profiled

__all__ = ["main"]

MOST_CLIENTS: Final = 8
"""As many threads, each with a connection of its own, which it keeps."""

PARTS: Final = {
    "the database driver, waiting included": ("/psycopg", "/django/db/backends/"),
    "Django's ORM and models": ("/django/db/",),
    "django-phone-verify": ("",),
}


def set_up(database: dict[str, Any]) -> None:
    """Django with nothing but the two peers, their tables made."""
    settings: Any = import_module("django.conf").settings
    settings.configure(
        SECRET_KEY="the secret key of benchmarks, 32 bytes or more",  # no secret
        DATABASES={"default": database},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "rest_framework",
            "phone_verify",
            "django_otp",
            "django_otp.plugins.otp_email",
        ],
        USE_TZ=True,
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
        OTP_EMAIL_BODY_TEMPLATE="{{ token }}",
        PHONE_VERIFICATION={
            "BACKEND": "tests.benchmarks.django_sms.Kept",
            "OPTIONS": {},
            "TOKEN_LENGTH": 6,
            "MESSAGE": "{security_code}",
            "APP_NAME": "benchmarks",
            "SECURITY_CODE_EXPIRATION_SECONDS": 600,
            "VERIFY_SECURITY_CODE_ONLY_ONCE": True,
        },
    )
    import_module("django").setup()
    import_module("django.core.management").call_command("migrate", verbosity=0)


def phone_verify() -> Callable[[Sequence[str]], None]:
    """Cycles of django-phone-verify."""
    services: Any = import_module("phone_verify.services")
    backends: Any = import_module("phone_verify.backends")
    messages: dict[str, str] = import_module("tests.benchmarks.django_sms").MESSAGES

    def work(numbers: Sequence[str]) -> None:
        for number in numbers:
            token = services.send_security_code_and_generate_session_token(number)
            backend = backends.get_sms_backend(number)
            _, status = backend.validate_security_code(messages.pop(number), number, token)
            assert status == backend.SECURITY_CODE_VALID, status

    return work


def otp() -> Callable[[Sequence[str]], None]:
    """Cycles of django-otp's e-mail device; the people and their devices are there before."""
    devices: Any = import_module("django_otp.plugins.otp_email.models").EmailDevice.objects

    def work(numbers: Sequence[str]) -> None:
        for number in numbers:
            device = devices.get(name=number)
            device.generate_challenge()
            sent = device.token
            device = devices.get(name=number)
            assert device.verify_token(sent)

    return work


def enroll(numbers: Sequence[str]) -> None:
    """A person and an e-mail device for each number."""
    people: Any = import_module("django.contrib.auth").get_user_model().objects
    device: Any = import_module("django_otp.plugins.otp_email.models").EmailDevice
    made = [people.create(username=number, email="person@example.com") for number in numbers]
    device.objects.bulk_create([device(user=one, name=one.username) for one in made])


def profile(work: Callable[[Sequence[str]], None], numbers: Sequence[str]) -> dict[str, float]:
    """Where the time of a cycle goes, in this thread."""

    def units() -> int:
        work(numbers)
        return len(numbers)

    return profiled(units, PARTS, "nobody")


def main(database: str) -> None:
    """Answer until the input ends."""
    set_up(json.loads(database))
    peers = {"django-phone-verify": phone_verify(), "django-otp": otp()}
    print(json.dumps("ready"), flush=True)
    with ThreadPoolExecutor(MOST_CLIENTS) as pool:
        for line in sys.stdin:
            asked = json.loads(line)
            work, numbers, clients = peers[asked["peer"]], asked["numbers"], asked["clients"]
            if asked["peer"] == "django-otp":
                enroll(numbers)
            if not clients:
                work(numbers[:2])  # the connection, which is this thread's
                print(json.dumps(profile(work, numbers[2:])), flush=True)
                continue
            began = perf_counter()
            for done in [pool.submit(work, numbers[hand::clients]) for hand in range(clients)]:
                done.result()
            print(json.dumps((perf_counter() - began) / len(numbers)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
