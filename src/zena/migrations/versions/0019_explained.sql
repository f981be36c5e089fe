-- A cause may be found later than the incident is told: that is told, too. The table is a page or two, and a worker's own.
-- squawk-ignore ban-drop-constraint
ALTER TABLE ops.notice DROP CONSTRAINT ck_notice_kind;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE ops.notice ADD CONSTRAINT ck_notice_kind CHECK (
    kind IN ('opened', 'worse', 'explained', 'escalated', 'reminder', 'flapping', 'acknowledged', 'verdict', 'closed')
);
