using Xunit;

namespace OrleansEvents.Tests.Docs;

public sealed class DeliveryCommandsTests
{
    [Fact]
    public async Task What_the_page_of_delivery_shows_is_what_its_commands_print()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a POSIX shell.");
        using var server = await ServerProcess.Start();
        var page = Documents.Read("docs/delivery.md");
        var block = Assert.Single(Documents.Blocks(page, "sh"));
        var output = await ShellScript.Run(block, ("http://127.0.0.1:5080", server.Address));
        ShellScript.MustPrint(page, block, output);
    }
}
