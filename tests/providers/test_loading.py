"""A fork while another thread loads an SDK: the child can load it too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

SETTINGS = {
    "twilio": (
        "TwilioProvider",
        'TwilioSettings(account_sid="AC" + "1" * 32, auth_token="t", service_sid="VA" + "1" * 32)',
    ),
    "vonage": ("VonageProvider", 'VonageSettings(api_key="abcdef12", api_secret="secret", brand="ACME")'),
    "aws": (
        "SnsProvider",
        'SnsSettings(region="eu-west-1", access_key_id="A" * 20, secret_access_key="s" * 40)',
    ),
}
SDK = {"twilio": "twilio.rest", "vonage": "vonage_verify", "aws": "botocore.session"}

SCRIPT = """
import importlib.abc, os, signal, sys, threading
import otpcore.providers.loading
from otpcore_{name} import *
begun, forking = threading.Event(), threading.Event()
class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {sdk!r}:
            begun.set()
            assert forking.wait(60)
sys.meta_path.insert(0, Watch())
if sys.argv[1] == "alone":
    otpcore.providers.loading._lock = threading.RLock()
provider = {kind}({settings})
loads = threading.Thread(target=lambda: provider.native_client)
loads.start()
assert begun.wait(60)
os.register_at_fork(before=forking.set)
child = os.fork()
if child == 0:
    signal.alarm(int(sys.argv[2]))
    provider.native_client
    os._exit(0)
loads.join()
sys.exit(abs(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
"""


def forked(name: str, how: str, patience_s: int) -> int:
    """What the child ended with; the number of the alarm where it waited for a lock that nobody opens."""
    kind, settings = SETTINGS[name]
    script = SCRIPT.format(name=name, sdk=SDK[name], kind=kind, settings=settings)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, how, str(patience_s)]
    return subprocess.run(command, check=False, timeout=120, env={**os.environ}).returncode


@pytest.mark.parametrize("name", SETTINGS)
def test_a_fork_waits_for_what_is_being_loaded(name: str) -> None:
    assert forked(name, "kept", 60) == 0


@pytest.mark.parametrize("name", SETTINGS)
def test_a_fork_that_does_not_wait_leaves_the_child_hanging(name: str) -> None:
    """Red: the lock that loads is none that a fork takes."""
    assert forked(name, "alone", 3) == signal.SIGALRM
