// A hub in C# with every kind of method and type that Python is generated from. The interop tests compile it.
#nullable enable
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Logging;
using Money = System.Decimal;

namespace Shop.Api;

static class Names
{
    public const string Cancel = "cancel" + "-order";
    public const int PageSize = 5 << 1;
}

/// <summary>What became of an order.</summary>
public enum State : byte
{
    /// <summary>Nobody has seen it.</summary>
    New,
    OnItsWay = 4,
    Delivered,
}

public enum Currency { Euro, USD = Names.PageSize }

[Flags]
public enum Rights { None = 0, Read = 1, Write = 1 << 1, All = Read | Write }

[JsonConverter(typeof(JsonStringEnumConverter<Size>))]
public enum Size
{
    [JsonStringEnumMemberName("small")] Small,
    [JsonStringEnumMemberName("very large")] VeryLarge,
}

/// <summary>A part of a result.</summary>
/// <param name="Items">The items.</param>
public record Page<T>(IReadOnlyList<T> Items, Page<T>? Next = null, int Size = Names.PageSize);

public abstract class Entity
{
    public required Guid Id { get; init; }
}

public class Order : Entity, IDisposable
{
    /// <summary>The <c>lines</c>, see <see cref="Line"/>.</summary>
    public List<Line> Lines { get; set; } = new();
    public string Customer { get; set; } = null!;
    public string Note { get; set; } = "say \"hello\" \\";
    public State State { get; set; } = State.OnItsWay;
    [JsonPropertyName("user_id")] public int UserId { get; set; }
    [JsonIgnore] public string Secret { get; set; } = "";
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public string? Comment { get; set; }
    public int Total => Lines.Count;
    public string? Url_Path { get; set; }
    public string XMLFile { get; set; } = "x";
    public bool IsOK { get; set; } = true;
    public DateOnly Date { get; set; }
    public byte[] Bytes { get; set; } = [];
    public KeyValuePair<string, int>[] Pairs { get; set; } = Array.Empty<KeyValuePair<string, int>>();
    public double Ratio { get; set; } = 1.5;
    public Money Price { get; set; } = 1.50m;
    private int hidden;
    public void Dispose() => hidden++;
}

public record Line(string Product, [property: JsonPropertyName("qty")] int Quantity, Size? Size = null)
{
    public string? Extra { get; init; }
}

public readonly record struct Point(double X, double Y);

/// <summary>What the shop calls on its clients.</summary>
public interface IShopClient
{
    Task OrderChanged(Order order, Point where);
    Task<bool> Confirm(string question, CancellationToken cancellationToken);
}

public abstract class HubWithLog(ILogger log) : Hub<IShopClient>
{
    /// <summary>Writes into the log.</summary>
    [HubMethodName("write-log")]
    public virtual void Log(string text) => log.LogInformation("{Text}", text);
}

/// <summary>A shop.</summary>
public partial class ShopHub(ILogger<ShopHub> log) : HubWithLog(log)
{
    /// <summary>Places an order.</summary>
    /// <param name="order">what is ordered</param>
    /// <returns>its id</returns>
    public Task<Guid> PlaceOrder(Order order, [FromServices] JsonSerializerOptions options, CancellationToken token) => null!;

    [HubMethodName(Names.Cancel)]
    public async ValueTask CancelOrder(Guid id) => await Task.Yield();

    public ValueTask<Page<Order>?> Find(string? text = null, State state = State.New, int max = Names.PageSize, Rights rights = default) => default;

    public override void Log(string text) { }

    public async IAsyncEnumerable<Dictionary<Currency, List<Point>>> Watch(Guid id, [EnumeratorCancellation] CancellationToken token = default)
    {
        await Task.Yield();
        yield break;
    }

    public override Task OnConnectedAsync() => Task.CompletedTask;
    public static void Reset() { }
    internal void Hidden() { }
}

public partial class ShopHub
{
    public Task<ChannelReader<string>> Later(params int[] values) => null!;
    public Task<long> Upload(IAsyncEnumerable<byte[]> data, string name, ILogger<ShopHub> log) => null!;
    public object? Any(JsonElement element, Tuple<int, string> pair, HashSet<int> set, dynamic rest) => null;
}
