-- The archives that lie in the backup directory. Workers and commands see it; who serves the console may not.
-- `proved_at`: when it was last restored (a base backup: started) for proof. `fault`: why it is none any more.
CREATE TABLE ops.backup (
    name text NOT NULL,
    kind text NOT NULL,
    made_at timestamptz NOT NULL,
    bytes bigint NOT NULL,
    rows bigint,
    files bigint,
    release text,
    revision text,
    proved_at timestamptz,
    fault text,
    host text NOT NULL,
    seen_at timestamptz NOT NULL,
    CONSTRAINT pk_backup PRIMARY KEY (name),
    CONSTRAINT ck_backup_kind CHECK (kind IN ('dump', 'base')),
    CONSTRAINT ck_backup_texts CHECK (length(name) <= 255 AND length(fault) <= 500)
);

-- What each machine last saw of the directory, and of the server's log that is kept in it.
CREATE TABLE ops.backup_place (
    host text NOT NULL,
    looked_at timestamptz NOT NULL,
    free_bytes bigint NOT NULL,
    log_until timestamptz,
    log_pieces bigint NOT NULL,
    log_bytes bigint NOT NULL,
    log_waiting bigint NOT NULL,
    CONSTRAINT pk_backup_place PRIMARY KEY (host)
);

-- The counts of objectives by the hour, for the long windows.
CREATE TABLE ops.sli_hour (
    slo text NOT NULL,
    hour timestamptz NOT NULL,
    good bigint NOT NULL,
    total bigint NOT NULL,
    CONSTRAINT pk_sli_hour PRIMARY KEY (slo, hour),
    CONSTRAINT ck_sli_hour_good CHECK (good BETWEEN 0 AND total)
);
INSERT INTO ops.sli_hour (slo, hour, good, total)
SELECT slo, date_bin('1 hour', minute, 'epoch'), sum(good), sum(total) FROM ops.sli GROUP BY 1, 2;

-- One series for all that people ask, for the charts: merged by the roll-up from here on, and here what there is.
INSERT INTO ops.series (metric, label) VALUES ('http.users', 'all');
WITH p AS (
    SELECT resolution, bucket, n, bad, slow, total, peak, bins, counts FROM ops.rollup
    WHERE bucket > now() - interval '31 days' AND series_id IN (SELECT id FROM ops.series WHERE metric IN
        ('http.dashboard', 'http.api', 'http.page', 'http.heavy', 'http.anonymous'))
), sums AS (
    SELECT resolution, bucket, sum(n) AS n, sum(bad) AS bad, sum(slow) AS slow, sum(total) AS total, max(peak) AS peak
    FROM p GROUP BY 1, 2
), each AS (
    SELECT resolution, bucket, bin, sum(c) AS c FROM p, unnest(bins, counts) AS u (bin, c) GROUP BY 1, 2, 3
), sketch AS (
    SELECT resolution, bucket, array_agg(bin ORDER BY bin) AS bins, array_agg(c::bigint ORDER BY bin) AS counts
    FROM each GROUP BY 1, 2
)
INSERT INTO ops.rollup (resolution, bucket, series_id, n, bad, slow, total, peak, bins, counts)
SELECT resolution, bucket, (SELECT id FROM ops.series WHERE metric = 'http.users' AND label = 'all'),
    n, bad, slow, total, peak, bins, counts
FROM sums JOIN sketch USING (resolution, bucket);
