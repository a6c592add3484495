"""What wakes a process goes on, whatever anybody publishes."""

import asyncio

import redis
from django.conf import settings

from payments.store_events import channel_of
from payments.streams.wakes import Wakes


def heard(*channels, fault=None):
    """What is woken by a message on each of these channels, in their order; the first time `fault` is raised."""
    faults, woken = [fault] if fault else [], []

    def wake(store):
        woken.append(store)
        if faults:
            raise faults.pop()

    async def listen():
        client, ready = redis.Redis.from_url(settings.REDIS_URL), asyncio.Event()
        listening = asyncio.create_task(Wakes(wake=wake, wake_all=ready.set).listen())
        for number, channel in enumerate(channels, start=1):
            await asyncio.wait_for(ready.wait(), 20)
            while len(woken) < number:
                client.publish(channel, b"{}")
                await asyncio.sleep(0.1)
                assert not listening.done()
            if fault and number == 1:
                ready.clear()
        listening.cancel()

    asyncio.run(asyncio.wait_for(listen(), 60))
    return woken


def test_a_channel_whose_name_is_no_text_ends_nothing():
    odd = channel_of("store_").encode() + b"\xff"
    woken = heard(odd, channel_of("store_wakes2"))
    assert "store_wakes2" in woken


def test_a_fault_of_ours_is_written_down_and_listened_past(caplog):
    woken = heard(channel_of("store_wakes1"), channel_of("store_wakes2"), fault=ValueError("so"))
    assert {"store_wakes1", "store_wakes2"} <= set(woken)
    [line] = [record for record in caplog.records if record.message == "streams are not woken"]
    assert line.fault == "ValueError"
