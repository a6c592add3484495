"""The one claimer: rows in lanes under leases, done by threads; and wake-ups that never stand in the way."""

import json
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
import redis
from django.conf import settings as house
from django.db import connection, transaction

from core import clock
from events import inbox, work
from events.models import Attention, Callback, Event
from events.transitions import move
from events.work import Drain, Queue, claim
from merchants.models import Delivery, WebhookEndpoint
from tests import factories
from tests.payments.world import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account():
    return factories.ProviderAccountFactory()


def rows(account, count, *, lane="a", due=timedelta(0), **given):
    return [
        factories.CallbackFactory(provider_account=account, lane=lane, due_at=clock.now() + due, **given)
        for _ in range(count)
    ]


def queue(do=lambda row: None, *, lane_limit=8, threads=16, **given):
    return Queue("tests", model=Callback, do=do, lane_limit=lane_limit, threads=threads, **given)


def finish_all(outcomes):
    Callback.objects.filter(pk__in=[row.pk for row, _ in outcomes]).update(claim=None, due_at=None)


def parallel(*actions):
    def leave(action):
        try:
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return [future.result(20) for future in [pool.submit(leave, action) for action in actions]]


# Claiming


def test_due_rows_are_leased_and_others_left(account, settings):
    due = rows(account, 2)
    rows(account, 1, due=timedelta(seconds=60))
    factories.CallbackFactory(provider_account=account, due_at=None)
    before = clock.now()
    claimed = claim(queue(), free=16)
    assert {row.pk for row in claimed} == {row.pk for row in due}
    for row in claimed:
        assert row.claim == claimed[0].claim
        assert row.tries == 1
        assert before + settings.WORK_LEASE <= row.due_at <= clock.now() + settings.WORK_LEASE
    assert claim(queue(), free=16) == []


def test_eight_claimers_at_once_never_claim_the_same_row(account):
    for lane in "abcdefgh":
        rows(account, 5, lane=lane)
    asked = queue(lane_limit=100)
    claimed = parallel(*[lambda: claim(asked, free=8)] * 8)
    found = Counter(row.pk for batch in claimed for row in batch)
    assert set(found.values()) == {1}
    assert len(found) >= 16


def test_a_row_that_another_transaction_has_locked_is_skipped(account):
    (locked,) = rows(account, 1)
    (free,) = rows(account, 1)
    with transaction.atomic():
        Callback.objects.select_for_update().get(pk=locked.pk)
        (claimed,) = parallel(lambda: claim(queue(), free=16))
    assert [row.pk for row in claimed] == [free.pk]


def test_a_lane_has_at_most_its_cap_in_flight_over_all_claimers(account):
    rows(account, 10, lane="a")
    rows(account, 1, lane="b")
    asked = queue(lane_limit=3)
    claimed = [row for batch in parallel(*[lambda: claim(asked, free=16)] * 4) for row in batch]
    assert Counter(row.lane for row in claimed) == {"a": 3, "b": 1}


def test_lanes_take_turns_and_a_lane_takes_a_quarter_of_what_is_free(account):
    rows(account, 30, lane="a")
    rows(account, 2, lane="b")
    rows(account, 2, lane="c")
    assert Counter(row.lane for row in claim(queue(lane_limit=50), free=16)) == {"a": 4, "b": 2, "c": 2}
    assert claim(queue(), free=0) == []


def test_the_oldest_of_a_lane_goes_first(account):
    (young,) = rows(account, 1, due=timedelta(seconds=-1))
    (old,) = rows(account, 1, due=timedelta(seconds=-9))
    assert [row.pk for row in claim(queue(lane_limit=1), free=16)] == [old.pk]
    assert young.pk


def test_where_lanes_are_more_than_threads_the_oldest_rows_go_first_whatever_their_lanes_are_called(account):
    for place in range(30):
        rows(account, 2, lane=f"lane {place:02}", due=timedelta(seconds=-place))
    assert {row.lane for row in claim(queue(), free=4)} == {f"lane {place}" for place in (29, 28, 27, 26)}


