"""Renewing the access token of a connection that stands."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from signalr_client import HttpTransportType, HubConnectionBuilder, HubProtocol, InvalidStateError, TransportError
from signalr_client.client import refresh
from signalr_client.server import AuthenticationRefreshContext, Hub, User, authorize, bearer_token
from tests.support.hub_server import Serving, serving
from tests.support.hubs import TRANSPORTS
from tests.support.scripted_server import OFFER, ScriptedServer

LIFETIME = 3600.0


@authorize
class Secured(Hub):
    log: list[str]

    def who(self) -> str | None:
        return self.context.user.name

    def keep(self, value: str) -> None:
        self.context.items["kept"] = value

    def kept(self) -> Any:
        return self.context.items.get("kept")

    async def wait_for_change(self) -> list[str | None]:
        """Return the user before and after the connection's authentication was renewed, as this call sees it."""
        before = self.context.user.name
        await self.context.items.setdefault("renewed", asyncio.Event()).wait()
        return [before, self.context.user.name]

    def cut(self) -> None:
        """Drop the socket without a word."""
        request = self.context.get_http_request()
        if request is not None and request.transport is not None:
            request.transport.abort()

    async def on_authentication_refreshed(self) -> None:
        self.context.items.setdefault("renewed", asyncio.Event()).set()
        Secured.log.append(f"refreshed {self.context.user.name} {self.context.user_identifier}")

    async def on_disconnected(self, exception: BaseException | None) -> None:
        Secured.log.append(f"left {self.context.user.name}")


def user_of(request: web.Request) -> User | None:
    """Tokens are ``name:version``, or ``name:version:seconds`` for one that lasts so long; a name may have several versions."""
    token = bearer_token(request)
    if token is None:
        return None
    name, _, rest = token.partition(":")
    seconds = float(rest.partition(":")[2] or LIFETIME)
    return User(name=f"{name} {rest.partition(':')[0]}", identifier=name, expires_at=time.time() + seconds)


class Tokens:
    """An access token factory that hands out a new version each time it is asked."""

    def __init__(self, name: str = "anna", seconds: str = "") -> None:
        self.name, self.seconds = name, seconds
        self.version = 0

    def __call__(self) -> str:
        self.version += 1
        return f"{self.name}:{self.version}{self.seconds}"


def secured(**options: Any) -> Any:
    Secured.log = []
    return serving(Secured, authenticate=user_of, enable_authentication_refresh=True, **options)


@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_a_new_token_is_accepted_and_the_connection_goes_on(transport: HttpTransportType) -> None:
    async with secured() as serve:
        tokens = Tokens()
        client = serve.builder(transports=transport, access_token_factory=tokens).build()
        told: asyncio.Queue[float | None] = asyncio.Queue()
        client.on_authentication_refreshed(told.put_nowait)
        async with client:
            connection_id = client.connection_id
            first = await client.invoke("Who")
            await client.invoke("Keep", "a value")
            lifetime = await client.refresh_authentication()
            assert lifetime is not None
            assert LIFETIME - 60 < lifetime <= LIFETIME
            assert await told.get() == lifetime
            assert await client.invoke("Who") == f"anna {tokens.version}" != first
            assert (client.connection_id, await client.invoke("Kept")) == (connection_id, "a value")
            latest = tokens.version
            assert Secured.log == [f"refreshed anna {latest} anna"]
        assert Secured.log[-1] == f"left anna {latest}"
        assert tokens.version == latest  # the accepted token serves every later request


async def test_a_running_call_keeps_the_user_it_began_with(hub_protocol: HubProtocol) -> None:
    async with secured(maximum_parallel_invocations_per_client=2) as serve:
        client = await serve.connect(hub_protocol, access_token_factory=Tokens())
        call = asyncio.create_task(client.invoke("WaitForChange"))
        await client.invoke("Who")
        await client.refresh_authentication()
        assert await call == ["anna 2", "anna 2"]  # 1 was negotiate's, 2 the WebSocket's
        assert await client.invoke("Who") == "anna 3"


async def test_the_token_is_renewed_in_time_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "MINIMUM_DELAY", 0.0)
    async with secured() as serve:
        client = (
            serve.builder(access_token_factory=Tokens(seconds=":1")).with_authentication_refresh(before_expiration=10).build()
        )
        told: asyncio.Queue[float | None] = asyncio.Queue()
        client.on_authentication_refreshed(told.put_nowait)
        async with asyncio.timeout(5), client:
            for _ in range(3):  # each renewal is for less than a second: the next one follows at once
                assert await told.get() == 0
        assert len(Secured.log) >= 4


async def test_it_is_not_renewed_by_itself_where_that_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "MINIMUM_DELAY", 0.0)
    async with secured() as serve:
        tokens = Tokens(seconds=":1")
        client = serve.builder(access_token_factory=tokens).with_authentication_refresh(automatic=False).build()
        async with client:
            for _ in range(20):
                await client.invoke("Who")
            assert tokens.version == 2


