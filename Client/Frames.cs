using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>What arrives on a connection: an event, or something the server says about the stream.</summary>
public abstract record StreamFrame;

/// <summary>An event of a stream.</summary>
/// <param name="Event">The event.</param>
public sealed record EventFrame(StreamEvent Event) : StreamFrame;

/// <summary>Something the server says; <see cref="Data"/> holds all of it.</summary>
/// <param name="Data">The frame's JSON data.</param>
public abstract record ServerFrame(JsonElement Data) : StreamFrame;

/// <summary>The first frame of each connection.</summary>
/// <param name="Data">The frame's JSON data.</param>
public sealed record ConnectedFrame(JsonElement Data) : ServerFrame(Data)
{
    /// <summary>The server's name for the connection.</summary>
    public string? Connection => Data.Text("connection");

    /// <summary>Where the stream ends at this moment.</summary>
    public string? Head => Data.Text("head");

    /// <summary>How many events the subscriber is owed.</summary>
    public long? Pending => Data.Number("pending");
}

/// <summary>A sign of life, every 10 seconds.</summary>
/// <param name="Data">The frame's JSON data.</param>
public sealed record HeartbeatFrame(JsonElement Data) : ServerFrame(Data)
{
    /// <summary>The server's time.</summary>
    public DateTimeOffset? Time => Data.Time("time");

    /// <summary>How many clients are connected.</summary>
    public long? Clients => Data.Number("clients");

    /// <summary>Where the stream ends at this moment.</summary>
    public string? Head => Data.Text("head");
}

/// <summary>Events between the reader's position and where it goes on may be missing.</summary>
/// <param name="Data">The frame's JSON data.</param>
public sealed record GapFrame(JsonElement Data) : ServerFrame(Data)
{
    /// <summary>The stream that it is about.</summary>
    public string? Stream => Data.Text("stream");

    /// <summary>The position up to which nothing is missing.</summary>
    public string? After => Data.Text("after");

    /// <summary>From here on nothing is missing again.</summary>
    public string? ResumedAt => Data.Text("resumedAt");

    /// <summary>How many are missing, when that is known.</summary>
    public long? Missed => Data.Number("missed");

    /// <summary><c>evicted</c>, <c>slow</c>, <c>restart</c>, <c>reset</c> or <c>expired</c>.</summary>
    public string Reason => Data.Text("reason") ?? "";
}

/// <summary>A failure that the reader should know of.</summary>
/// <param name="Data">The frame's JSON data.</param>
public sealed record ProblemFrame(JsonElement Data) : ServerFrame(Data)
{
    /// <summary>What went wrong, in the contract's words.</summary>
    public string Code => Data.Text("code") ?? "";

    /// <summary>One sentence for a person.</summary>
    public string Message => Data.Text("message") ?? "";

    /// <summary>More about it.</summary>
    public string? Details => Data.Text("details");

    /// <summary>The part of the server it comes from.</summary>
    public string? Component => Data.Text("component");

    /// <summary><c>warning</c>, <c>error</c> or <c>critical</c>.</summary>
    public string? Severity => Data.Text("severity");
}

/// <summary>A stream has ended.</summary>
/// <param name="Data">The frame's JSON data.</param>
public sealed record EndFrame(JsonElement Data) : ServerFrame(Data)
{
    /// <summary>The stream that has ended.</summary>
    public string? Stream => Data.Text("stream");

    /// <summary>Its last position.</summary>
    public string? Head => Data.Text("head");

    /// <summary><c>completed</c> or <c>deleted</c>.</summary>
    public string Reason => Data.Text("reason") ?? "";
}

/// <summary>A frame that this version of the client does not know by a type of its own.</summary>
/// <param name="Name">The frame's name.</param>
/// <param name="Data">The frame's JSON data.</param>
public sealed record OtherFrame(string Name, JsonElement Data) : ServerFrame(Data);
