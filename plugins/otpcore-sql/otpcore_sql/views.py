"""Views for operators: the records as text, and what they say of sends and sessions; see docs/stores/sql.md.

A row that is no record of a recipient is passed over, whatever its bytes are. Days are of UTC, as in the records.

Rules of this file: text of SQL alone, by dialect; a view that was released is never changed, but followed by another.
"""

from __future__ import annotations

from typing import Final

__all__ = ["views"]

DAILY: Final = """
SELECT day, SUM(sends) AS sends, SUM(approvals) AS approvals,
  CASE WHEN SUM(sends) > 0 THEN ROUND(1.0 * SUM(approvals) / SUM(sends), 4) END AS conversion
FROM (
  SELECT day, 1 AS sends, 0 AS approvals FROM {p}_sends WHERE state <> 'refused'
  UNION ALL SELECT day, 0, 1 FROM {p}_sessions WHERE status = 'approved'
) AS counted GROUP BY day
"""

POSTGRESQL: Final = (
    """
CREATE OR REPLACE FUNCTION {p}_text(data bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN RETURN pg_catalog.convert_from(data, 'UTF8'); EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$
""",
    """
CREATE OR REPLACE FUNCTION {p}_json(data bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN RETURN pg_catalog.convert_from(data, 'UTF8')::jsonb; EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$
""",
    """
CREATE OR REPLACE VIEW {p}_readable AS
SELECT key, version, to_timestamp(gc_at / 1000000.0) AS gc_at, {p}_text(data) AS record FROM {p}_records
""",
    """
CREATE OR REPLACE VIEW {p}_sends AS
SELECT r.key, left(s ->> 'at', 10) AS day, s ->> 'at' AS at, coalesce(s ->> 'state', 'accepted') AS state,
  coalesce(s ->> 'refunded', 'false') = 'true' AS refunded, coalesce(l ->> 'purpose', '') AS purpose,
  coalesce(l ->> 'provider', '') AS provider, coalesce(l ->> 'channel', '') AS channel
FROM {p}_records AS r
CROSS JOIN LATERAL (SELECT {p}_json(r.data) AS record OFFSET 0) AS j
CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(j.record -> 'sends') = 'array'
  AND j.record -> 'counter' IS NULL THEN j.record -> 'sends' ELSE '[]' END) AS s
LEFT JOIN LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(j.record -> 'sessions') = 'array'
  THEN j.record -> 'sessions' ELSE '[]' END) AS l ON l ->> 'id' = s ->> 'session'
WHERE s ->> 'at' IS NOT NULL
""",
    """
CREATE OR REPLACE VIEW {p}_sessions AS
SELECT r.key, left(l ->> 'ended_at', 10) AS day, l ->> 'purpose' AS purpose,
  coalesce(l ->> 'status', 'pending') AS status, coalesce(l ->> 'provider', '') AS provider,
  coalesce(l ->> 'channel', '') AS channel, l ->> 'expires_at' AS expires_at, l ->> 'ended_at' AS ended_at
FROM {p}_records AS r
CROSS JOIN LATERAL (SELECT {p}_json(r.data) AS record OFFSET 0) AS j
CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(j.record -> 'sessions') = 'array'
  THEN j.record -> 'sessions' ELSE '[]' END) AS l
WHERE l ->> 'id' IS NOT NULL
""",
    "CREATE OR REPLACE VIEW {p}_daily AS" + DAILY,
)

MARIADB_JSON: Final = (
    """CASE WHEN JSON_VALID(CONVERT(r.data USING utf8mb4)) THEN CONVERT(r.data USING utf8mb4) ELSE '{{}}' END"""
)

