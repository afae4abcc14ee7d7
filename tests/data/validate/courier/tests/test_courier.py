import asyncio

from courier.deliver import Bus, deliver, sign, verify
from courier.settings import Settings


def poster(*statuses):
    left = list(statuses)

    async def post(url, body):
        return left.pop(0)

    return post


def test_settings():
    assert Settings.load({"url": "u", "retries": "5"}) == Settings("u", 5)


def test_deliver_after_a_failure():
    assert asyncio.run(deliver(poster(503, 202), Settings("u", 1), b"")) == 202


def test_verify():
    assert verify("s", {"X-Signature": sign("s", b"body")}, b"body")
    assert not verify("s", {"X-Signature": "00"}, b"body")


def test_bus():
    seen = []
    bus = Bus()
    bus.subscribe("a", seen.append)
    assert bus.publish("a", {"n": 1}) == 1
    assert seen == [{"n": 1}]