def test_a_lane_with_nothing_in_flight_goes_before_all_that_have_something(account):
    asked = queue()
    for lane in "abcdefgh":
        rows(account, 3, lane=lane, due=timedelta(seconds=-9))
    assert {row.lane for row in claim(asked, free=8)} == set("abcdefgh")
    for lane in "stuvwxyz":
        rows(account, 1, lane=lane)
    assert {row.lane for row in claim(asked, free=8)} == set("stuvwxyz")


def test_what_a_lane_has_put_off_for_later_is_not_in_flight(account, settings):
    rows(account, 3, lane="a", due=timedelta(hours=1), claim=uuid.uuid4())
    rows(account, 2, lane="a")
    assert len(claim(queue(lane_limit=2), free=16)) == 2


def deliveries(merchant, count):
    """One that is due for each of so many endpoints."""
    event = factories.EventFactory(about__merchant=merchant)
    made = [factories.WebhookEndpointFactory(merchant=merchant) for _ in range(count)]
    return [factories.DeliveryFactory(event=event, endpoint=endpoint, due_at=clock.now()) for endpoint in made]


def test_a_merchant_with_many_endpoints_takes_half_of_the_threads_that_the_others_leave(account):
    asked = Queue("x", model=Delivery, do=print, lane_limit=4, threads=16, lanes=WebhookEndpoint)
    many, one = factories.MerchantFactory(), factories.MerchantFactory()
    deliveries(many, 40)
    claimed = claim(asked, free=16)
    assert {row.owner_of_lane for row in claimed} == {many.pk}
    assert len(claimed) == 8
    assert claim(asked, free=8, held={many.pk: 8}) == []
    assert len(claim(asked, free=1)) == 1
    deliveries(one, 2)
    assert [row.owner_of_lane for row in claim(asked, free=8, held={many.pk: 8})] == [one.pk] * 2
    assert len(claim(asked, free=12, held={many.pk: 4})) == 4


def test_a_lease_that_has_ended_is_taken_over(account, settings):
    (row,) = rows(account, 1)
    (first,) = claim(queue(), free=4)
    with clock.shifted(settings.WORK_LEASE - timedelta(seconds=1)):
        assert claim(queue(), free=4) == []
    with clock.shifted(settings.WORK_LEASE + timedelta(seconds=1)):
        (second,) = claim(queue(), free=4)
    assert (second.pk, second.tries) == (row.pk, 2)
    assert second.claim != first.claim


def test_a_row_that_was_tried_as_often_as_can_be_counted_does_not_stop_the_others(account):
    rows(account, 1, tries=32767)
    rows(account, 1, lane="b")
    assert sorted(row.tries for row in claim(queue(), free=16)) == [1, 32767]


def test_related_rows_are_fetched_with_a_claim(django_assert_num_queries):
    delivery = factories.DeliveryFactory(due_at=clock.now())
    asked = Queue("x", model=type(delivery), do=print, lane_limit=2, threads=4, related=("endpoint", "event"))
    (claimed,) = claim(asked, free=4)
    with django_assert_num_queries(0):
        assert (claimed.endpoint.pk, claimed.event.pk) == (delivery.endpoint_id, delivery.event_id)


# Draining


def test_a_drain_works_until_nothing_is_due_in_batches(account):
    for lane in "abc":
        rows(account, 9, lane=lane)
    done, batches = Counter(), []

    def finish(outcomes):
        batches.append(len(outcomes))
        done.update(row.pk for row, result in outcomes if result == "done")
        finish_all(outcomes)

    queue(lambda row: "done", finish=finish)()
    assert len(done) == 27
    assert set(done.values()) == {1}
    assert len(batches) < 27