MYSQL: Final = (
    """
CREATE OR REPLACE VIEW {p}_readable AS
SELECT CONVERT(`key` USING utf8mb4) AS `key`, CONVERT(version USING utf8mb4) AS version,
  TIMESTAMPADD(MICROSECOND, gc_at, '1970-01-01') AS gc_at,
  CASE WHEN JSON_VALID(CONVERT(data USING utf8mb4)) THEN CONVERT(data USING utf8mb4) END AS record FROM {p}_records
""",
    """
CREATE OR REPLACE VIEW {p}_sends AS
SELECT CONVERT(r.`key` USING utf8mb4) AS `key`, LEFT(s.at, 10) AS day, s.at AS at,
  COALESCE(s.state, 'accepted') AS state, COALESCE(s.refunded, 'false') IN ('true', '1') AS refunded,
  COALESCE(l.purpose, '') AS purpose, COALESCE(l.provider, '') AS provider, COALESCE(l.channel, '') AS channel
FROM {p}_records AS r
JOIN JSON_TABLE({json}, '$.sends[*]' COLUMNS (at VARCHAR(40) PATH '$.at', state VARCHAR(20) PATH '$.state',
  refunded VARCHAR(5) PATH '$.refunded', session VARCHAR(100) PATH '$.session')) AS s
LEFT JOIN JSON_TABLE({json}, '$.sessions[*]' COLUMNS (id VARCHAR(100) PATH '$.id',
  purpose VARCHAR(200) PATH '$.purpose', provider VARCHAR(200) PATH '$.provider',
  channel VARCHAR(200) PATH '$.channel')) AS l ON l.id = s.session
WHERE s.at IS NOT NULL AND JSON_CONTAINS_PATH({json}, 'one', '$.counter') = 0
""",
    """
CREATE OR REPLACE VIEW {p}_sessions AS
SELECT CONVERT(r.`key` USING utf8mb4) AS `key`, LEFT(l.ended_at, 10) AS day, l.purpose AS purpose,
  COALESCE(l.status, 'pending') AS status, COALESCE(l.provider, '') AS provider, COALESCE(l.channel, '') AS channel,
  l.expires_at AS expires_at, l.ended_at AS ended_at
FROM {p}_records AS r
JOIN JSON_TABLE({json}, '$.sessions[*]' COLUMNS (id VARCHAR(100) PATH '$.id',
  purpose VARCHAR(200) PATH '$.purpose', status VARCHAR(40) PATH '$.status', provider VARCHAR(200) PATH '$.provider',
  channel VARCHAR(200) PATH '$.channel', expires_at VARCHAR(40) PATH '$.expires_at',
  ended_at VARCHAR(40) PATH '$.ended_at')) AS l
WHERE l.id IS NOT NULL
""",
    "CREATE OR REPLACE VIEW {p}_daily AS" + DAILY,
)

SQLITE: Final = (
    """
CREATE VIEW IF NOT EXISTS {p}_readable AS
SELECT key, version, strftime('%Y-%m-%dT%H:%M:%fZ', gc_at / 1000000.0, 'unixepoch') AS gc_at,
  CASE WHEN json_valid(CAST(data AS TEXT)) THEN CAST(data AS TEXT) END AS record FROM {p}_records
""",
    """
CREATE VIEW IF NOT EXISTS {p}_sends AS
SELECT r.key AS key, substr(json_extract(s.value, '$.at'), 1, 10) AS day, json_extract(s.value, '$.at') AS at,
  coalesce(json_extract(s.value, '$.state'), 'accepted') AS state,
  coalesce(json_extract(s.value, '$.refunded'), 0) AS refunded,
  coalesce(json_extract(l.value, '$.purpose'), '') AS purpose,
  coalesce(json_extract(l.value, '$.provider'), '') AS provider,
  coalesce(json_extract(l.value, '$.channel'), '') AS channel
FROM {p}_records AS r
JOIN json_each({json}, '$.sends') AS s
LEFT JOIN json_each({json}, '$.sessions') AS l
  ON CASE WHEN l.type = 'object' AND s.type = 'object'
    THEN json_extract(l.value, '$.id') = json_extract(s.value, '$.session') END
WHERE CASE WHEN s.type = 'object' THEN json_extract(s.value, '$.at') END IS NOT NULL
  AND json_type({json}, '$.counter') IS NULL
""",
    """
CREATE VIEW IF NOT EXISTS {p}_sessions AS
SELECT r.key AS key, substr(json_extract(l.value, '$.ended_at'), 1, 10) AS day,
  json_extract(l.value, '$.purpose') AS purpose, coalesce(json_extract(l.value, '$.status'), 'pending') AS status,
  coalesce(json_extract(l.value, '$.provider'), '') AS provider,
  coalesce(json_extract(l.value, '$.channel'), '') AS channel,
  json_extract(l.value, '$.expires_at') AS expires_at, json_extract(l.value, '$.ended_at') AS ended_at
FROM {p}_records AS r JOIN json_each({json}, '$.sessions') AS l
WHERE CASE WHEN l.type = 'object' THEN json_extract(l.value, '$.id') END IS NOT NULL
""",
    "CREATE VIEW IF NOT EXISTS {p}_daily AS" + DAILY,
)

VIEWS: Final = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "mysql": MYSQL, "mariadb": MYSQL}

JSON: Final = {
    "sqlite": "CASE WHEN json_valid(CAST(r.data AS TEXT)) THEN CAST(r.data AS TEXT) ELSE '{}' END",
    "mysql": "CASE WHEN JSON_VALID(CONVERT(r.data USING utf8mb4)) THEN CONVERT(r.data USING utf8mb4) ELSE '{}' END",
}
"""The record of a row `r`, or one of nothing; PostgreSQL has a function for it."""


def views(dialect: str, prefix: str) -> list[str]:
    """What version 2 of the schema adds."""
    json = JSON["sqlite" if dialect == "sqlite" else "mysql"]
    return [statement.strip().format(p=prefix, json=json) for statement in VIEWS[dialect]]
