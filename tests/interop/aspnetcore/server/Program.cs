// A real ASP.NET Core SignalR server to test and measure clients against.
// Every hub speaks JSON and MessagePack over WebSockets, Server-Sent Events and Long Polling.
// What it offers is listed in ../README.md.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Http.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Interop
{
    public enum Color { Red, Green, Blue }

    public class Point { public int X { get; set; } public int Y { get; set; } }

    public class ComplexObject
    {
        public string String { get; set; }
        public int[] IntArray { get; set; }
        public byte[] ByteArray { get; set; }
        public Guid Guid { get; set; }
        public DateTime DateTime { get; set; }
        public Color Color { get; set; }
        public double? MaybeDouble { get; set; }
        public Point Point { get; set; }
        public Dictionary<string, Point> Points { get; set; }
    }

    public interface IClock { string Name { get; } }
    public class Clock : IClock { public string Name => "clock-service"; }

    public class TestHub : Hub
    {
        // values
        public string Echo(string value) => value;
        public long EchoLong(long value) => value;
        public double EchoDouble(double value) => value;
        public bool EchoBool(bool value) => value;
        public decimal EchoDecimal(decimal value) => value;
        public Guid EchoGuid(Guid value) => value;
        public DateTime EchoDateTime(DateTime value) => value;
        public DateTimeOffset EchoDateTimeOffset(DateTimeOffset value) => value;
        public TimeSpan EchoTimeSpan(TimeSpan value) => value;
        public byte[] EchoBytes(byte[] value) => value;
        public Color EchoColor(Color value) => value;
        public int? EchoNullableInt(int? value) => value;
        public List<string> EchoList(List<string> value) => value;
        public Dictionary<string, int> EchoDictionary(Dictionary<string, int> value) => value;
        public ComplexObject EchoComplex(ComplexObject value) => value;
        public int Add(int x, int y) => x + y;
        public int Sum4(int a, int b, int c, int d) => a + b + c + d;
        public void Void() { }
        public Task VoidTask() => Task.CompletedTask;
        public string ReturnNull() => null;
        [HubMethodName("renamed-method")]
        public string HiddenName() => "renamed";
        public Task<string> PingAsync() => Task.FromResult("async suffix kept");
        public string FromService(IClock clock, string suffix) => clock.Name + suffix;
        public async Task<string> Delay(int milliseconds)
        {
            await Task.Delay(milliseconds);
            return "slept " + milliseconds;
        }

        // errors
        public void ThrowException(string message) => throw new InvalidOperationException(message);
        public void ThrowHubException(string message) => throw new HubException(message);

        // context
        public string GetConnectionId() => Context.ConnectionId;
        public string GetUserIdentifier() => Context.UserIdentifier;
        public string GetHeader(string name) => Context.GetHttpContext().Request.Headers[name].ToString();
        public string GetQuery(string name) => Context.GetHttpContext().Request.Query[name].ToString();
        public string GetCookie(string name) => Context.GetHttpContext().Request.Cookies[name];
        public string GetTransport() => Context.Features.Get<IHttpTransportFeature>()?.TransportType.ToString();
        public void SetItem(string key, string value) => Context.Items[key] = value;
        public string GetItem(string key) => Context.Items.TryGetValue(key, out var v) ? v as string : null;
        public void Abort() => Context.Abort();
        public void AbortHttp() => Context.GetHttpContext().Abort();

        // server to client
        public Task SendToCaller(string method, string message) => Clients.Caller.SendAsync(method, message);
        public Task SendToAll(string method, string message) => Clients.All.SendAsync(method, message);
        public Task SendToOthers(string method, string message) => Clients.Others.SendAsync(method, message);
        public Task SendToClient(string id, string method, string message) => Clients.Client(id).SendAsync(method, message);
        public Task SendToUser(string user, string method, string message) => Clients.User(user).SendAsync(method, message);
        public Task SendToGroup(string group, string method, string message) => Clients.Group(group).SendAsync(method, message);
        public Task SendToOthersInGroup(string group, string method, string message) => Clients.OthersInGroup(group).SendAsync(method, message);
        public Task JoinGroup(string group) => Groups.AddToGroupAsync(Context.ConnectionId, group);
        public Task LeaveGroup(string group) => Groups.RemoveFromGroupAsync(Context.ConnectionId, group);
        public Task SendComplex(string method, ComplexObject value) => Clients.Caller.SendAsync(method, value, 42, "tail");
        public Task SendNoArgs(string method) => Clients.Caller.SendAsync(method);
        public async Task<int> SendMany(string method, int count, int payloadSize)
        {
            var payload = new string('x', payloadSize);
            for (var i = 0; i < count; i++)
            {
                await Clients.Caller.SendAsync(method, i, payload);
            }
            return count;
        }
        public string MakeString(int size) => new string('y', size);
        public async Task BroadcastLater(string method, string message, int milliseconds)
        {
            var clients = Clients.All;
            _ = Task.Run(async () => { await Task.Delay(milliseconds); await clients.SendAsync(method, message); });
            await Task.CompletedTask;
        }

        // client results
        public Task<string> AskCaller(string method, string question) =>
            Clients.Caller.InvokeAsync<string>(method, question, CancellationToken.None);
        public Task<int> AskCallerInt(string method, int value) =>
            Clients.Caller.InvokeAsync<int>(method, value, CancellationToken.None);
        public Task<ComplexObject> AskCallerComplex(string method, ComplexObject value) =>
            Clients.Caller.InvokeAsync<ComplexObject>(method, value, CancellationToken.None);
        public Task<string> AskClient(string id, string method, string question) =>
            Clients.Client(id).InvokeAsync<string>(method, question, CancellationToken.None);
        public async Task<string> AskCallerError(string method)
        {
            try { return "result: " + await Clients.Caller.InvokeAsync<string>(method, CancellationToken.None); }
            catch (Exception e) { return e.GetType().Name + ": " + e.Message; }
        }

        // streams to the client
        public async IAsyncEnumerable<int> Counter(int count, int delayMilliseconds, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            Probe.StreamsStarted++;
            try
            {
                for (var i = 0; i < count; i++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    yield return i;
                    if (delayMilliseconds > 0) await Task.Delay(delayMilliseconds, cancellationToken);
                }
            }
            finally
            {
                if (cancellationToken.IsCancellationRequested) Probe.StreamsCancelled++;
            }
        }
        public ChannelReader<string> ChannelCounter(int count)
        {
            var channel = Channel.CreateUnbounded<string>();
            _ = Task.Run(async () =>
            {
                for (var i = 0; i < count; i++) await channel.Writer.WriteAsync("item " + i);
                channel.Writer.Complete();
            });
            return channel.Reader;
        }
        public async IAsyncEnumerable<ComplexObject> StreamComplex(int count)
        {
            for (var i = 0; i < count; i++)
            {
                yield return new ComplexObject { String = "s" + i, IntArray = new[] { i }, Point = new Point { X = i, Y = -i } };
                await Task.Yield();
            }
        }
        public async IAsyncEnumerable<int> StreamThenThrow(int count, string message)
        {
            for (var i = 0; i < count; i++) { yield return i; await Task.Yield(); }
            throw new HubException(message);
        }
        public int StreamsCancelled() => Probe.StreamsCancelled;
        public int StreamsStarted() => Probe.StreamsStarted;

        // streams from the client
        public async Task<long> SumStream(IAsyncEnumerable<int> stream)
        {
            long sum = 0;
            await foreach (var item in stream) sum += item;
            return sum;
        }
        public async Task<string> JoinStream(ChannelReader<string> stream, string separator)
        {
            var items = new List<string>();
            await foreach (var item in stream.ReadAllAsync()) items.Add(item);
            return string.Join(separator, items);
        }
        public async Task<string> ZipStreams(IAsyncEnumerable<int> left, IAsyncEnumerable<string> right)
        {
            var l = new List<int>(); var r = new List<string>();
            var a = Task.Run(async () => { await foreach (var i in left) l.Add(i); });
            var b = Task.Run(async () => { await foreach (var s in right) r.Add(s); });
            await Task.WhenAll(a, b);
            return string.Join(",", l.Zip(r, (x, y) => x + y));
        }
        public async IAsyncEnumerable<int> Doubled(IAsyncEnumerable<int> stream)
        {
            await foreach (var item in stream) yield return item * 2;
        }
        public async Task<string> StreamError(IAsyncEnumerable<int> stream)
        {
            try { await foreach (var item in stream) { } return "completed"; }
            catch (Exception e) { return e.GetType().Name + ": " + e.Message; }
        }

        // what came, and in which order
        List<int> RecordedItems { get { lock (Context) return (List<int>)(Context.Items.TryGetValue("recorded", out var items) ? items : Context.Items["recorded"] = new List<int>()); } }
        public void Record(int item) { var items = RecordedItems; lock (items) items.Add(item); }
        public void ClearRecorded() { var items = RecordedItems; lock (items) items.Clear(); }
        public string Recorded() { var items = RecordedItems; lock (items) return Describe(items); }
        public async Task<string> CheckStream(IAsyncEnumerable<int> stream)
        {
            var items = new List<int>();
            await foreach (var item in stream) items.Add(item);
            return Describe(items);
        }
        static string Describe(List<int> items)
        {
            var sorted = items.Order().ToList();
            for (var i = 0; i < sorted.Count; i++)
                if (sorted[i] != i) return "item " + sorted[i] + " came where " + i + " was due";
            return items.Count + (items.SequenceEqual(sorted) ? " in order" : " in another order");
        }

        // tracing: the current span as a W3C traceparent, null without one (the server records spans when INTEROP_TRACE is set)
        public string GetTraceParent() => Activity.Current?.Id;
        public string GetTraceParentOfParent() => Activity.Current?.ParentId;

        public override async Task OnConnectedAsync()
        {
            Probe.Connected.Enqueue(Context.ConnectionId);
            Probe.Live[Context.ConnectionId] = Context;
            await base.OnConnectedAsync();
        }
        public override async Task OnDisconnectedAsync(Exception exception)
        {
            Probe.Live.TryRemove(Context.ConnectionId, out _);
            Probe.Disconnected[Context.ConnectionId] = exception == null ? "" : exception.Message;
            await base.OnDisconnectedAsync(exception);
        }
        public string DisconnectReason(string id) => Probe.Disconnected.TryGetValue(id, out var v) ? "gone:" + v : "unknown";
    }

    // The same methods under other hub options.
    public class StrictHub : TestHub { }   // every option at its ASP.NET Core default
    public class FastHub : TestHub { }     // keep-alive every 0.5 s, client timeout 2 s, handshake timeout 1 s
    public class SilentHub : TestHub { }   // never sends a keep-alive
    public class DetailedHub : TestHub { } // EnableDetailedErrors
    public class OrderedHub : TestHub { }  // one call at a time, stateful reconnect allowed

    public interface IChatClient
    {
        Task ReceiveMessage(string user, string message);
        Task<string> GetMessage();
    }

    public class TypedHub : Hub<IChatClient>
    {
        public Task SendMessage(string user, string message) => Clients.All.ReceiveMessage(user, message);
        public async Task<string> WaitForMessage(string connectionId) => await Clients.Client(connectionId).GetMessage();
    }

    [Authorize]
    public class AuthHub : Hub
    {
        public string WhoAmI() => Context.UserIdentifier;
        public Task SendToUser(string user, string method, string message) => Clients.User(user).SendAsync(method, message);
        [Authorize(Policy = "admin")]
        public string AdminOnly() => "admin";
        public override Task OnConnectedAsync() => Clients.Caller.SendAsync("Welcome", Context.UserIdentifier);
    }

    public class RejectingHub : Hub
    {
        public override Task OnConnectedAsync() => throw new HubException("no entry");
    }

    public static class Probe
    {
        public static int StreamsStarted;
        public static int StreamsCancelled;
        public static readonly ConcurrentQueue<string> Connected = new ConcurrentQueue<string>();
        public static readonly ConcurrentDictionary<string, string> Disconnected = new ConcurrentDictionary<string, string>();
        public static readonly ConcurrentDictionary<string, HubCallerContext> Live = new ConcurrentDictionary<string, HubCallerContext>();
        public static readonly ConcurrentQueue<string> Requests = new ConcurrentQueue<string>();
        public static readonly ConcurrentQueue<object> Spans = new ConcurrentQueue<object>();
        public static readonly ConcurrentDictionary<string, int> TokenUses = new ConcurrentDictionary<string, int>();
    }

    // "Bearer user:NAME" is accepted; "Bearer once:N:NAME" is accepted N times and then refused with 401.
    public class TokenHandler : AuthenticationHandler<AuthenticationSchemeOptions>
    {
        public TokenHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder) : base(options, logger, encoder) { }
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            var header = Request.Headers["Authorization"].ToString();
            var token = header.StartsWith("Bearer ") ? header.Substring(7) : Request.Query["access_token"].ToString();
            if (string.IsNullOrEmpty(token)) return Task.FromResult(AuthenticateResult.NoResult());
            var parts = token.Split(':');
            string name;
            if (parts[0] == "user" && parts.Length == 2) name = parts[1];
            else if (parts[0] == "once" && parts.Length == 3)
            {
                var uses = Probe.TokenUses.AddOrUpdate(token, 1, (_, n) => n + 1);
                if (uses > int.Parse(parts[1])) return Task.FromResult(AuthenticateResult.Fail("token used up"));
                name = parts[2];
            }
            else return Task.FromResult(AuthenticateResult.Fail("bad token"));
            var claims = new List<Claim> { new Claim(ClaimTypes.NameIdentifier, name), new Claim(ClaimTypes.Name, name) };
            if (name == "root") claims.Add(new Claim(ClaimTypes.Role, "admin"));
            var identity = new ClaimsIdentity(claims, Scheme.Name);
            return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme.Name)));
        }
    }

    public static class Program
    {
        public static async Task Main(string[] args)
        {
            var builder = WebApplication.CreateBuilder(args);
            builder.Logging.ClearProviders();
            if (Environment.GetEnvironmentVariable("INTEROP_LOG") != null)
            {
                builder.Logging.AddConsole();
                builder.Logging.SetMinimumLevel(LogLevel.Debug);
            }
            builder.Services.AddSingleton<IClock, Clock>();
            builder.Services.AddAuthentication("token").AddScheme<AuthenticationSchemeOptions, TokenHandler>("token", null);
            builder.Services.AddAuthorization(o => o.AddPolicy("admin", p => p.RequireRole("admin")));
            builder.Services.AddCors();
            var signalr = builder.Services.AddSignalR(o =>
            {
                o.MaximumReceiveMessageSize = 64 * 1024 * 1024;
                o.MaximumParallelInvocationsPerClient = 100;
            }).AddHubOptions<TypedHub>(o => { o.EnableDetailedErrors = true; o.MaximumParallelInvocationsPerClient = 10; });
            signalr.AddMessagePackProtocol();
            var redis = Environment.GetEnvironmentVariable("INTEROP_REDIS");
            if (redis != null) signalr.AddStackExchangeRedis(redis);
            signalr.AddHubOptions<StrictHub>(o =>
            {
                o.MaximumReceiveMessageSize = 32 * 1024;
                o.MaximumParallelInvocationsPerClient = 1;
            });
            signalr.AddHubOptions<FastHub>(o =>
            {
                o.KeepAliveInterval = TimeSpan.FromMilliseconds(500);
                o.ClientTimeoutInterval = TimeSpan.FromSeconds(2);
                o.HandshakeTimeout = TimeSpan.FromSeconds(1);
            });
            signalr.AddHubOptions<SilentHub>(o => o.KeepAliveInterval = TimeSpan.FromHours(1));
            signalr.AddHubOptions<DetailedHub>(o => o.EnableDetailedErrors = true);
            signalr.AddHubOptions<OrderedHub>(o => o.MaximumParallelInvocationsPerClient = 1);
            if (Environment.GetEnvironmentVariable("INTEROP_TRACE") != null) ActivitySource.AddActivityListener(new ActivityListener
            {
                ShouldListenTo = source => source.Name.StartsWith("Microsoft.AspNetCore"),
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = a => Probe.Spans.Enqueue(new
                {
                    source = a.Source.Name, name = a.DisplayName, kind = a.Kind.ToString(), status = a.Status.ToString(),
                    trace = a.TraceId.ToString(), span = a.SpanId.ToString(), parent = a.ParentSpanId.ToString(),
                    links = a.Links.Select(l => l.Context.TraceId + "-" + l.Context.SpanId).ToArray(),
                    tags = a.TagObjects.ToDictionary(t => t.Key, t => t.Value?.ToString()),
                }),
            });
            var app = builder.Build();
            app.Use(async (context, next) =>
            {
                if (context.Request.Path.Value.Contains("hub")) Probe.Requests.Enqueue(context.Request.Method + " " + context.Request.Path + context.Request.QueryString);
                await next();
            });
            app.UseCors(p => p.SetIsOriginAllowed(_ => true).AllowAnyHeader().AllowAnyMethod().AllowCredentials());
            app.UseAuthentication();
            app.UseAuthorization();
            app.MapHub<TestHub>("/testhub", o => { o.AllowStatefulReconnects = true; o.ApplicationMaxBufferSize = 64 * 1024 * 1024; o.TransportMaxBufferSize = 64 * 1024 * 1024; });
            app.MapHub<TestHub>("/testhub-ws", o => o.Transports = HttpTransportType.WebSockets);
            app.MapHub<TestHub>("/testhub-sse", o => o.Transports = HttpTransportType.ServerSentEvents);
            app.MapHub<TestHub>("/testhub-lp", o => { o.Transports = HttpTransportType.LongPolling; o.LongPolling.PollTimeout = TimeSpan.FromSeconds(3); });
            app.MapHub<StrictHub>("/stricthub");
            app.MapHub<FastHub>("/fasthub", o => o.AllowStatefulReconnects = true);
            app.MapHub<SilentHub>("/silenthub");
            app.MapHub<DetailedHub>("/detailedhub");
            app.MapHub<OrderedHub>("/orderedhub", o => o.AllowStatefulReconnects = true);
            app.MapHub<TypedHub>("/typedhub");
            app.MapHub<AuthHub>("/authhub");
            app.MapHub<RejectingHub>("/rejectinghub");
            app.MapPost("/redirect/negotiate", (RequestDelegate)(async c =>
            {
                var hops = int.Parse(c.Request.Query["hops"].FirstOrDefault() ?? "1");
                var origin = c.Request.Scheme + "://" + c.Request.Host;
                var url = hops > 1 ? origin + "/redirect?hops=" + (hops - 1) : origin + "/authhub";
                c.Response.ContentType = "application/json";
                await c.Response.WriteAsync(JsonSerializer.Serialize(new { url = url, accessToken = "user:redirected" }));
            }));
            app.MapPost("/refused/negotiate", (RequestDelegate)(c => c.Response.WriteAsync("{\"error\":\"This connection is not allowed.\"}")));
            app.MapPost("/probe/abort/{id}", (RequestDelegate)(c =>
            {
                var id = (string)c.Request.RouteValues["id"];
                if (!Probe.Live.TryGetValue(id, out var live)) { c.Response.StatusCode = 404; return Task.CompletedTask; }
                live.GetHttpContext().Abort();
                return c.Response.WriteAsync("aborted");
            }));
            app.MapGet("/probe/requests", (RequestDelegate)(c => c.Response.WriteAsync(string.Join("\n", Probe.Requests))));
            app.MapGet("/probe/spans", (RequestDelegate)(c => c.Response.WriteAsJsonAsync(Probe.Spans)));
            app.MapGet("/probe/clear", (RequestDelegate)(c => { Probe.Requests.Clear(); Probe.Spans.Clear(); return c.Response.WriteAsync("ok"); }));
            app.MapGet("/", (RequestDelegate)(c => c.Response.WriteAsync("interop server on " + System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription)));
            app.MapPost("/shutdown", (RequestDelegate)(c => { app.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication(); return Task.CompletedTask; }));
            await app.StartAsync();
            Console.WriteLine("listening on " + string.Join(" ", app.Urls));
            Console.Out.Flush();
            await app.WaitForShutdownAsync();
        }
    }
}
