// Scenarios for the official client, one group for each hub. They expect what the real server does: it passes all of them.
using System.Diagnostics;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.SignalR.Client;
using static Program;

public static class Checks
{
    public static async Task<int> Run()
    {
        var group = new Uri(Url).AbsolutePath.Split('/').Last() switch
        {
            "authhub" => Auth,
            "typedhub" => Typed,
            "rejectinghub" => Rejecting,
            "detailedhub" => Detailed,
            "stricthub" => Strict,
            "fasthub" => Fast,
            _ => Test,
        };
        int passed = 0, failed = 0;
        foreach (var (name, run) in group)
        {
            if (Only != null && Only != name) continue;
            try
            {
                await run().WaitAsync(TimeSpan.FromSeconds(45));
                passed++;
                Console.WriteLine("ok   " + name);
            }
            catch (Exception e)
            {
                failed++;
                Console.WriteLine("FAIL " + name + ": " + e.GetType().Name + ": " + e.Message.Replace("\n", " "));
            }
        }
        Console.WriteLine($"{passed} passed, {failed} failed");
        return failed == 0 && passed > 0 ? 0 : 1;
    }

    static readonly (string, Func<Task>)[] Test =
    [
        ("echo", async () =>
        {
            await using var c = await Connect();
            Equal("héllo", await c.InvokeAsync<string>("Echo", "héllo"));
            Equal("", await c.InvokeAsync<string>("Echo", ""));
            Equal<string>(null, await c.InvokeAsync<string>("ReturnNull"));
        }),
        ("void", async () =>
        {
            await using var c = await Connect();
            await c.InvokeAsync("Void");
            await c.InvokeAsync("VoidTask");
            await c.SendAsync("Void");
        }),
        ("numbers", async () =>
        {
            await using var c = await Connect();
            foreach (var v in new[] { 0L, 1, -1, 127, 128, 255, 256, 65535, 65536, int.MaxValue, int.MinValue, long.MaxValue, long.MinValue })
                Equal(v, await c.InvokeAsync<long>("EchoLong", v));
            foreach (var d in new[] { 0.0, 1.5, -2.25, 1e300, 0.1 })
                Equal(d, await c.InvokeAsync<double>("EchoDouble", d));
            Equal(true, await c.InvokeAsync<bool>("EchoBool", true));
            Equal(7, await c.InvokeAsync<int>("Add", 3, 4));
            Equal<int?>(null, await c.InvokeAsync<int?>("EchoNullableInt", (int?)null));
            Equal(12.34m, await c.InvokeAsync<decimal>("EchoDecimal", 12.34m));
        }),
        ("values", async () =>
        {
            await using var c = await Connect();
            var guid = Guid.NewGuid();
            Equal(guid, await c.InvokeAsync<Guid>("EchoGuid", guid));
            var time = ComplexObject.Sample().DateTime;
            Equal(time, (await c.InvokeAsync<DateTime>("EchoDateTime", time)).ToUniversalTime());
            var offset = new DateTimeOffset(2020, 1, 1, 5, 6, 7, TimeSpan.FromHours(2));
            Equal(offset.UtcTicks, (await c.InvokeAsync<DateTimeOffset>("EchoDateTimeOffset", offset)).UtcTicks);
            Equal(new TimeSpan(1, 2, 3, 4, 5), await c.InvokeAsync<TimeSpan>("EchoTimeSpan", new TimeSpan(1, 2, 3, 4, 5)));
            Equal(new byte[] { 9, 8 }, await c.InvokeAsync<byte[]>("EchoBytes", new byte[] { 9, 8 }));
            Equal(Color.Green, await c.InvokeAsync<Color>("EchoColor", Color.Green));
            Equal(new List<string> { "a", "b" }, await c.InvokeAsync<List<string>>("EchoList", new List<string> { "a", "b" }));
            var map = new Dictionary<string, int> { ["x"] = 1 };
            Equal(map, await c.InvokeAsync<Dictionary<string, int>>("EchoDictionary", map));
        }),
        ("complex", async () =>
        {
            await using var c = await Connect();
            Equal(ComplexObject.Sample(), await c.InvokeAsync<ComplexObject>("EchoComplex", ComplexObject.Sample()));
        }),
        ("hub-method-name", async () =>
        {
            await using var c = await Connect();
            Equal("renamed", await c.InvokeAsync<string>("renamed-method"));
            Equal("async suffix kept", await c.InvokeAsync<string>("PingAsync"));
            Equal("async suffix kept", await c.InvokeAsync<string>("pingasync"));
        }),
        ("service-injection", async () =>
        {
            await using var c = await Connect();
            Equal("clock-service!", await c.InvokeAsync<string>("FromService", "!"));
        }),
        ("large", async () =>
        {
            await using var c = await Connect();
            var text = new string('z', 1 << 20);
            Equal(text.Length, (await c.InvokeAsync<string>("Echo", text)).Length);
            Equal(3 << 20, (await c.InvokeAsync<string>("MakeString", 3 << 20)).Length);
        }),
        ("exception", async () =>
        {
            await using var c = await Connect();
            Equal("HubException: An unexpected error occurred invoking 'ThrowException' on the server.", await Fails(() => c.InvokeAsync("ThrowException", "secret")));
            Equal("HubException: An unexpected error occurred invoking 'ThrowHubException' on the server. HubException: told", await Fails(() => c.InvokeAsync("ThrowHubException", "told")));
            Equal("still here", await c.InvokeAsync<string>("Echo", "still here"));
        }),
        ("unknown-method", async () =>
        {
            await using var c = await Connect();
            Equal("HubException: Failed to invoke 'Nope' due to an error on the server. HubException: Method does not exist.", await Fails(() => c.InvokeAsync("Nope")));
            await c.SendAsync("Nope");
            Equal("alive", await c.InvokeAsync<string>("Echo", "alive"));
        }),
        ("wrong-arguments", async () =>
        {
            await using var c = await Connect();
            foreach (var arguments in new[] { new object[] { 1 }, new object[] { 1, 2, 3 }, new object[] { "x", 1 } })
                Equal("HubException: Failed to invoke 'Add' due to an error on the server.", await Fails(() => c.InvokeCoreAsync<int>("Add", arguments)));
            Equal("alive", await c.InvokeAsync<string>("Echo", "alive"));
        }),
        ("stream", async () =>
        {
            await using var c = await Connect();
            Equal(Enumerable.Range(0, 100).ToList(), await Collect(c.StreamAsync<int>("Counter", 100, 0)));
            Equal(["item 0", "item 1", "item 2"], await Collect(c.StreamAsync<string>("ChannelCounter", 3)));
            Equal(0, (await Collect(c.StreamAsync<int>("Counter", 0, 0))).Count);
        }),
        ("stream-complex", async () =>
        {
            await using var c = await Connect();
            var items = await Collect(c.StreamAsync<ComplexObject>("StreamComplex", 5));
            Equal(["s0", "s1", "s2", "s3", "s4"], items.Select(o => o.String).ToList());
            Equal([0, -1, -2, -3, -4], items.Select(o => o.Point.Y).ToList());
        }),
        ("stream-error", async () =>
        {
            await using var c = await Connect();
            var got = new List<int>();
            var error = await Fails(async () => { await foreach (var i in c.StreamAsync<int>("StreamThenThrow", 3, "ran out")) got.Add(i); });
            Equal([0, 1, 2], got);
            Equal("HubException: An error occurred on the server while streaming results. HubException: ran out", error);
        }),
        ("stream-by-invoke", async () =>
        {
            await using var c = await Connect();
            Equal("HubException: The client attempted to invoke the streaming 'Counter' method with a non-streaming invocation.", await Fails(() => c.InvokeAsync<int>("Counter", 1, 0)));
            Equal("HubException: The client attempted to invoke the non-streaming 'Add' method with a streaming invocation.", await Fails(() => Collect(c.StreamAsync<int>("Add", 1, 2))));
        }),
        ("stream-cancel", async () =>
        {
            await using var c = await Connect();
            var before = await c.InvokeAsync<int>("StreamsCancelled");
            using var cancel = new CancellationTokenSource();
            try { await foreach (var i in c.StreamAsync<int>("Counter", 100000, 5, cancel.Token)) if (i == 3) cancel.Cancel(); }
            catch (OperationCanceledException) { }
            await Until(async () => await c.InvokeAsync<int>("StreamsCancelled") > before, "the server never saw the cancellation");
        }),
        ("streams-side-by-side", async () =>
        {
            await using var c = await Connect();
            var all = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Collect(c.StreamAsync<int>("Counter", 50, 1))));
            foreach (var items in all) Equal(Enumerable.Range(0, 50).ToList(), items);
        }),
        ("upload", async () =>
        {
            await using var c = await Connect();
            Equal(4950L, await c.InvokeAsync<long>("SumStream", Items(Enumerable.Range(0, 100))));
            Equal("a-b-c", await c.InvokeAsync<string>("JoinStream", Items(["a", "b", "c"]), "-"));
            var ends = new Ends(2);
            Equal("0x,1y", await c.InvokeAsync<string>("ZipStreams", Items([0, 1], ends), Items(["x", "y"], ends)));
            Equal([2, 4, 6], await Collect(c.StreamAsync<int>("Doubled", Items([1, 2, 3]))));
        }),
        ("upload-error", async () =>
        {
            await using var c = await Connect();
            static async IAsyncEnumerable<int> Bad() { yield return 1; await Task.Yield(); throw new Exception("bad source"); }
            Contains("bad source", await c.InvokeAsync<string>("StreamError", Bad()));
        }),
        ("messages-in-order", async () =>
        {
            await using var c = await Connect();
            var got = new List<int>();
            var done = new TaskCompletionSource<int>();
            c.On<int, string>("Item", (i, s) => { got.Add(i); if (got.Count == 2000) done.SetResult(0); });
            Equal(2000, await c.InvokeAsync<int>("SendMany", "Item", 2000, 10));
            await Within(done.Task);
            Equal(Enumerable.Range(0, 2000).ToList(), got);
        }),
        ("send-complex", async () =>
        {
            await using var c = await Connect();
            var got = new TaskCompletionSource<(ComplexObject, int, string)>();
            c.On<ComplexObject, int, string>("C", (o, i, s) => got.SetResult((o, i, s)));
            await c.InvokeAsync("SendComplex", "C", ComplexObject.Sample());
            var (o, i, s) = await Within(got.Task);
            Equal(ComplexObject.Sample(), o);
            Equal(42, i);
            Equal("tail", s);
        }),
        ("targets", async () =>
        {
            await using var a = await Connect();
            await using var b = await Connect();
            var log = Channel.CreateUnbounded<string>();
            a.On<string>("M", m => log.Writer.TryWrite("a:" + m));
            b.On<string>("M", m => log.Writer.TryWrite("b:" + m));
            async Task Expect(params string[] wanted)
            {
                var got = new List<string>();
                foreach (var _ in wanted) got.Add(await Within(log.Reader.ReadAsync().AsTask()));
                got.Sort();
                Equal(wanted, got.ToArray());
            }
            await a.InvokeAsync("SendToCaller", "M", "1"); await Expect("a:1");
            await a.InvokeAsync("SendToAll", "M", "2"); await Expect("a:2", "b:2");
            await a.InvokeAsync("SendToOthers", "M", "3"); await Expect("b:3");
            await a.InvokeAsync("SendToClient", b.ConnectionId, "M", "4"); await Expect("b:4");
            await b.InvokeAsync("JoinGroup", "g");
            await a.InvokeAsync("SendToGroup", "g", "M", "5"); await Expect("b:5");
            await a.InvokeAsync("JoinGroup", "g");
            await a.InvokeAsync("SendToOthersInGroup", "g", "M", "6"); await Expect("b:6");
            await b.InvokeAsync("LeaveGroup", "g");
            await a.InvokeAsync("SendToGroup", "g", "M", "7"); await Expect("a:7");
            await a.InvokeAsync("SendToGroup", "no such group", "M", "8");
            await a.InvokeAsync("SendToClient", "no such client", "M", "9");
            await Task.Delay(100);
            if (log.Reader.TryRead(out var more)) throw new Exception("unexpected " + more);
        }),
        ("client-results", async () =>
        {
            await using var a = await Connect();
            await using var b = await Connect();
            a.On<string, string>("Q", q => "A says " + q);
            b.On<string, string>("Q", async q => { await Task.Delay(10); return "B says " + q; });
            b.On<ComplexObject, ComplexObject>("Obj", o => o);
            b.On("Boom", string () => throw new Exception("client broke"));
            Equal("A says hi", await a.InvokeAsync<string>("AskCaller", "Q", "hi"));
            Equal("B says yo", await a.InvokeAsync<string>("AskClient", b.ConnectionId, "Q", "yo"));
            Equal(ComplexObject.Sample(), await b.InvokeAsync<ComplexObject>("AskCallerComplex", "Obj", ComplexObject.Sample()));
            Contains("client broke", await b.InvokeAsync<string>("AskCallerError", "Boom"));
            Contains("Client didn't provide a result.", await b.InvokeAsync<string>("AskCallerError", "NoHandler"));
            Contains("does not exist", await Fails(() => a.InvokeAsync<string>("AskClient", "no such client", "Q", "hm")), onlyOn: "/detailedhub");
        }),
        ("context", async () =>
        {
            await using var c = await Connect();
            Equal(c.ConnectionId, await c.InvokeAsync<string>("GetConnectionId"));
            Equal("dotnet", await c.InvokeAsync<string>("GetHeader", "X-Interop"));
            Equal("cookie-value", await c.InvokeAsync<string>("GetCookie", "interop"));
            await c.InvokeAsync("SetItem", "k", "v");
            Equal("v", await c.InvokeAsync<string>("GetItem", "k"));
            Equal(Transport switch { "ws" => "WebSockets", "sse" => "ServerSentEvents", _ => "LongPolling" }, await c.InvokeAsync<string>("GetTransport"));
        }),
        ("disconnect-reason", async () =>
        {
            await using var watcher = await Connect();
            var c = await Connect();
            var id = c.ConnectionId;
            await c.DisposeAsync();
            await Until(async () => await watcher.InvokeAsync<string>("DisconnectReason", id) == "gone:", "OnDisconnected without an exception never ran");
        }),
        ("server-abort", async () =>
        {
            var c = await Connect();
            var closed = Closed(c);
            await c.SendAsync("Abort");
            await Within(closed);
            await c.DisposeAsync();
        }),
        ("reconnect", async () =>
        {
            if (Stateful || Transport != "ws") return;
            await using var c = await Connect(b => b.WithAutomaticReconnect([TimeSpan.Zero, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1)]));
            var back = new TaskCompletionSource<string>();
            c.Reconnected += id => { back.TrySetResult(id); return Task.CompletedTask; };
            var first = c.ConnectionId;
            await c.SendAsync("AbortHttp");
            var second = await Within(back.Task, 15);
            if (second == first) throw new Exception("the same connection id came back");
            Equal("x", await c.InvokeAsync<string>("Echo", "x"));
        }),
        ("stateful-reconnect", async () =>
        {
            if (!Stateful || Transport != "ws") return;
            await using var c = await Connect();
            var first = c.ConnectionId;
            var got = new List<int>();
            var done = new TaskCompletionSource<int>();
            c.On<int, string>("Item", (i, s) => { got.Add(i); if (got.Count == 5000) done.TrySetResult(0); });
            var sending = c.InvokeAsync<int>("SendMany", "Item", 5000, 10);
            for (var k = 0; k < 3; k++)
            {
                await Task.Delay(20);
                try { await c.SendAsync("AbortHttp"); } catch { }
            }
            Equal(5000, await Within(sending, 30));
            await Within(done.Task, 30);
            Equal(Enumerable.Range(0, 5000).ToList(), got);
            Equal(first, c.ConnectionId);
        }),
        ("parallel", async () =>
        {
            await using var c = await Connect();
            var watch = Stopwatch.StartNew();
            await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => c.InvokeAsync<string>("Delay", 300)));
            if (watch.ElapsedMilliseconds > 2000) throw new Exception("invocations were served one by one: " + watch.ElapsedMilliseconds + " ms");
        }),
    ];

    static readonly (string, Func<Task>)[] Auth =
    [
        ("user", async () =>
        {
            var welcome = new TaskCompletionSource<string>();
            await using var c = Build(token: () => "user:alice");
            c.On<string>("Welcome", name => welcome.TrySetResult(name));
            await c.StartAsync();
            Equal("alice", await Within(welcome.Task));
            Equal("alice", await c.InvokeAsync<string>("WhoAmI"));
        }),
        ("no-token", async () => Contains("401", await Fails(() => Connect()))),
        ("bad-token", async () => Contains("401", await Fails(() => Connect(token: () => "nonsense")))),
        ("policy", async () =>
        {
            await using var alice = await Connect(token: () => "user:alice");
            await using var root = await Connect(token: () => "user:root");
            Equal("HubException: Failed to invoke 'AdminOnly' because user is unauthorized", await Fails(() => alice.InvokeAsync<string>("AdminOnly")));
            Equal("admin", await root.InvokeAsync<string>("AdminOnly"));
        }),
        ("to-user", async () =>
        {
            await using var a1 = await Connect(token: () => "user:anna");
            await using var a2 = await Connect(token: () => "user:anna");
            await using var b = await Connect(token: () => "user:bert");
            var got = Channel.CreateUnbounded<string>();
            a1.On<string>("M", m => got.Writer.TryWrite(m));
            a2.On<string>("M", m => got.Writer.TryWrite(m));
            b.On<string>("M", m => got.Writer.TryWrite("not for bert"));
            await b.InvokeAsync("SendToUser", "anna", "M", "hello");
            Equal("hello", await Within(got.Reader.ReadAsync().AsTask()));
            Equal("hello", await Within(got.Reader.ReadAsync().AsTask()));
        }),
    ];

    static readonly (string, Func<Task>)[] Typed =
    [
        ("receive", async () =>
        {
            await using var a = await Connect();
            await using var b = await Connect();
            var got = new TaskCompletionSource<string>();
            b.On<string, string>("ReceiveMessage", (user, message) => got.TrySetResult(user + ": " + message));
            await a.InvokeAsync("SendMessage", "anna", "hello");
            Equal("anna: hello", await Within(got.Task));
        }),
        ("client-result", async () =>
        {
            await using var a = await Connect();
            await using var b = await Connect();
            b.On("GetMessage", () => Task.FromResult("from b"));
            Equal("from b", await a.InvokeAsync<string>("WaitForMessage", b.ConnectionId));
        }),
    ];

    static readonly (string, Func<Task>)[] Rejecting =
    [
        ("closed-with-error", async () =>
        {
            await using var c = Build();
            var closed = Closed(c);
            await c.StartAsync();
            Equal("The server closed the connection with the following error: Connection closed with an error. HubException: no entry", (await Within(closed))?.Message);
        }),
    ];

    static readonly (string, Func<Task>)[] Detailed =
    [
        ("exception", async () =>
        {
            await using var c = await Connect();
            Equal("HubException: An unexpected error occurred invoking 'ThrowException' on the server. InvalidOperationException: told", await Fails(() => c.InvokeAsync("ThrowException", "told")));
        }),
        ("wrong-arguments", async () =>
        {
            await using var c = await Connect();
            Equal("HubException: Failed to invoke 'Add' due to an error on the server. InvalidDataException: Invocation provides 1 argument(s) but target expects 2.", await Fails(() => c.InvokeCoreAsync<int>("Add", [1])));
        }),
        ("no-such-client", async () =>
        {
            await using var c = await Connect();
            Equal("HubException: An unexpected error occurred invoking 'AskClient' on the server. IOException: Connection 'nobody' does not exist.", await Fails(() => c.InvokeAsync<string>("AskClient", "nobody", "Q", "hm")));
        }),
    ];

    static readonly (string, Func<Task>)[] Strict =
    [
        ("too-large", async () =>
        {
            await using var c = await Connect();
            var closed = Closed(c);
            Equal("alive", await c.InvokeAsync<string>("Echo", "alive"));
            Equal(32000, (await c.InvokeAsync<string>("Echo", new string('z', 32000))).Length);
            var error = await Fails(() => c.InvokeAsync<string>("Echo", new string('z', 33000)));
            Contains("The server closed the connection with the following error: Connection closed with an error.", error);
            await Within(closed);
        }),
        ("one-at-a-time", async () =>
        {
            await using var c = await Connect();
            var watch = Stopwatch.StartNew();
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => c.InvokeAsync<string>("Delay", 200)));
            if (watch.ElapsedMilliseconds < 750) throw new Exception("invocations ran side by side: " + watch.ElapsedMilliseconds + " ms");
        }),
        ("streams-beside", async () =>
        {
            await using var c = await Connect();
            var stream = Collect(c.StreamAsync<int>("Counter", 10, 50));
            var watch = Stopwatch.StartNew();
            await c.InvokeAsync<string>("Echo", "x");
            if (watch.ElapsedMilliseconds > 400) throw new Exception("a stream held up an invocation: " + watch.ElapsedMilliseconds + " ms");
            Equal(10, (await stream).Count);
        }),
        ("client-result-inside", async () =>
        {
            await using var c = await Connect();
            c.On<string, string>("Q", q => "no");
            Equal("no", await c.InvokeAsync<string>("AskCaller", "Q", "hm"));
        }),
    ];

    static readonly (string, Func<Task>)[] Fast =
    [
        ("kept-alive", async () =>
        {
            await using var c = await Connect(b => b.WithServerTimeout(TimeSpan.FromSeconds(3)).WithKeepAliveInterval(TimeSpan.FromMilliseconds(500)));
            var closed = Closed(c);
            await Task.Delay(5000);
            if (closed.IsCompleted) throw new Exception("closed: " + (await closed)?.Message);
            Equal("x", await c.InvokeAsync<string>("Echo", "x"));
        }),
        ("silent-client-dropped", async () =>
        {
            if (Transport == "lp") return;
            await using var c = await Connect(b => b.WithKeepAliveInterval(TimeSpan.FromHours(1)));
            var closed = Closed(c);
            await Within(closed);
        }),
    ];

    static void Equal<T>(T expected, T actual)
    {
        var e = JsonSerializer.Serialize(expected);
        var a = JsonSerializer.Serialize(actual);
        if (e != a) throw new Exception($"expected {e}, got {a}");
    }

    static void Contains(string part, string text, string onlyOn = "")
    {
        if (Url.EndsWith(onlyOn) && !text.Contains(part)) throw new Exception($"'{part}' is not in '{text}'");
    }

    static async Task<string> Fails(Func<Task> run)
    {
        try { await run(); }
        catch (Exception e) { return e.GetType().Name + ": " + e.Message; }
        throw new Exception("it did not fail");
    }

    static async Task Until(Func<Task<bool>> condition, string otherwise)
    {
        for (var i = 0; i < 100; i++)
        {
            if (await condition()) return;
            await Task.Delay(100);
        }
        throw new Exception(otherwise);
    }

    static Task<T> Within<T>(Task<T> task, int seconds = 10) => task.WaitAsync(TimeSpan.FromSeconds(seconds));

    static Task<Exception> Closed(HubConnection connection)
    {
        var closed = new TaskCompletionSource<Exception>();
        connection.Closed += e => { closed.TrySetResult(e); return Task.CompletedTask; };
        return closed.Task;
    }

    static async Task<List<T>> Collect<T>(IAsyncEnumerable<T> items)
    {
        var list = new List<T>();
        await foreach (var item in items) list.Add(item);
        return list;
    }

    static async IAsyncEnumerable<T> Items<T>(IEnumerable<T> items, Ends ends = null)
    {
        foreach (var item in items) { await Task.Yield(); yield return item; }
        if (ends != null) await ends.Reached();
    }

    // The official client (10.0.15) disposes a token that all uploads of one call share as soon as the first of them ends, and the others then fail:
    // uploads of one call therefore end together here.
    class Ends(int uploads)
    {
        int left = uploads;
        readonly TaskCompletionSource all = new();
        public Task Reached()
        {
            if (Interlocked.Decrement(ref left) == 0) all.SetResult();
            return all.Task;
        }
    }
}
