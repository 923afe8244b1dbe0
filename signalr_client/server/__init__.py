"""A hub server for SignalR clients of any language, on aiohttp.web: the Hubs API of ASP.NET Core in Python. See docs/server.md.

class ChatHub(Hub):
    async def SendMessage(self, user: str, message: str) -> None:
        await self.clients.all.send("ReceiveMessage", user, message)

async with HubServer({"/chathub": ChatHub}) as server:
    print("listening on", server.url("/chathub"))
"""

from signalr_client.core.hub_method import hub_method
from signalr_client.errors import HubException
from signalr_client.server.app import HubServer, map_hub
from signalr_client.server.errors import HubDefinitionError, HubUsageError, ServiceError
from signalr_client.server.hubs.cancellation import CancellationToken
from signalr_client.server.hubs.clients import ClientProxy, HubCallerClients, HubClients, SingleClientProxy
from signalr_client.server.hubs.context import HubCallerContext
from signalr_client.server.hubs.filters import HubFilter, HubInvocationContext, HubLifetimeContext
from signalr_client.server.hubs.groups import Groups
from signalr_client.server.hubs.hub import Hub
from signalr_client.server.hubs.hub_context import HubContext
from signalr_client.server.injection.annotations import FromKeyedServices, FromServices
from signalr_client.server.injection.services import ServiceCollection
from signalr_client.server.options import HubOptions
from signalr_client.server.security.authentication import bearer_token
from signalr_client.server.security.authorization import authorize
from signalr_client.server.security.refresh import AuthenticationRefreshContext
from signalr_client.server.security.users import User

__all__ = [
    "AuthenticationRefreshContext",
    "CancellationToken",
    "ClientProxy",
    "FromKeyedServices",
    "FromServices",
    "Groups",
    "Hub",
    "HubCallerClients",
    "HubCallerContext",
    "HubClients",
    "HubContext",
    "HubDefinitionError",
    "HubException",
    "HubFilter",
    "HubInvocationContext",
    "HubLifetimeContext",
    "HubOptions",
    "HubServer",
    "HubUsageError",
    "ServiceCollection",
    "ServiceError",
    "SingleClientProxy",
    "User",
    "authorize",
    "bearer_token",
    "hub_method",
    "map_hub",
]
