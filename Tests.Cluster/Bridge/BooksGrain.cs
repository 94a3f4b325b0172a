using Orleans.Streams;
using OrleansEvents.Grains.Interfaces;

namespace OrleansEvents.Tests.Cluster.Bridge;

// begin
[GenerateSerializer, Alias("Paid")]
public sealed record Paid(string Payment, decimal Amount);

[GenerateSerializer, Alias("Books")]
public sealed class Books
{
    [Id(0)]
    public decimal Total { get; set; }

    // How far the stream of payments is in the total.
    [Id(1)]
    public string? Through { get; set; }
}

[Alias("IBooksGrain")]
public interface IBooksGrain : IGrainWithStringKey
{
    [Alias("Open")]
    Task Open();

    [Alias("Pay")]
    Task Pay(Paid paid);

    [Alias("Total")]
    Task<decimal> Total();
}

// Publishes payments to the event stream "payments", and follows it to keep a total.
public sealed class BooksGrain([PersistentState("books")] IPersistentState<Books> books)
    : Grain, IBooksGrain, IAsyncObserver<GrainEvent>
{
    private IAsyncStream<GrainEvent> Payments => this.GetStreamProvider("events")
        .GetStream<GrainEvent>(StreamId.Create("events", "payments"));

    // Orleans remembers who subscribes; a new activation says from where on.
    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var through = books.State.Through is { } id ? EventPosition.After(id) : null;
        foreach (var subscription in await Payments.GetAllSubscriptionHandles())
            await subscription.ResumeAsync(this, through);
    }

    public async Task Open()
    {
        if ((await Payments.GetAllSubscriptionHandles()).Count == 0) await Payments.SubscribeAsync(this);
    }

    // Returns when the payment is on storage. Called again with the same payment, it appends nothing.
    public Task Pay(Paid paid) =>
        Payments.OnNextAsync(GrainEvent.Of("paid", paid, critical: true, key: paid.Payment));

    public Task<decimal> Total() => Task.FromResult(books.State.Total);

    // Total and position are stored together: an event that comes twice counts once.
    public async Task OnNextAsync(GrainEvent item, StreamSequenceToken? token = null)
    {
        if (item.Gap is { } gap) throw new InvalidOperationException($"Payments are missing: {gap.Reason}");
        if (item.Type == "paid") books.State.Total += item.DataAs<Paid>()!.Amount;
        books.State.Through = item.Id;
        await books.WriteStateAsync();
    }

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;
}
// end
