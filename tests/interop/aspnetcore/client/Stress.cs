// Rounds of all workloads at once (or of --only receive,send,upload,download,invoke) for --seconds, with --messages in each round and
// direction. Behind a proxy that cuts connections, --stateful must not lose, duplicate or reorder any message. The order of sends is
// checked only on /orderedhub, where the server runs one call at a time.
using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.SignalR.Client;
using static Program;

public static class Stress
{
    public static async Task<int> Run()
    {
        var problems = new List<string>();
        int rounds = 0, reconnecting = 0, closed = 0, received = 0;
        var connection = Build();
        connection.Reconnecting += e => { reconnecting++; return Task.CompletedTask; };
        connection.Closed += e => { closed++; problems.Add("closed: " + e?.Message); return Task.CompletedTask; };
        var allItems = new TaskCompletionSource();
        connection.On<int, string>("Item", (i, _) =>
        {
            if (i != received) Problem($"message {i} came where {received} was due");
            if (++received == Messages) allItems.TrySetResult();
        });
        var work = new Dictionary<string, Func<Task>> { ["receive"] = Receive, ["send"] = Send, ["upload"] = Upload, ["download"] = Download, ["invoke"] = Invoke };
        await connection.StartAsync();
        var first = connection.ConnectionId;
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed.TotalSeconds < Seconds && problems.Count == 0)
        {
            received = 0;
            allItems = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            try
            {
                await Task.WhenAll(work.Where(w => Only == null || Only.Split(',').Contains(w.Key)).Select(w => w.Value())).WaitAsync(TimeSpan.FromSeconds(120));
                rounds++;
            }
            catch (Exception e) { Problem(e.GetType().Name + ": " + e.Message); }
        }
        if (Stateful && connection.ConnectionId != first) Problem("the connection id changed");
        Console.WriteLine("RESULT " + JsonSerializer.Serialize(new { rounds, messages = Messages, seconds = Math.Round(watch.Elapsed.TotalSeconds, 1), reconnecting, closed, problems }));
        return problems.Count == 0 && rounds > 0 ? 0 : 1;

        void Problem(string text) { lock (problems) if (problems.Count < 20) problems.Add(text); }

        async Task Receive()
        {
            await connection.InvokeAsync<int>("SendMany", "Item", Messages, 20);
            await allItems.Task;
        }

        async Task Send()
        {
            await connection.InvokeAsync("ClearRecorded");
            for (var i = 0; i < Messages; i++) await connection.SendAsync("Record", i);
            string recorded;
            do recorded = await connection.InvokeAsync<string>("Recorded");
            while (recorded.Split(' ')[0] != Messages.ToString());
            var ordered = Url.EndsWith("orderedhub");
            if (ordered ? recorded != Messages + " in order" : !recorded.EndsWith(" order")) Problem("recorded: " + recorded);
        }

        async Task Upload()
        {
            async IAsyncEnumerable<int> Items() { for (var i = 0; i < Messages; i++) { yield return i; if (i % 100 == 0) await Task.Yield(); } }
            var uploaded = await connection.InvokeAsync<string>("CheckStream", Items());
            if (uploaded != Messages + " in order") Problem("uploaded: " + uploaded);
        }

        async Task Download()
        {
            var next = 0;
            await foreach (var i in connection.StreamAsync<int>("Counter", Messages, 0))
                if (i != next++) Problem($"item {i} came where {next - 1} was due");
            if (next != Messages) Problem($"{next} of {Messages} items came");
        }

        async Task Invoke()
        {
            for (var i = 0; i < Messages / 10; i++)
                if (await connection.InvokeAsync<int>("Add", i, 1) != i + 1) Problem("a call got another call's result");
        }
    }
}