def test_a_hanging_lane_leaves_room_for_the_others(account):
    rows(account, 30, lane="hanging")
    rows(account, 30, lane="healthy", due=timedelta(seconds=1))
    free, healthy, in_flight, most = threading.Event(), threading.Semaphore(0), [], []

    def do(row):
        if row.lane == "healthy":
            healthy.release()
            return
        in_flight.append(row.pk)
        most.append(len(in_flight))
        free.wait(10)
        in_flight.remove(row.pk)

    asked = queue(do, lane_limit=8, threads=16, finish=finish_all)
    with ThreadPoolExecutor(1) as pool, clock.shifted(timedelta(seconds=2)):
        draining = pool.submit(lambda: (asked(), connection.close()))
        try:
            for _ in range(30):
                assert healthy.acquire(timeout=5)
            assert not draining.done()
            assert max(most) == 4
        finally:
            free.set()
        draining.result(20)
    assert not Callback.objects.filter(due_at__isnull=False).exists()


def test_one_merchants_hanging_endpoints_more_than_there_are_threads_delay_nobody_elses(account):
    hanging, healthy = factories.MerchantFactory(), factories.MerchantFactory()
    deliveries(hanging, 20)
    free, hung, delivered = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    def do(delivery):
        if delivery.endpoint.merchant_id == healthy.pk:
            delivered.release()
            return
        hung.release()
        free.wait(60)

    def finish(outcomes):
        Delivery.objects.filter(pk__in=[row.pk for row, _ in outcomes]).update(claim=None, due_at=None)

    asked = Queue(
        "x", model=Delivery, do=do, finish=finish, lane_limit=4, threads=8, lanes=WebhookEndpoint, related=("endpoint",)
    )
    with ThreadPoolExecutor(1) as pool:
        draining = pool.submit(lambda: (asked(), connection.close()))
        try:
            for _ in range(4):
                assert hung.acquire(timeout=30)
            deliveries(healthy, 3)  # with later ids than all that hang
            for _ in range(3):
                assert delivered.acquire(timeout=30)
            assert not draining.done()
        finally:
            free.set()
        draining.result(60)
    assert not Delivery.objects.filter(due_at__isnull=False).exists()


def test_a_failing_row_backs_off_further_each_time_and_is_handed_to_a_person(account):
    (row,) = rows(account, 1)
    handed = []

    def fail(row):
        raise ValueError("sk_test_secret")

    asked = queue(fail, failing=handed.append)
    passed = timedelta(0)
    for tries, wait in enumerate((5, 30, 120, 600, 1800, 1800), start=1):
        with clock.stopped(), clock.shifted(passed):
            asked()
            row.refresh_from_db()
            assert (row.tries, row.claim) == (tries, None)
            assert row.due_at - clock.now() == timedelta(seconds=wait)
        passed += timedelta(seconds=wait + 1)
        assert len(handed) == max(0, tries - 4)


def test_a_callback_that_always_fails_is_on_the_attention_list_once(account):
    row = factories.CallbackFactory(provider_account=account, due_at=clock.now(), tries=4, door="nonsense")
    work.drain("callbacks")
    inbox._failing(row)
    assert [item.subject for item in Attention.objects.filter(reason="failing")] == [row.pk]


def test_one_failing_row_does_not_keep_the_others_from_being_stored(account):
    bad, *good = rows(account, 5)
    stored = []

    def do(row):
        if row.pk == bad.pk:
            raise ValueError
        return row.pk

    queue(do, finish=lambda outcomes: (stored.extend(row.pk for row, _ in outcomes), finish_all(outcomes)))()
    assert sorted(stored) == sorted(row.pk for row in good)


def test_the_fault_of_a_lost_lease_does_not_overwrite_what_its_successor_holds(account):
    (row,) = rows(account, 1)
    (lost,) = claim(queue(), free=4)
    with clock.shifted(timedelta(minutes=5)):
        (held,) = claim(queue(), free=4)
    queue()._failed(lost)
    row.refresh_from_db()
    assert (row.claim, row.due_at) == (held.claim, held.due_at)


def test_a_drain_that_is_called_while_it_runs_goes_round_once_more():
    began, go_on, rounds = threading.Event(), threading.Event(), []

    def once():
        rounds.append(1)
        began.set()
        go_on.wait(5)
        return False

    drain = Drain("tests", once)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(drain)
        assert began.wait(5)
        for _ in range(5):
            drain()
        go_on.set()
        running.result(5)
    assert len(rounds) == 2


