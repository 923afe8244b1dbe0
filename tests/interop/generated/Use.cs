// A hub in C# that implements the generated interface of a hub, and whose clients are those of the generated interface of clients.
using Microsoft.AspNetCore.SignalR;

namespace Shop.Api;

public class Use : Hub<IShopClient>, IShopHub
{
    public async Task<Guid> PlaceOrder(Order order)
    {
        await Clients.All.OrderChanged(order with { State = State.OnItsWay }, State.OnItsWay);
        return await Clients.Caller.Confirm(order.Note) ? order.OrderId : Guid.Empty;
    }

    public Task<Page<Order>> Find(string? text, long page) =>
        Task.FromResult(new Page<Order> { Items = [new Order { OrderId = Guid.NewGuid(), Lines = { new Line { ProductName = "x", Price = 1m } } }] });

    [HubMethodName("cancel-order")]
    public Task CancelOrder(Guid orderId) => Task.CompletedTask;

    public async IAsyncEnumerable<Order> Watch(State? state)
    {
        await Task.Yield();
        yield return new Order { OrderId = Guid.Empty, Photo = [1, 2] };
    }

    public async Task<long> ImportLines(IAsyncEnumerable<Line> lines, string name)
    {
        long count = 0;
        await foreach (var line in lines) count += line.IsOK ? line.UserId : 0;
        return count;
    }

    public async IAsyncEnumerable<Page<Line>> CopyLines(IAsyncEnumerable<Line> lines)
    {
        await foreach (var line in lines) yield return new Page<Line> { Items = [line] };
    }

    public Task<Dictionary<Currency, List<decimal>>> Convert(decimal amount, Currency source, Rights rights) =>
        Task.FromResult(new Dictionary<Currency, List<decimal>> { [Currency.USD] = rights.HasFlag(Rights.Write) ? [amount] : [] });

    public Task<TimeSpan> Times(DateOnly a, TimeOnly b, TimeSpan c, DateTimeOffset d, DateTime e) => Task.FromResult(c + (d - e));

    public Task<Size?> Classes(Address a, Point b, Customer c, Entry d, Options e) =>
        Task.FromResult<Size?>(a.ZipCode == "0" && b.Y > 0 && c.Tags.Count == 0 && d.Value == 1 && e.PageSize is null ? Size.VeryLarge : null);

    public Task<object?> Anything(object? value, string size, long? count) => Task.FromResult(value);
}
