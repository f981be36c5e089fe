-- What each round found that tries one firm on another: no contents, only ways and what gave. `unfinished` proves nothing.
CREATE TABLE ops.isolation_round (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    took_s double precision NOT NULL,
    release text NOT NULL,
    revision text NOT NULL,
    routes bigint NOT NULL,
    requests bigint NOT NULL,
    findings jsonb NOT NULL,
    unfinished jsonb NOT NULL,
    CONSTRAINT pk_isolation_round PRIMARY KEY (id)
);
