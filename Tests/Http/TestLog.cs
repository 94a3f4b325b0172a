using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace OrleansEvents.Tests.Http;

/// <summary>What a server logs goes with the test that started it, where it is seen if the test fails, and not to the
/// console, where it would drown which one did.</summary>
internal sealed class TestLog(ITestOutputHelper output) : ILoggerProvider
{
    /// <summary>In the place of the console, unless the server is of no single test.</summary>
    public static void AddTo(IServiceCollection services)
    {
        if (TestContext.Current.TestOutputHelper is { } output)
            services.AddLogging(logging => logging.ClearProviders().AddProvider(new TestLog(output)));
    }

    public ILogger CreateLogger(string categoryName) => new Logger(output, categoryName);

    public void Dispose() { }

    private sealed class Logger(ITestOutputHelper output, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            try
            {
                output.WriteLine($"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {logLevel}: {category}: "
                    + $"{formatter(state, exception)} {exception}");
            }
            catch (InvalidOperationException)
            {
                // The test is over, and what its server does after that is nobody's.
            }
        }
    }
}
