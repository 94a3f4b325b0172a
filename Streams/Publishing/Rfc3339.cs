namespace OrleansEvents.Streams;

/// <summary>Reads RFC 3339 times strictly: a date, a time of day and an offset, nothing left out.</summary>
internal static class Rfc3339
{
    private const int DateTimeLength = 19; // 2026-01-31T23:59:59

    /// <summary>The moment in UTC, cut to milliseconds; false for anything else, and outside the years 1 to 9999. A
    /// leap second is the last millisecond before it.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out DateTimeOffset time)
    {
        time = default;
        if (text.Length <= DateTimeLength || !TryParseSeconds(text[..DateTimeLength], out var local, out var leap))
            return false;
        text = text[DateTimeLength..];
        if (!TryTakeFraction(ref text, out var ms) || !TryParseOffset(text, out var minutes)) return false;
        var ticks = local.Ticks + (leap ? 999 : ms) * TimeSpan.TicksPerMillisecond - minutes * TimeSpan.TicksPerMinute;
        if (ticks < 0 || ticks > DateTime.MaxValue.Ticks) return false;
        time = new DateTimeOffset(ticks, TimeSpan.Zero);
        return true;
    }

    private static bool TryParseSeconds(ReadOnlySpan<byte> text, out DateTime local, out bool leap)
    {
        (local, leap) = (default, false);
        if (text[4] != '-' || text[7] != '-' || (text[10] | 0x20) != 't' || text[13] != ':' || text[16] != ':')
            return false;
        var (year, month, day) = (Number(text[..4]), Number(text[5..7]), Number(text[8..10]));
        var (hour, minute, second) = (Number(text[11..13]), Number(text[14..16]), Number(text[17..]));
        leap = second == 60;
        if (leap) second = 59;
        if (year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month)) return false;
        if (hour is < 0 or > 23 || minute is < 0 or > 59 || second is < 0 or > 59) return false;
        local = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Unspecified);
        return true;
    }

    private static bool TryTakeFraction(ref ReadOnlySpan<byte> text, out int ms)
    {
        ms = 0;
        if (text[0] != '.') return true;
        var length = text[1..].IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        if (length < 1) return false;
        for (var i = 1; i <= 3; i++) ms = ms * 10 + (i <= length ? text[i] - '0' : 0);
        text = text[(length + 1)..];
        return true;
    }

    private static bool TryParseOffset(ReadOnlySpan<byte> text, out int minutes)
    {
        minutes = 0;
        if (text.Length == 1) return (text[0] | 0x20) == 'z';
        if (text.Length != 6 || text[0] is not ((byte)'+' or (byte)'-') || text[3] != ':') return false;
        var (hour, minute) = (Number(text[1..3]), Number(text[4..]));
        if (hour is < 0 or > 23 || minute is < 0 or > 59) return false;
        minutes = hour * 60 + minute;
        if (text[0] == '-') minutes = -minutes;
        return true;
    }

    /// <summary>The number that the digits spell, or -1 if there is anything else.</summary>
    private static int Number(ReadOnlySpan<byte> digits)
    {
        var number = 0;
        foreach (var digit in digits)
        {
            if (!char.IsAsciiDigit((char)digit)) return -1;
            number = number * 10 + (digit - '0');
        }
        return number;
    }
}
