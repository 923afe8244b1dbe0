// One call inside a span: the ids on this side, the ids that the server saw, and the spans that the client recorded.
using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.SignalR.Client;
using static Program;

public static class Trace
{
    public static async Task<int> Run()
    {
        var spans = new List<object>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name.StartsWith("Microsoft.AspNetCore.SignalR") || source.Name == "interop",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = a => spans.Add(new { source = a.Source.Name, name = a.DisplayName, kind = a.Kind.ToString(), trace = a.TraceId.ToString(), span = a.SpanId.ToString(), parent = a.ParentSpanId.ToString(), status = a.Status.ToString(), tags = a.TagObjects.ToDictionary(t => t.Key, t => t.Value?.ToString()) }),
        };
        ActivitySource.AddActivityListener(listener);
        using var source = new ActivitySource("interop");
        await using var c = await Connect();
        string seen, failed = null;
        using (var outer = source.StartActivity("outer"))
        {
            seen = await c.InvokeAsync<string>("GetTraceParent");
            try { await c.InvokeAsync("ThrowException", "x"); } catch (Exception e) { failed = e.Message; }
            await foreach (var _ in c.StreamAsync<int>("Counter", 2, 0)) { }
            await c.SendAsync("Void");
            await c.InvokeAsync("Void");
        }
        Console.WriteLine(JsonSerializer.Serialize(new { serverSaw = seen, spans }, new JsonSerializerOptions { WriteIndented = true }));
        return 0;
    }
}
