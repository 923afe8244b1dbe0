// The five workloads of one client, after a warm-up of the same size, so that the JIT compiler has finished.
using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.SignalR.Client;
using static Program;

public static class Bench
{
    static int N(int n) => (int)(n * Scale);

    public static async Task<int> Run()
    {
        var connection = await Connect();
        await Workloads(connection);
        var result = await Workloads(connection);
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < 100; i++) await Connect();
        result["connect_per_s"] = Math.Round(100 / watch.Elapsed.TotalSeconds, 1);
        result["rss_mb"] = Process.GetCurrentProcess().PeakWorkingSet64 >> 20;
        Console.WriteLine("RESULT " + JsonSerializer.Serialize(result));
        return 0;
    }

    static async Task<Dictionary<string, object>> Workloads(HubConnection c) => new()
    {
        ["sequential"] = await Timed(N(3000), async n =>
        {
            for (var i = 0; i < n; i++) Same(i + 1, await c.InvokeAsync<int>("Add", i, 1));
        }),
        ["pipelined"] = await Timed(N(20000), async n =>
        {
            var next = -1;
            async Task Worker()
            {
                int i;
                while ((i = Interlocked.Increment(ref next)) < n) Same(i + 1, await c.InvokeAsync<int>("Add", i, 1));
            }
            await Task.WhenAll(Enumerable.Range(0, 256).Select(_ => Worker()));
        }),
        ["receive"] = await Timed(N(50000), async n =>
        {
            var got = 0;
            var done = new TaskCompletionSource();
            using var subscription = c.On<int, string>("Item", (i, s) => { if (++got == n) done.SetResult(); });
            await c.InvokeAsync<int>("SendMany", "Item", n, 100);
            await done.Task;
        }),
        ["stream"] = await Timed(N(50000), async n =>
        {
            var got = 0;
            await foreach (var i in c.StreamAsync<int>("Counter", n, 0)) got++;
            Same(n, got);
        }),
        ["upload"] = await Timed(N(20000), async n =>
        {
            async IAsyncEnumerable<int> Items() { for (var i = 0; i < n; i++) yield return i; await Task.CompletedTask; }
            Same((long)n * (n - 1) / 2, await c.InvokeAsync<long>("SumStream", Items()));
        }),
    };

    static void Same(long expected, long actual)
    {
        if (expected != actual) throw new Exception($"expected {expected}, got {actual}");
    }

    static async Task<object> Timed(int n, Func<int, Task> run)
    {
        var process = Process.GetCurrentProcess();
        var before = process.TotalProcessorTime;
        var watch = Stopwatch.StartNew();
        await run(n);
        var seconds = watch.Elapsed.TotalSeconds;
        process.Refresh();
        var cpu = (process.TotalProcessorTime - before).TotalSeconds;
        return new { ops_per_s = Math.Round(n / seconds, 1), cpu_us_per_op = Math.Round(cpu / n * 1e6, 2) };
    }
}
