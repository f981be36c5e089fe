-- What an operator or a remedy set for a while. Every process looks at it; only zena_ops writes. Past `until` it is void.
CREATE TABLE ops.tuning (
    name text NOT NULL,
    value double precision NOT NULL,
    until timestamptz NOT NULL,
    since timestamptz NOT NULL,
    actor text NOT NULL,
    why text NOT NULL,
    CONSTRAINT pk_tuning PRIMARY KEY (name),
    CONSTRAINT ck_tuning_why CHECK (length(why) <= 300),
    CONSTRAINT ck_tuning_while CHECK (until <= since + interval '25 hours')
);
GRANT SELECT ON ops.tuning TO zena_app;
