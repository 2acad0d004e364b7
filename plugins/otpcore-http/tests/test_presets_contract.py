"""Every preset against the provider kit, in both colours, and what the kit cannot know of these vendors."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from pydantic import SecretStr

from otpcore import Sent
from otpcore.conformance.provider import ProviderContract, Vendor, WireAnswer, WireRequest
from otpcore.conformance.provider.driven import Colour, Driven
from otpcore.ports import DeliveryState, InboundRequest
from otpcore.providers.http import AsyncHttpProvider, HttpProvider
from otpcore.receipts import Received
from otpcore_http import (
    AfricasTalkingSettings,
    AndroidGatewaySettings,
    ElksSettings,
    GatewaySettings,
    KannelSettings,
    build,
    build_async,
)
from otpcore_http.fakes import AfricasTalking, AndroidGateway, Asked, Elks, Fake, Kannel, Message
from otpcore_http.tickets import Ticket, sealed

USER, PASSWORD = SecretStr("otp"), SecretStr("p4ss/word&=")
TOKEN = "t0ken-of-receipts-0123456789"
SEND_ID = "0198b5a4-4c3e-7000-8000-000000000001"
RECEIPTS = "https://otp.example.com/receipts/vendor"


class PresetContract(ProviderContract):
    """What the four share: the vendor is the preset's fake, behind the kit's misbehaving server."""

    def settings(self, origin: str) -> GatewaySettings:
        raise NotImplementedError

    def fake(self) -> Fake:
        raise NotImplementedError

    def make(self, origin: str) -> HttpProvider:
        return build(self.settings(origin))

    def make_async(self, origin: str) -> AsyncHttpProvider:
        return build_async(self.settings(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        answer = self.fake().answer(Asked(request.method, request.path, request.headers, request.body))
        return WireAnswer(answer.status, answer.body, {"Content-Type": answer.kind})

    @property
    def message(self) -> Message:
        ticket = sealed(TOKEN.encode(), Ticket(self.handle, self.recipient))
        return Message(self.handle, self.recipient, "", report_to=f"{RECEIPTS}/{ticket}?state=%d")


class OurIds(PresetContract):
    """A vendor that takes our ids: a receipt can only be of a message that was sent before."""

    def told_of(self, message: Message, state: DeliveryState, size: int = 0) -> InboundRequest:
        raise NotImplementedError

    def receipt(self, state: DeliveryState, size: int = 0) -> InboundRequest:
        return self.told_of(self.message, state, size)

    def test_a_receipt_is_taken_once(self, colour: Colour, server: Vendor) -> None:
        """Told again, or replayed by somebody, it changes nothing."""
        with self._desk(colour, server) as desk:
            sent = desk.wait(self._start(desk))
            assert isinstance(sent, Sent), sent
            fake = self.fake()
            request: WireRequest = server.requests[-1]
            fake.answer(Asked(request.method, request.path, request.headers, request.body))
            genuine = self.told_of(fake.messages[-1], DeliveryState.DELIVERED)
            desk.now += timedelta(seconds=2)
            assert desk.wait(desk.engine.receipt(None, genuine)) == Received(1, 0)
            assert desk.wait(desk.engine.receipt(None, genuine)) == Received(0, 0, 1)


class ProvedByUrl(PresetContract):
    """A vendor that signs nothing: the proof is in the URL, where the kit expects it in a header."""

    def test_what_the_vendor_did_not_sign_is_refused(self, driven: Driven) -> None:
        """With another last segment of the URL, or none, it is anybody's, whatever the headers say."""
        genuine = self.receipt(DeliveryState.DELIVERED)
        path, _, query = genuine.url.partition("?")
        proof = path.rpartition("/")[2]
        for segment in ("", "x", proof[:-1], f"{proof}x", proof[::-1], proof.upper(), "%00", "\u0661" * 40):
            url = f"{path.removesuffix(proof)}{segment}?{query}"
            assert self._read(driven, replace(genuine, url=url)) is None
        assert self._read(driven, replace(genuine, url="")) is None

    def _large(self, request: InboundRequest, size: int) -> InboundRequest:
        return replace(request, body=request.body.ljust(size, b" ")) if size else request


