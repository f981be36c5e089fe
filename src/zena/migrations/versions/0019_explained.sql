-- A cause may be found later than the incident is told: that is told, too.
ALTER TABLE ops.notice DROP CONSTRAINT ck_notice_kind;
ALTER TABLE ops.notice ADD CONSTRAINT ck_notice_kind
    CHECK (kind IN ('opened', 'worse', 'explained', 'escalated', 'reminder', 'flapping', 'acknowledged', 'verdict', 'closed'))
    NOT VALID;
ALTER TABLE ops.notice VALIDATE CONSTRAINT ck_notice_kind;
