using System.Globalization;
using System.Text;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class Rfc3339Tests
{
    [Theory]
    [InlineData("2026-01-31T23:59:59Z", "2026-01-31T23:59:59.000")]
    [InlineData("2026-01-31t23:59:59z", "2026-01-31T23:59:59.000")]
    [InlineData("2026-01-31T23:59:59.1Z", "2026-01-31T23:59:59.100")]
    [InlineData("2026-01-31T23:59:59.123999999Z", "2026-01-31T23:59:59.123")]
    [InlineData("2026-01-31T23:59:59+23:59", "2026-01-31T00:00:59.000")]
    [InlineData("2026-01-31T23:59:59-00:01", "2026-02-01T00:00:59.000")]
    [InlineData("2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00.000")]
    [InlineData("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999")]
    [InlineData("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000")]
    public void A_whole_time_is_read_as_utc_milliseconds(string text, string utc)
    {
        Assert.True(Rfc3339.TryParse(Encoding.ASCII.GetBytes(text), out var time));
        Assert.Equal(utc, time.ToString("yyyy-MM-ddTHH:mm:ss.fff", CultureInfo.InvariantCulture));
        Assert.Equal(TimeSpan.Zero, time.Offset);
    }

    [Theory]
    [InlineData("")]
    [InlineData("2026-01-31")]
    [InlineData("2026-01-31T23:59Z")]
    [InlineData("2026-01-31T23:59:59")]
    [InlineData("2026-01-31 23:59:59Z")]
    [InlineData("2026-01-31T23:59:59.Z")]
    [InlineData("2026-01-31T23:59:59.1")]
    [InlineData("2026-01-31T23:59:59,1Z")]
    [InlineData("2026-01-31T23:59:59+0100")]
    [InlineData("2026-01-31T23:59:59+24:00")]
    [InlineData("2026-01-31T23:59:59+01:60")]
    [InlineData("2026-01-31T24:00:00Z")]
    [InlineData("2026-01-31T23:60:00Z")]
    [InlineData("2026-01-31T23:59:61Z")]
    [InlineData("2026-02-29T00:00:00Z")]
    [InlineData("2026-13-01T00:00:00Z")]
    [InlineData("2026-00-01T00:00:00Z")]
    [InlineData("0000-01-01T00:00:00Z")]
    [InlineData("0001-01-01T00:00:00+00:01")]
    [InlineData("9999-12-31T23:59:59-00:01")]
    [InlineData("-026-01-31T23:59:59Z")]
    [InlineData("2026-01-31T23:59:59ZZ")]
    [InlineData(" 2026-01-31T23:59:59Z")]
    public void Anything_else_is_not_a_time(string text) =>
        Assert.False(Rfc3339.TryParse(Encoding.ASCII.GetBytes(text), out _));
}
