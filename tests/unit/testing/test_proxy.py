"""What a `FaultProxy` says without a network: addresses, arguments, states, and which byte a cut falls on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from signalr_client.testing import Direction, FaultProxy
from signalr_client.testing.cuts import CutPoints
from signalr_client.testing.events import EventLog

UP, DOWN = Direction.TO_SERVER, Direction.TO_CLIENT


@pytest.mark.parametrize(
    ("target", "port", "seen"),
    [
        ("http://localhost:5000/hub?a=1&b=%20", None, "http://127.0.0.1:7000/hub?a=1&b=%20"),
        ("https://example.org/hub", None, "https://127.0.0.1:7000/hub"),
        ("ws://[::1]:80/", None, "ws://127.0.0.1:7000/"),
        ("http://anna:secret@host/x", None, "http://anna:secret@127.0.0.1:7000/x"),
        ("localhost", 5000, "http://127.0.0.1:7000"),
        ("::1", 5000, "http://127.0.0.1:7000"),
    ],
)
def test_the_url_differs_from_the_targets_in_host_and_port_only(target: str, port: int | None, seen: str) -> None:
    assert FaultProxy(target, port, port=7000).url == seen


def test_an_ipv6_address_to_listen_on_has_brackets_in_the_url() -> None:
    assert FaultProxy("http://host/hub", host="::1", port=7000).url == "http://[::1]:7000/hub"


def test_there_is_no_url_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = FaultProxy("http://localhost/hub").url


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: FaultProxy("localhost"), "The target is a URL, .* or a host with a port"),
        (lambda: FaultProxy("http://localhost/?access_token=secret", 80), "The target is a URL, .* or a host with a port"),
        (lambda: FaultProxy("ftp://localhost/?access_token=secret"), "its scheme is 'ftp'"),
        (lambda: FaultProxy("http:///hub?access_token=secret"), "has no host"),
        (lambda: FaultProxy("h", 1).delay(-0.1), "seconds must be 0 or more, not -0.1"),
        (lambda: FaultProxy("h", 1).delay(float("nan")), "seconds must be 0 or more, not nan"),
        (lambda: FaultProxy("h", 1).throttle(0), "bytes_per_second must be more than 0, not 0"),
        (lambda: FaultProxy("h", 1).throttle(float("inf")), "bytes_per_second must be more than 0, not inf"),
        (lambda: FaultProxy("h", 1).chunk(0), "size must be at least 1 byte, not 0"),
        (lambda: FaultProxy("h", 1).cut_after(-1), "count must be 0 bytes or more, not -1"),
        (lambda: FaultProxy("h", 1).cut_after(1, how="close"), "how must be 'cut' or 'reset', not 'close'"),  # type: ignore[arg-type]
        (lambda: FaultProxy("https://h/").cut_after(1, between_messages=True), "cannot be told apart inside TLS"),
    ],
)
def test_a_wrong_argument_is_a_value_error_that_names_it_and_no_secrets(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        make()
    assert "secret" not in str(caught.value)


def test_a_proxy_that_does_not_run_has_nothing_to_cut() -> None:
    proxy = FaultProxy("localhost", 1)
    assert (proxy.cut(), proxy.reset(), proxy.half_close(DOWN)) == (0, 0, 0)
    assert (proxy.connections, proxy.events, proxy.bytes_to_client) == ([], [], 0)


def test_the_tools_do_not_import_pytest() -> None:
    """Only the module with the fixtures needs it."""
    program = (
        "import sys, signalr_client.testing; sys.exit(sum(name.startswith(('pytest', '_pytest')) for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# Which byte a cut falls on: (direction, bytes, boundaries) pass; how many of them pass, and how the connection is then cut


@pytest.fixture
def cuts() -> CutPoints:
    return CutPoints(EventLog())


def test_a_cut_falls_after_its_last_byte_at_once(cuts: CutPoints) -> None:
    point = cuts.plan(10, DOWN, "cut", between_messages=False)
    assert cuts.passage(1, DOWN, 6, []) == (6, None)
    assert cuts.passage(1, UP, 100, []) == (100, None)
    assert cuts.passage(2, DOWN, 4, []) == (4, "cut")
    assert cuts.passage(3, DOWN, 4, []) == (4, None)
    assert point.connection_id == 2


def test_a_cut_after_nothing_falls_before_the_next_byte(cuts: CutPoints) -> None:
    cuts.plan(0, None, "reset", between_messages=False)
    assert cuts.passage(1, UP, 1, []) == (0, "reset")


def test_the_first_of_several_cuts_decides_and_the_others_count_what_passed(cuts: CutPoints) -> None:
    later, first = (cuts.plan(count, DOWN, "cut", between_messages=False) for count in (30, 20))
    assert cuts.passage(1, DOWN, 100, []) == (20, "cut")
    assert (later.connection_id, first.connection_id) == (None, 1)
    assert cuts.passage(2, DOWN, 100, []) == (10, "cut")
    assert later.connection_id == 2


def test_two_cuts_on_one_byte_are_one(cuts: CutPoints) -> None:
    points = [cuts.plan(5, direction, "cut", between_messages=False) for direction in (UP, None)]
    assert cuts.passage(7, UP, 100, []) == (5, "cut")
    assert [point.connection_id for point in points] == [7, 7]


@pytest.mark.parametrize(
    ("count", "boundaries", "size", "passage"),
    [
        (0, [0, 10, 20], 20, (0, "cut")),
        (0, [10, 20], 20, (10, "cut")),
        (1, [0, 10, 20], 20, (10, "cut")),
        (10, [0, 10, 20], 20, (10, "cut")),
        (11, [0, 10, 20], 20, (20, "cut")),
        (11, [0, 10], 20, (20, None)),
        (100, [0, 10, 20], 20, (20, None)),
    ],
)
def test_a_cut_between_messages_falls_on_the_next_boundary(
    cuts: CutPoints, count: int, boundaries: list[int], size: int, passage: tuple[int, str | None]
) -> None:
    cuts.plan(count, DOWN, "cut", between_messages=True)
    assert cuts.passage(1, DOWN, size, boundaries) == passage


def test_a_cut_waits_for_the_end_of_a_message_that_comes_in_pieces(cuts: CutPoints) -> None:
    cuts.plan(5, DOWN, "cut", between_messages=True)
    assert cuts.passage(1, DOWN, 10, [0]) == (10, None)
    assert cuts.passage(1, DOWN, 10, []) == (10, None)
    assert cuts.passage(1, DOWN, 10, [3]) == (3, "cut")


async def test_a_cut_between_messages_that_cannot_be_told_apart_says_so(cuts: CutPoints) -> None:
    point = cuts.plan(5, None, "cut", between_messages=True)
    other = cuts.plan(8, None, "cut", between_messages=False)
    assert cuts.passage(3, UP, 10, None) == (8, "cut")
    with pytest.raises(RuntimeError, match=r"Connection 3 carries no plain HTTP/1\.1"):
        await point.wait()
    assert await other.wait() == 3


async def test_a_cut_that_is_cancelled_lets_everything_pass(cuts: CutPoints) -> None:
    point = cuts.plan(5, None, "cut", between_messages=False)
    point.cancel()
    assert cuts.passage(1, UP, 10, []) == (10, None)
    with pytest.raises(RuntimeError, match="The cut was cancelled"):
        await point.wait()
    point = cuts.plan(5, None, "cut", between_messages=False)
    assert cuts.passage(1, UP, 10, []) == (5, "cut")
    point.cancel()
    assert await point.wait() == 1


# The fixture


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_fixture_starts_proxies_and_stops_them(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    pytester.makeconftest('pytest_plugins = ["signalr_client.testing.fixtures"]')
    pytester.makepyfile(
        """
        import pytest
        from signalr_client.server import Hub, HubServer

        started = []

        class Nothing(Hub):
            pass

        @pytest.mark.asyncio
        async def test_it(fault_proxy):
            async with HubServer({"/hub": Nothing}) as server:
                started.append(await fault_proxy(server.url("/hub")))
                started.append(await fault_proxy("127.0.0.1", 1, port=0))
            assert started[0].url.endswith("/hub")

        @pytest.mark.asyncio
        async def test_they_are_stopped():
            for proxy in started:
                with pytest.raises(RuntimeError, match="stopped"):
                    await proxy.wait_connections(1)
        """
    )
    settings = (f"asyncio_mode={mode}", "asyncio_default_fixture_loop_scope=function")
    options = [part for setting in settings for part in ("-o", setting)]
    result = pytester.runpytest_subprocess(*options, "-p", "no:cacheprovider", "-W", "error")
    result.assert_outcomes(passed=2)