async def test_a_refresh_that_fails_is_told_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "MINIMUM_DELAY", 0.0)
    asked = []

    def never(context: AuthenticationRefreshContext) -> bool:
        asked.append(context)
        return False

    async with secured(on_authentication_refresh=never) as serve:
        client = serve.builder(access_token_factory=Tokens(seconds=":1")).build()
        failures: asyncio.Queue[Exception] = asyncio.Queue()
        client.on_authentication_refresh_failed(failures.put_nowait)
        async with asyncio.timeout(5), client:
            failure = await failures.get()
            assert isinstance(failure, TransportError)
            assert failure.status == 403
            for _ in range(20):
                assert await client.invoke("Who") == "anna 2"  # the connection goes on with what it had
        assert len(asked) == 1
        assert asked[0].previous_user.name == "anna 2"
        assert asked[0].new_user.name == "anna 3"
        assert failures.empty()


async def test_a_factory_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "MINIMUM_DELAY", 0.0)
    tokens = Tokens(seconds=":1")

    def factory() -> str:
        if tokens.version == 2:
            raise RuntimeError("no more tokens")
        return tokens()

    async with secured() as serve:
        client = serve.builder(access_token_factory=factory).build()
        failures: asyncio.Queue[Exception] = asyncio.Queue()
        client.on_authentication_refresh_failed(failures.put_nowait)
        async with asyncio.timeout(5), client:
            assert str(await failures.get()) == "no more tokens"
            assert await client.invoke("Who") == "anna 2"


async def test_nobody_but_the_same_user_may_renew_unless_the_application_says_so() -> None:
    async with secured() as serve:
        tokens = Tokens()
        client = await serve.connect(access_token_factory=tokens)
        tokens.name = "bert"
        with pytest.raises(TransportError, match=r"status code does not indicate success: 403") as refused:
            await client.refresh_authentication()
        assert refused.value.status == 403
        assert await client.invoke("Who") == "anna 2"
    async with secured(on_authentication_refresh=lambda _context: True) as serve:
        tokens = Tokens()
        client, heard = await serve.listener(access_token_factory=tokens)
        tokens.name = "bert"
        await client.refresh_authentication()
        await serve.hub_context.clients.user("anna").send("M", "for anna")
        await serve.hub_context.clients.user("bert").send("M", "for bert")
        assert await heard.get() == "for bert"


async def test_the_expiry_moves_with_the_renewal() -> None:
    """With close_on_authentication_expiration, a connection whose token was renewed stays."""
    async with secured(close_on_authentication_expiration=True) as serve:
        tokens = Tokens(seconds=":0.2")
        client = serve.builder(access_token_factory=tokens).with_authentication_refresh(automatic=False).build()
        closed = asyncio.Event()
        client.on_close(lambda _error: closed.set())
        async with client:
            tokens.seconds = ""
            await client.refresh_authentication()
            expired: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.3, expired.set_result, None)
            await expired
            assert await client.invoke("Who") == "anna 3"
            assert not closed.is_set()


