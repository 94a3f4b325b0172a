namespace OrleansEvents.Silo.Database;

/// <summary>
/// The statements of Orleans' ADO.NET providers, by the names under which they look for them. A provider binds
/// parameters by name and reads columns by name; those with a yes or no for an answer give one boolean.
/// </summary>
internal static class ProviderQueries
{
    private const string Member = """
        m.cluster = @DeploymentId AND m.address = @Address AND m.port = @Port AND m.generation = @Generation
        """;

    private const string MemberColumns = """
        c.version AS "Version", m.address AS "Address", m.port AS "Port", m.generation AS "Generation",
        m.name AS "SiloName", m.host AS "HostName", m.status AS "Status", m.gateway AS "ProxyPort",
        m.suspects AS "SuspectTimes", m.started AS "StartTime", m.alive AS "IAmAliveTime"
        """;

    private const string ReminderColumns = """
        grain AS "GrainId", name AS "ReminderName", begins AS "StartTime", period AS "Period", version AS "Version"
        """;

    // The hashes that the provider sends are for databases that cannot index what they are of.
    private const string State = """
        service = @ServiceId AND type = @GrainTypeString AND n0 = @GrainIdN0 AND n1 = @GrainIdN1
            AND key = coalesce(@GrainIdExtensionString, '')
        """;

    public static IReadOnlyDictionary<string, string> All { get; } = new Dictionary<string, string>
    {
        ["InsertMembershipVersionKey"] = """
            WITH made AS (
                INSERT INTO clusters VALUES(@DeploymentId, 0) ON CONFLICT DO NOTHING RETURNING 1)
            SELECT EXISTS(SELECT 1 FROM made)
            """,
        // The table's version goes first: its row is the lock for which changes of members queue, and whoever comes
        // with an old version changes nothing.
        ["InsertMembershipKey"] = $"""
            WITH moved AS (
                UPDATE clusters SET version = version + 1 WHERE cluster = @DeploymentId AND version = @Version
                    AND NOT EXISTS(SELECT 1 FROM members m WHERE {Member})
                RETURNING cluster),
            made AS (
                INSERT INTO members(cluster, address, port, generation, gateway, status, started, alive, name, host)
                SELECT cluster, @Address, @Port, @Generation, @ProxyPort, @Status, @StartTime, @IAmAliveTime, @SiloName,
                    @HostName FROM moved
                RETURNING 1)
            SELECT EXISTS(SELECT 1 FROM made)
            """,
        ["UpdateMembershipKey"] = $"""
            WITH moved AS (
                UPDATE clusters SET version = version + 1 WHERE cluster = @DeploymentId AND version = @Version
                    AND EXISTS(SELECT 1 FROM members m WHERE {Member})
                RETURNING cluster),
            changed AS (
                UPDATE members m SET status = @Status, suspects = @SuspectTimes, alive = greatest(alive, @IAmAliveTime)
                FROM moved WHERE {Member} AND m.cluster = moved.cluster
                RETURNING 1)
            SELECT EXISTS(SELECT 1 FROM changed)
            """,
        ["UpdateIAmAlivetimeKey"] = $"UPDATE members m SET alive = @IAmAliveTime WHERE {Member}",
        // One row with the table's version even when there is no member.
        ["MembershipReadRowKey"] = $"""
            SELECT {MemberColumns} FROM clusters c LEFT JOIN members m ON {Member} WHERE c.cluster = @DeploymentId
            """,
        ["MembershipReadAllKey"] = $"""
            SELECT {MemberColumns} FROM clusters c LEFT JOIN members m ON m.cluster = c.cluster
            WHERE c.cluster = @DeploymentId
            """,
        ["GatewaysQueryKey"] = """
            SELECT address AS "Address", gateway AS "ProxyPort", generation AS "Generation" FROM members
            WHERE cluster = @DeploymentId AND status = @Status AND gateway > 0
            """,
        ["DeleteMembershipTableEntriesKey"] = """
            WITH gone AS (DELETE FROM members WHERE cluster = @DeploymentId)
            DELETE FROM clusters WHERE cluster = @DeploymentId
            """,
        ["CleanupDefunctSiloEntriesKey"] = $"""
            DELETE FROM members
            WHERE cluster = @DeploymentId AND alive < @IAmAliveTime AND status = {MemberStatus.Dead}
            """,

        ["UpsertReminderRowKey"] = """
            INSERT INTO reminders AS r(service, grain, name, hash, version, begins, period)
            VALUES(@ServiceId, @GrainId, @ReminderName, @GrainHash, 0, @StartTime, @Period)
            ON CONFLICT (service, grain, name) DO UPDATE
                SET version = r.version + 1, begins = excluded.begins, period = excluded.period
            RETURNING version AS "Version"
            """,
        ["ReadReminderRowsKey"] =
            $"SELECT {ReminderColumns} FROM reminders WHERE service = @ServiceId AND grain = @GrainId",
        ["ReadReminderRowKey"] = $"""
            SELECT {ReminderColumns} FROM reminders
            WHERE service = @ServiceId AND grain = @GrainId AND name = @ReminderName
            """,
        // A range of the ring of hashes: from one, not included, through the other; the second goes over the end.
        ["ReadRangeRows1Key"] = $"""
            SELECT {ReminderColumns} FROM reminders
            WHERE service = @ServiceId AND hash > @BeginHash AND hash <= @EndHash
            """,
        ["ReadRangeRows2Key"] = $"""
            SELECT {ReminderColumns} FROM reminders
            WHERE service = @ServiceId AND (hash > @BeginHash OR hash <= @EndHash)
            """,
        ["DeleteReminderRowKey"] = """
            WITH gone AS (
                DELETE FROM reminders WHERE service = @ServiceId AND grain = @GrainId AND name = @ReminderName
                    AND version = @Version RETURNING 1)
            SELECT EXISTS(SELECT 1 FROM gone)
            """,
        ["DeleteReminderRowsKey"] = "DELETE FROM reminders WHERE service = @ServiceId",

        ["ReadFromStorageKey"] =
            $"""SELECT state AS "PayloadBinary", version AS "Version" FROM grain_states WHERE {State}""",
        // No row for an answer: somebody else has written since.
        ["WriteToStorageKey"] = $"""
            WITH changed AS (
                UPDATE grain_states SET state = @PayloadBinary, version = version + 1
                WHERE {State} AND version = @GrainStateVersion RETURNING version),
            made AS (
                INSERT INTO grain_states(service, type, n0, n1, key, version, state)
                SELECT @ServiceId, @GrainTypeString, @GrainIdN0, @GrainIdN1, coalesce(@GrainIdExtensionString, ''), 1,
                    @PayloadBinary
                WHERE @GrainStateVersion IS NULL ON CONFLICT DO NOTHING RETURNING version)
            SELECT version AS "NewGrainStateVersion" FROM changed UNION ALL SELECT version FROM made
            """,
        ["ClearStorageKey"] = $"""
            UPDATE grain_states SET state = NULL, version = version + 1
            WHERE {State} AND version = @GrainStateVersion RETURNING version AS "NewGrainStateVersion"
            """,
        ["DeleteStorageKey"] = $"""
            DELETE FROM grain_states
            WHERE {State} AND version = @GrainStateVersion RETURNING version + 1 AS "NewGrainStateVersion"
            """,
    };
}
