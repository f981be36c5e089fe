-- The queue library reads a batch whole: one row of another shape, and nobody gets any job. The table is small.
ALTER TABLE queue.pgqueuer
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT ck_pgqueuer_headers CHECK (headers IS NULL OR jsonb_typeof(headers) = 'object');
