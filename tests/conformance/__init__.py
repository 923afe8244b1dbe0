"""Client behaviour on all transports and hub protocols, against the real ASP.NET Core server and against the server of this package."""
