"""The vendors of the presets on this machine, for tests: they answer and report as their documentation says.

    with serve(Kannel("otp", "secret")) as origin:
        provider = build(KannelSettings(username="otp", password="secret", url=f"{origin}/cgi-bin/sendsms"))

Rules of this file: re-exports only.
"""

from otpcore_http.fakes.africastalking import AfricasTalking
from otpcore_http.fakes.android import AndroidGateway
from otpcore_http.fakes.elks import Elks
from otpcore_http.fakes.kannel import Kannel
from otpcore_http.fakes.serving import Answer, Asked, Fake, Message, serve

__all__ = ["AfricasTalking", "AndroidGateway", "Answer", "Asked", "Elks", "Fake", "Kannel", "Message", "serve"]
