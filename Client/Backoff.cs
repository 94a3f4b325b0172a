namespace OrleansEvents.Client;

internal static class Backoff
{
    /// <summary>
    /// The wait before attempt <paramref name="retry"/> (1 is the first retry): doubling, at most
    /// <paramref name="longest"/>, shortened by up to a quarter by chance so that clients spread out.
    /// What the server asked for is never undercut.
    /// </summary>
    public static TimeSpan Delay(
        int retry, TimeSpan first, TimeSpan longest, TimeSpan? asked, Func<double> chance)
    {
        var doublings = Math.Min(retry - 1, 30);
        var delay = TimeSpan.FromTicks((long)Math.Min(first.Ticks * Math.Pow(2, doublings), longest.Ticks));
        delay -= delay * (chance() / 4);
        return asked > delay ? asked.Value : delay;
    }
}
