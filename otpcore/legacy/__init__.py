"""The class that legacy code imports, over the core: `from otpcore.legacy import OTP_Model, Svretries`.

    OTP_Model                       the old class: send, check, and the counter of resends
    Svretries                       the resend records
    TooManyRequests, Forbidden,
    InternalServerError             werkzeug's errors, with `retry_after` and the core's reason
    legacy_settings, LegacySettings the old environment names
    engine, use, Desk               the engine behind it all, for who moves on, and for tests

It needs the extra `otpcore[legacy]`. Importing it reads no environment, connects nowhere and creates nothing. What each
row of the old documentation became: docs/reference/legacy.md.
"""

from otpcore.legacy.desk import Desk, engine, use
from otpcore.legacy.errors import Forbidden, InternalServerError, NotDone, TooManyRequests
from otpcore.legacy.model import OTP_Model, Timestamp
from otpcore.legacy.records import Svretries
from otpcore.legacy.sms import SMSObject
from otpcore.legacy.terms import LegacySettings, legacy_settings

__all__ = [
    "Desk",
    "Forbidden",
    "InternalServerError",
    "LegacySettings",
    "NotDone",
    "OTP_Model",
    "SMSObject",
    "Svretries",
    "Timestamp",
    "TooManyRequests",
    "engine",
    "legacy_settings",
    "use",
]
