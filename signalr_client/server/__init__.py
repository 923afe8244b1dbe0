"""A hub server for SignalR clients of any language, on aiohttp.web: the whole Hubs API of ASP.NET Core in Python.

class ChatHub(Hub):
    async def SendMessage(self, user: str, message: str) -> None:
        await self.clients.all.send("ReceiveMessage", user, message)

async with HubServer({"/chathub": ChatHub}) as server:
    print("listening on", server.url("/chathub"))
"""

from signalr_client.errors import HubException
from signalr_client.server.annotations import FromKeyedServices, FromServices
from signalr_client.server.app import HubServer, map_hub
from signalr_client.server.authentication import bearer_token
from signalr_client.server.authorization import User, authorize
from signalr_client.server.clients import ClientProxy, HubCallerClients, HubClients, HubContext, SingleClientProxy
from signalr_client.server.errors import HubDefinitionError, HubUsageError, ServiceError
from signalr_client.server.filters import HubFilter, HubInvocationContext, HubLifetimeContext
from signalr_client.server.groups import Groups
from signalr_client.server.hub import Hub, HubCallerContext, hub_method
from signalr_client.server.options import HubOptions
from signalr_client.server.refresh import AuthenticationRefreshContext
from signalr_client.server.services import ServiceCollection

__all__ = [
    "AuthenticationRefreshContext",
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
