"""A local Twilio: Verify v2 and the messages of Programmable Messaging, an inbox, and a page that shows it.

`with serve() as emulator:` runs it in a thread; `otpcore_twilio.testing` is the same as a pytest fixture, and
`otpcore emulator twilio` as a process; `asgi(Account())` is the application for another server. It needs the extra
`otpcore-twilio[emulator]`.
"""

from otpcore_twilio.emulator.app import Account, asgi
from otpcore_twilio.emulator.callbacks import Callback, Callbacks
from otpcore_twilio.emulator.clock import Clock
from otpcore_twilio.emulator.faults import Faults, Scenario
from otpcore_twilio.emulator.keeping import StateFileError
from otpcore_twilio.emulator.magic import (
    DELIVERIES,
    FROM_NUMBERS,
    MAGIC,
    MESSAGE_MAGIC,
    Delivery,
    Fault,
    Magic,
    Operation,
)
from otpcore_twilio.emulator.options import Options
from otpcore_twilio.emulator.records import Message
from otpcore_twilio.emulator.serving import Emulator, serve
from otpcore_twilio.emulator.templates import Template, Translation

__all__ = [
    "DELIVERIES",
    "FROM_NUMBERS",
    "MAGIC",
    "MESSAGE_MAGIC",
    "Account",
    "Callback",
    "Callbacks",
    "Clock",
    "Delivery",
    "Emulator",
    "Fault",
    "Faults",
    "Magic",
    "Message",
    "Operation",
    "Options",
    "Scenario",
    "StateFileError",
    "Template",
    "Translation",
    "asgi",
    "serve",
]