class TestAfricasTalking(ProvedByUrl):
    handle: ClassVar[str] = f"ATXid_{0:032x}"

    def settings(self, origin: str) -> GatewaySettings:
        return AfricasTalkingSettings(
            username=USER,
            api_key=PASSWORD,
            url=f"{origin}/version1/messaging",
            receipt_token=SecretStr(TOKEN),
        )

    def fake(self) -> Fake:
        return AfricasTalking(USER.get_secret_value(), PASSWORD.get_secret_value())

    def receipt(self, state: DeliveryState, size: int = 0) -> InboundRequest:
        word = {DeliveryState.DELIVERED: "Success", DeliveryState.UNDELIVERED: "Failed"}[state]
        vendor = AfricasTalking("", "")
        return self._large(vendor.report(self.message, word, f"/receipts/at/{TOKEN}"), size)

    def test_what_was_tampered_with_never_says_anything_else(self, driven: Driven) -> None:
        """What a token proves is who speaks, not what is said: every change of the URL's last segment is refused."""
        genuine = self.receipt(DeliveryState.DELIVERED)
        head = genuine.url.removesuffix(TOKEN)
        for place in range(len(TOKEN) * 8):
            data = bytearray(TOKEN.encode())
            data[place // 8] ^= 1 << place % 8
            forged = replace(genuine, url=head + data.decode("latin-1"))
            assert not self._read(driven, forged)


class TestAndroidGateway(OurIds):
    handle: ClassVar[str] = SEND_ID

    def settings(self, origin: str) -> GatewaySettings:
        return AndroidGatewaySettings(
            username=USER, password=PASSWORD, url=f"{origin}/3rdparty/v1/messages", signing_key=SecretStr("k3y")
        )

    def fake(self) -> Fake:
        return AndroidGateway(USER.get_secret_value(), PASSWORD.get_secret_value(), "k3y")

    def told_of(self, message: Message, state: DeliveryState, size: int = 0) -> InboundRequest:
        event = {DeliveryState.DELIVERED: "sms:delivered", DeliveryState.UNDELIVERED: "sms:failed"}[state]
        vendor = AndroidGateway("", "", "k3y")
        return vendor.report(message, event, int(datetime.now(UTC).timestamp()), size)


class TestKannel(OurIds, ProvedByUrl):
    handle: ClassVar[str] = SEND_ID

    def settings(self, origin: str) -> GatewaySettings:
        return KannelSettings(
            username=USER,
            password=PASSWORD,
            url=f"{origin}/cgi-bin/sendsms",
            receipt_url=RECEIPTS,
            receipt_secret=SecretStr(TOKEN),
        )

    def fake(self) -> Fake:
        return Kannel(USER.get_secret_value(), PASSWORD.get_secret_value())

    def told_of(self, message: Message, state: DeliveryState, size: int = 0) -> InboundRequest:
        value = {DeliveryState.DELIVERED: 1, DeliveryState.UNDELIVERED: 2}[state]
        return self._large(Kannel("", "").report(message, value), size)


class TestElks(OurIds, ProvedByUrl):
    handle: ClassVar[str] = SEND_ID

    def settings(self, origin: str) -> GatewaySettings:
        return ElksSettings(
            username=USER,
            password=PASSWORD,
            sender="Example",
            url=f"{origin}/a1/sms",
            receipt_url=RECEIPTS,
            receipt_secret=SecretStr(TOKEN),
        )

    def fake(self) -> Fake:
        return Elks(USER.get_secret_value(), PASSWORD.get_secret_value())

    def told_of(self, message: Message, state: DeliveryState, size: int = 0) -> InboundRequest:
        word = {DeliveryState.DELIVERED: "delivered", DeliveryState.UNDELIVERED: "failed"}[state]
        return self._large(Elks("", "").report(message, word), size)
