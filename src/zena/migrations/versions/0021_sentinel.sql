-- The last journey of the sentinel, a row for each stage. `failed` counts failures in a row, `since` when that began.
CREATE TABLE ops.sentinel (
    stage text NOT NULL,
    at timestamptz NOT NULL,
    ok boolean NOT NULL,
    ms double precision NOT NULL,
    says text NOT NULL,
    failed bigint NOT NULL,
    since timestamptz NOT NULL,
    CONSTRAINT pk_sentinel PRIMARY KEY (stage)
);
