"""What a client promises, on every transport and hub protocol, against the real ASP.NET Core server and against ours."""
