"""A local Twilio Verify v2: services, verifications and checks as they behave, an inbox, and a page that shows it.

`with serve() as emulator:` runs it in a thread; `asgi(Account())` is the application for another server. It needs
the extra `otpcore-twilio[emulator]`.
"""

from otpcore_twilio.emulator.app import Account, asgi
from otpcore_twilio.emulator.magic import MAGIC, Fault, Magic, Operation
from otpcore_twilio.emulator.options import Options
from otpcore_twilio.emulator.records import Message
from otpcore_twilio.emulator.serving import Emulator, serve

__all__ = ["MAGIC", "Account", "Emulator", "Fault", "Magic", "Message", "Operation", "Options", "asgi", "serve"]
