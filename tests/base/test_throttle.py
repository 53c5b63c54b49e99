"""How often somebody may guess, and how many lines of the log that may cost. Time is a number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telephony.base.throttle import Notices, Throttle, network_of


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    """Above it, it says how long to wait, and after that one more is free."""
    brake = Throttle(burst=3, per_s=0.5)
    assert [brake.wrong("203.0.113.9", 0.0) for _ in range(5)] == [0, 0, 0, 2, 2]
    assert brake.wrong("203.0.113.9", 1.9) == 1
    assert brake.wrong("203.0.113.9", 2.0) == 0
    assert brake.wrong("203.0.113.9", 2.0) == 2
    assert brake.wrong("203.0.113.10", 2.0) == 0  # somebody else


def test_an_ipv6_network_is_one_stranger() -> None:
    """Of 64 bits, as providers give them away; an IPv4 address in IPv6's clothes is the IPv4 address."""
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:203.0.113.9") == "203.0.113.9"
    assert network_of("fe80::1%eth0") == network_of("fe80::2%eth1")
    assert network_of("") == "" and network_of("unix:") == "unix:"


@given(st.lists(st.tuples(st.ip_addresses().map(str), st.floats(-10, 10)), max_size=60))
def test_it_remembers_no_more_than_it_may_whatever_the_clock_does(visits: list[tuple[str, float]]) -> None:
    brake, now = Throttle(burst=2, per_s=1, most=5), 0.0
    for address, later in visits:
        now += later
        assert brake.wrong(address, now) >= 0
        assert len(brake) <= 5


def test_a_flood_is_summed_up() -> None:
    """The first lines are written at once, the others are counted by kind, and told once."""
    notices = Notices(burst=2, per_s=0.1)
    let_through = [notices.may(kind, 0.0) for kind in ("401", "404", "401", "401", "404")]
    assert let_through == [True] * 2 + [False] * 3
    assert notices.left_out(5.0, after_s=10) == ""
    assert notices.left_out(10.0, after_s=10) == "2 401, 1 404"
    assert notices.left_out(20.0, after_s=10) == ""
    assert notices.may("401", 20.0)
