// The official .NET client, run against any server whose hubs have the methods of ../server/Program.cs.
//   interop-client check URL      the scenarios for the hub named by the last part of the URL's path (testhub, authhub, typedhub, ...)
//   interop-client stress URL     calls, streams and uploads at once for a while; reports what was lost, duplicated or out of order
//   interop-client bench URL      the five workloads of one client
//   interop-client broadcast URL  many clients and one sender
//   interop-client trace URL      one traced call: the ids and spans on this side
//   interop-client vectors        every kind of message as the official protocol classes encode it, as JSON
// Options: ../README.md.
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;

public static class Program
{
    public static string Url, Protocol = "json", Transport = "ws", Only, Token;
    public static bool Stateful, Reconnect;
    public static double Scale = 1;
    public static int Clients = 1000, Messages = 100, Seconds = 30;

    public static async Task<int> Main(string[] args)
    {
        if (args is ["vectors"]) { Vectors.Write(Console.Out); return 0; }
        if (args.Length < 2) return Usage("which command, and which URL?");
        Url = args[1];
        for (var i = 2; i < args.Length; i++)
        {
            var value = i + 1 < args.Length ? args[i + 1] : "";
            switch (args[i])
            {
                case "--stateful": Stateful = true; continue;
                case "--reconnect": Reconnect = true; continue;
                case "--protocol" when value is "json" or "messagepack": Protocol = value; break;
                case "--transport" when value is "ws" or "sse" or "lp": Transport = value; break;
                case "--token": Token = value; break;
                case "--only": Only = value; break;
                case "--scale": Scale = double.Parse(value); break;
                case "--clients": Clients = int.Parse(value); break;
                case "--messages": Messages = int.Parse(value); break;
                case "--seconds": Seconds = int.Parse(value); break;
                default: return Usage("what is " + args[i] + " " + value + "?");
            }
            i++;
        }
        return args[0] switch
        {
            "check" => await Checks.Run(),
            "stress" => await Stress.Run(),
            "bench" => await Bench.Run(),
            "broadcast" => await Broadcast.Run(),
            "trace" => await Trace.Run(),
            _ => Usage("what is " + args[0] + "?"),
        };
    }

    static int Usage(string why)
    {
        Console.Error.WriteLine(why);
        Console.Error.WriteLine("usage: interop-client check|stress|bench|broadcast|trace URL [--protocol json|messagepack] [--transport ws|sse|lp] [--stateful] [--reconnect] [--token T] "
            + "[--only NAME] [--scale X] [--clients N] [--messages N] [--seconds S]\n       interop-client vectors");
        return 2;
    }

    public static HubConnection Build(Action<IHubConnectionBuilder> more = null, Func<string> token = null)
    {
        var builder = new HubConnectionBuilder().WithUrl(Url, o =>
        {
            o.Transports = Transport switch { "ws" => HttpTransportType.WebSockets, "sse" => HttpTransportType.ServerSentEvents, _ => HttpTransportType.LongPolling };
            o.Headers["X-Interop"] = "dotnet";
            o.Cookies.Add(new Uri(Url), new System.Net.Cookie("interop", "cookie-value", "/"));
            if (token != null) o.AccessTokenProvider = () => Task.FromResult(token());
            else if (Token != null) o.AccessTokenProvider = () => Task.FromResult(Token);
        });
        if (Protocol == "messagepack") builder.AddMessagePackProtocol();
        if (Stateful) builder.WithStatefulReconnect();
        if (Reconnect) builder.WithAutomaticReconnect();
        more?.Invoke(builder);
        return builder.Build();
    }

    public static async Task<HubConnection> Connect(Action<IHubConnectionBuilder> more = null, Func<string> token = null)
    {
        var connection = Build(more, token);
        await connection.StartAsync();
        return connection;
    }
}