def test_a_drain_ends_also_while_work_keeps_coming_and_wakes_another(account, monkeypatch):
    monkeypatch.setattr(work, "_STAYS_AWAKE", 0)
    rows(account, 1)
    asked = queue(lambda row: rows(account, 1), finish=finish_all)
    asked()
    assert waiting() == ["['tests']"]
    assert Callback.objects.filter(due_at__isnull=False, claim=None).count() == 1


def test_what_a_drain_still_finishes_keeps_nobody_waiting(account, monkeypatch):
    monkeypatch.setattr(work, "_STAYS_AWAKE", 0)
    rows(account, 1, lane="hanging")
    free, done = threading.Event(), []

    def do(row):
        if row.lane == "hanging":
            free.wait(60)
        done.append(row.lane)

    asked = queue(do, finish=finish_all)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: (asked(), connection.close()))
        try:
            until(waiting)
            rows(account, 3, lane="healthy")
            asked()
            assert done == ["healthy"] * 3
            assert not first.done()
        finally:
            free.set()
        first.result(60)
    assert not Callback.objects.filter(due_at__isnull=False).exists()


def test_a_drain_without_rows_ends_while_there_is_always_more(monkeypatch):
    monkeypatch.setattr(work, "_STAYS_AWAKE", 0)
    Drain("tests", lambda: True)()
    assert waiting() == ["['tests']"]


# Waking


def waiting():
    """The names of the drains that were asked for, in the broker."""
    client = redis.Redis.from_url(house.REDIS_URL)
    return [
        json.loads(message)["headers"]["argsrepr"]
        for key in client.scan_iter("*lango")
        if client.type(key) == b"list"
        for message in client.lrange(key, 0, -1)
    ]


def test_a_thousand_commits_wake_one_drain():
    for _ in range(1000):
        work.wake_up("outbox")
    assert waiting() == ["['outbox']"]


def test_a_drain_that_begins_can_be_woken_again():
    work.wake_up("outbox")
    work.drain("outbox")
    work.wake_up("outbox")
    assert len(waiting()) == 2


def test_it_wakes_on_commit_once_and_not_when_rolled_back():
    with transaction.atomic():
        work.wake_on_commit("outbox")
        work.wake_on_commit("outbox")
        assert len(connection.run_on_commit) == 1
        assert waiting() == []
    assert len(waiting()) == 1
    with suppress(ZeroDivisionError), transaction.atomic():
        work.wake_on_commit("deliveries")
        1 / 0  # noqa: B018
    assert len(waiting()) == 1


@pytest.fixture(params=["refused_port", "black_hole"])
def redis_away(request, redis_at):
    redis_at(f"redis://127.0.0.1:{request.getfixturevalue(request.param)}/0")


def test_while_redis_is_away_a_wake_up_never_raises_and_does_not_wait_for_it(redis_away):
    """For 40 ms, by the setting; what a busy machine adds is not ours."""
    began = time.perf_counter()
    for _ in range(3):
        work.wake_up("outbox")
        work._redis_away_until = 0.0
    assert time.perf_counter() - began < 3


def test_while_redis_is_away_only_one_wake_up_in_a_second_waits(redis_away):
    work.wake_up("outbox")
    began = time.perf_counter()
    for _ in range(1000):  # 40 s, if each of them waited
        work.wake_up("outbox")
    assert time.perf_counter() - began < 5


def test_what_waited_while_redis_was_away_goes_out_when_it_is_back(redis_at, refused_port, account):
    ours = house.REDIS_URL
    redis_at(f"redis://127.0.0.1:{refused_port}/0")
    payment = factories.PaymentFactory()
    with transaction.atomic():
        move(payment, "failed", by="tests", because="so")
    redis_at(ours)
    assert waiting() == []
    work.drain("outbox")
    assert Event.objects.get().position == 1
    work.wake_up("deliveries")
    assert waiting() == ["['deliveries']"]


def test_a_drain_works_while_redis_is_away(redis_away):
    work.drain("outbox")
