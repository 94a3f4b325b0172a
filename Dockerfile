# A node of the cluster.
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /source
COPY . .
RUN dotnet publish Silo/Silo.csproj -c Release -o /app --nologo -v q

FROM mcr.microsoft.com/dotnet/aspnet:10.0
# For the health check.
RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app .
# The image's own user, who owns nothing.
USER $APP_UID
# The first two can be given by the environment only: idle threads sleep at once instead of spinning, and what a socket
# has to say is handled on the thread that hears of it.
ENV DOTNET_ThreadPool_UnfairSemaphoreSpinLimit=0 \
    DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS=1 \
    OrleansEvents__Urls=http://0.0.0.0:8080 \
    OrleansEvents__Cluster__Advertise=auto
EXPOSE 8080 11111 30000
# Alive, not ready: a node that cannot reach its database for a while must not be killed for it.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
    CMD curl -fsS http://127.0.0.1:8080/healthz || exit 1
ENTRYPOINT ["dotnet", "OrleansEvents.Silo.dll"]
