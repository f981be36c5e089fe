"""Buckets of one process."""

import pytest

from zena.kit.errors import RateLimited
from zena.kit.ratelimit import Buckets, Limit


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def test_a_burst_then_a_steady_rate(time: Time) -> None:
    buckets, limit = Buckets(clock=time), Limit(10, 10)
    assert [buckets.take("k", limit).allowed for _ in range(12)] == [True] * 10 + [False] * 2
    refused = buckets.take("k", limit)
    assert refused.remaining == 0
    assert refused.wait == pytest.approx(1.0)
    time.now += 1.0
    assert [buckets.take("k", limit).allowed for _ in range(2)] == [True, False]
    time.now += 1000
    assert buckets.take("k", limit).remaining == 9


def test_the_answer_says_how_long_to_wait(time: Time) -> None:
    buckets, limit = Buckets(clock=time), Limit(2, 60)
    assert buckets.take("k", limit).headers() == {
        "RateLimit-Limit": "2",
        "RateLimit-Remaining": "1",
        "RateLimit-Reset": "30",
    }
    buckets.take("k", limit).check()
    with pytest.raises(RateLimited) as refused:
        buckets.take("k", limit).check()
    assert refused.value.headers["Retry-After"] == "30"
    assert refused.value.headers["RateLimit-Remaining"] == "0"


def test_people_firms_and_addresses_have_their_own(time: Time) -> None:
    buckets = Buckets(2, 3, 1, clock=time)
    assert [buckets.admit(user="a", tenant="t").allowed for _ in range(3)] == [True, True, False]
    assert [buckets.admit(user="b", tenant="t").allowed for _ in range(2)] == [True, False]
    assert buckets.admit(user="c", tenant="other").allowed
    assert [buckets.admit(address="1.2.3.4").allowed for _ in range(2)] == [True, False]
    assert buckets.admit(address="1.2.3.5").allowed


def test_what_others_spent_is_charged(time: Time) -> None:
    buckets, limit = Buckets(clock=time), Limit(10, 60)
    buckets.take("k", limit, 3)
    assert buckets.spent() == {"k": 3.0}
    assert buckets.spent() == {}
    buckets.charge("k", 6)
    assert buckets.take("k", limit).remaining == 0
    assert not buckets.take("k", limit).allowed
    buckets.charge("unknown", 5)
    buckets.charge("k", 10**9)
    time.now += 61
    assert not buckets.take("k", limit).allowed
    time.now += 60
    assert buckets.take("k", limit).allowed


def test_H08_the_number_of_buckets_is_bounded(time: Time) -> None:
    buckets, limit = Buckets(clock=time, max_keys=3), Limit(1, 60)
    for key in "abc":
        buckets.take(key, limit)
    assert not buckets.take("a", limit).allowed
    buckets.take("d", limit)
    assert not buckets.take("a", limit).allowed
    assert buckets.take("b", limit).allowed


def test_a_changed_limit_starts_afresh(time: Time) -> None:
    buckets = Buckets(clock=time)
    buckets.take("k", Limit(1, 60))
    assert buckets.take("k", Limit(5, 60)).remaining == 4
