"""The whole way: an engine on its embedded store sends over the link, and the receipt reaches the record."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otpcore import Approved, AsyncEngine, Engine, InboundRequest, Sent
from otpcore.events import Event
from otpcore.stores.tinydb import TinyDBStore
from otpcore_smpp import AsyncSmppProvider, SmppProvider
from tests.smpp_lines import PHONE, settings_of
from tests.smsc import Peer, Smsc, Submitted, receipt_body

PEPPER = b"a pepper of at least thirty-two bytes"
