namespace OrleansEvents.Api.Options;

/// <summary>Says what a setting means, in which unit and within which bounds; makes docs/limits.md.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SettingAttribute(string meaning) : Attribute
{
    public string Meaning => meaning;
    public string Unit { get; init; } = "";
    public double Min { get; init; }
    public double Max { get; init; } = double.MaxValue;
}
