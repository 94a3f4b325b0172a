using Xunit;

namespace OrleansEvents.Tests.Docs;

public sealed class ClusterPageTests
{
    [Fact]
    public void The_page_of_the_cluster_shows_the_grain_that_is_compiled_and_tested()
    {
        var compiled = Documents.Read("Tests.Cluster/Bridge/BooksGrain.cs").Split("// begin\n")[1].Split("// end")[0];
        Assert.Equal(compiled, Assert.Single(Documents.Blocks(Documents.Read("docs/cluster.md"), "csharp")));
    }
}