class Raw:
    """Requests by hand."""

    def __init__(self, serve: Serving, session: aiohttp.ClientSession) -> None:
        self._serve, self._session = serve, session

    async def request(self, method: str, path: str, token: str | None = "anna:1", **query: str) -> tuple[int, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with self._session.request(method, self._serve.url + path, headers=headers, params=query) as answer:
            return answer.status, await (answer.json() if answer.content_type == "application/json" else answer.text())


async def test_the_refresh_address() -> None:
    """Its status codes, and the member that negotiate has where it is on."""
    async with secured() as serve, aiohttp.ClientSession() as session:
        raw = Raw(serve, session)
        status, negotiated = await raw.request("POST", "/negotiate", negotiateVersion="1")
        assert (status, list(negotiated)) == (
            200,
            ["negotiateVersion", "connectionId", "connectionToken", "tokenLifetimeSeconds", "availableTransports"],
        )
        assert LIFETIME - 60 < negotiated["tokenLifetimeSeconds"] <= LIFETIME
        token = negotiated["connectionToken"]
        assert await raw.request("GET", "/refresh", id=token) == (405, "")
        assert await raw.request("POST", "/refresh") == (400, "Connection ID required")
        assert await raw.request("POST", "/refresh", id="unknown") == (404, "No Connection with that ID")
        assert await raw.request("POST", "/refresh", id=token) == (404, "No Connection with that ID")  # not connected yet
        assert (await raw.request("GET", "", id=token))[0] == 200  # the first poll
        assert (await raw.request("POST", "/refresh", None, id=token))[0] == 401
        assert (await raw.request("POST", "/refresh", "bert:1", id=token))[0] == 403
        status, answer = await raw.request("POST", "/refresh", "anna:2", id=token)
        assert (status, list(answer)) == (200, ["tokenLifetimeSeconds"])
        assert (await raw.request("DELETE", "", id=token))[0] == 202


async def test_a_server_without_it_has_no_such_address() -> None:
    async with serving(Secured, authenticate=user_of) as serve, aiohttp.ClientSession() as session:
        Secured.log = []
        _status, negotiated = await Raw(serve, session).request("POST", "/negotiate", negotiateVersion="1")
        assert "tokenLifetimeSeconds" not in negotiated
        client = await serve.connect(access_token_factory=Tokens())
        with pytest.raises(TransportError, match="404") as refused:
            await client.refresh_authentication()
        assert refused.value.status == 404


async def test_when_it_makes_no_sense_it_says_so() -> None:
    async with secured() as serve:
        client = serve.builder(access_token_factory=Tokens()).build()
        with pytest.raises(InvalidStateError, match="Cannot refresh authentication when the connection is not active"):
            await client.refresh_authentication()
        direct = await serve.connect(
            access_token_factory=Tokens(), skip_negotiation=True, transports=HttpTransportType.WEB_SOCKETS
        )
        with pytest.raises(InvalidStateError, match="needs a negotiated connection"):
            await direct.refresh_authentication()
    with pytest.raises(ValueError, match="time before the expiration"):
        serve.builder().with_authentication_refresh(before_expiration=0)


async def test_after_a_redirect_the_original_address_is_asked(scripted: ScriptedServer) -> None:
    """With the caller's own token; the token that comes back is the service's, for later requests."""
    service = scripted.url.replace("/hub", "/service")
    scripted.negotiate = lambda request: (
        {"url": service, "accessToken": "service-1"}
        if request.path.startswith("/hub")
        else OFFER | {"tokenLifetimeSeconds": 999}
    )
    asked: list[tuple[str, str | None]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.path_qs, request.headers.get("Authorization")))
        return web.json_response({"tokenLifetimeSeconds": 60, "accessToken": "service-2"})

    scripted.refresh = answer
    tokens = Tokens()
    client = HubConnectionBuilder().with_url(scripted.url + "?tenant=7", access_token_factory=tokens).build()
    async with client:
        assert await client.refresh_authentication() == 60
    assert asked == [("/hub/refresh?tenant=7&id=secret-token", f"Bearer anna:{tokens.version}")]


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"tokenLifetimeSeconds":"soon"}'])
async def test_an_answer_that_is_none_is_an_error(scripted: ScriptedServer, body: bytes) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body)

    scripted.refresh = answer
    async with HubConnectionBuilder().with_url(scripted.url).build() as client:
        with pytest.raises(TransportError, match="Invalid authentication refresh response received"):
            await client.refresh_authentication()


@pytest.mark.parametrize(
    ("lifetime", "before", "delay"),
    [(3600, 300, 3300), (601, 300, 301), (600, 300, 300), (300, 300, 150), (40, 300, 30), (0, 300, 30), (100, 10, 90)],
)
def test_when_a_token_is_renewed(lifetime: float, before: float, delay: float) -> None:
    """Before it expires; at half of a short life; never sooner than 30 s."""
    assert refresh.refresh_delay(lifetime, before) == delay


async def test_a_refresh_that_is_cancelled_leaves_the_old_token_in_use() -> None:
    async with secured() as serve:
        tokens = Tokens()
        asked = asyncio.Event()

        async def factory() -> str:
            if tokens.version == 1:  # negotiate has had its token
                asked.set()
                await asyncio.Event().wait()
            return tokens()

        client = await serve.connect(access_token_factory=factory, transports=HttpTransportType.LONG_POLLING)
        refreshing = asyncio.create_task(client.refresh_authentication())
        await asked.wait()
        refreshing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await refreshing
        assert await client.invoke("Who") == "anna 1"
        assert Secured.log == []


async def test_stop_ends_a_refresh_that_runs_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "MINIMUM_DELAY", 0.0)
    async with secured() as serve:
        tokens = Tokens(seconds=":1")
        asked = asyncio.Event()

        async def factory() -> str:
            if tokens.version == 2:
                asked.set()
                await asyncio.Event().wait()
            return tokens()

        client = await serve.connect(access_token_factory=factory)
        async with asyncio.timeout(5):
            await asked.wait()
            await client.stop()


async def test_a_reconnect_begins_anew() -> None:
    """The new connection was negotiated with a token of its own, which is renewed in its own time."""
    async with secured() as serve:
        client = serve.builder(access_token_factory=Tokens()).with_automatic_reconnect([0]).build()
        back = asyncio.Event()
        client.on_reconnected(lambda _id: back.set())
        async with asyncio.timeout(5), client:
            await client.send("Cut")
            await back.wait()
            assert await client.refresh_authentication() is not None
            assert await client.invoke("Who") == "anna 5"
