namespace OrleansEvents.Cli;

internal static class Colour
{
    public const string None = "\e[0m";
    public const string Dim = "\e[2m";
    public const string Red = "\e[31m";
    public const string Yellow = "\e[33m";
    public const string Cyan = "\e[36m";
    public const string ClearLine = "\r\e[K";
}
