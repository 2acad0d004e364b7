"""Verify two phone numbers at once, awaiting. The fake provider keeps the codes, as a test of your own would."""

import asyncio

from otpcore import Approved, AsyncEngine, Sent, Wrong
from otpcore.providers.fake import AsyncFakeProvider
from otpcore.stores.memory import MemoryStore


async def verify(engine: AsyncEngine, phones: AsyncFakeProvider, number: str) -> bool:
    sent = await engine.start(number, purpose="login")
    if not isinstance(sent, Sent):
        return False
    match await engine.check(sent.session.token or "", phones.code_for(number)):
        case Approved():
            return True
        case Wrong(next=following):
            print("wrong;", following.checks_left, "checks left")
        case other:
            print("over:", other)
    return False


async def main() -> None:
    phones = AsyncFakeProvider()
    async with AsyncEngine(MemoryStore(), phones) as engine:
        numbers = ["+12025550123", "+12025550124"]
        print(await asyncio.gather(*(verify(engine, phones, number) for number in numbers)))


if __name__ == "__main__":
    asyncio.run(main())
