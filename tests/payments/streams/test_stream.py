"""One stream between hub and writer: nothing twice, nothing out of order, and no waiting for who takes nothing."""

import asyncio

from core import clock
from payments.streams.reading import Told
from payments.streams.stream import MOST_WAITING, Stream


def told(*positions):
    return [Told(position, "store_1", clock.now(), b"<%d>" % position) for position in positions]


def in_loop(act):
    """What `act(stream)` returns, inside an event loop."""

    async def run():
        return await act(Stream(store="store_1", token="dtok_1", slot=0))

    return asyncio.run(run())


def test_what_a_beginning_has_told_already_is_not_told_again():
    async def act(stream):
        stream.tell(told(1, 2, 3))
        stream.position = 2
        return await stream.next()

    assert in_loop(act) == (b"<3>", True)


def test_a_sign_of_life_is_left_out_where_there_is_news():
    async def act(stream):
        stream.beat()
        quiet = await stream.next()
        stream.beat()
        stream.tell(told(1))
        return quiet, await stream.next()

    assert in_loop(act) == ((b": heartbeat\n\n", True), (b"<1>", True))


def test_who_has_not_taken_one_sign_of_life_by_the_next_is_cut_off():
    async def act(stream):
        stream.beat()
        once = stream.is_cut.done()
        stream.beat()
        return once, stream.is_cut.done(), stream.why

    assert in_loop(act) == (False, True, "slow")


def test_who_waits_for_us_is_not_cut_off_for_taking_nothing():
    async def act(stream):
        stream.waits_for_us = True
        for _ in range(3):
            stream.beat()
        waiting = stream.is_cut.done()
        stream.waits_for_us = False
        stream.beat()
        return waiting, stream.is_cut.done()

    assert in_loop(act) == (False, False)


def test_who_lets_too_much_wait_is_cut_off():
    async def act(stream):
        stream.tell(told(*range(MOST_WAITING)))
        full = stream.is_cut.done()
        stream.tell(told(MOST_WAITING))
        return full, stream.is_cut.done(), stream.why

    assert in_loop(act) == (False, True, "slow")


def test_the_last_word_comes_after_what_waits():
    async def act(stream):
        stream.tell(told(1))
        stream.close("token_revoked", {"reason": "token_revoked"})
        return await stream.next()

    body, more = in_loop(act)
    assert body == b'<1>event: closed\ndata: {"reason":"token_revoked"}\n\n'
    assert not more
