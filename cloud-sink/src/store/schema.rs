//! The tables. Segments, evidence and chain edges are never dropped by retention.

/// Version of the tables.
pub const VERSION: i64 = 1 + UPGRADES.len() as i64;

/// Makes what SQLite spells in its own way.
pub const LITE: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE numeric (
  id INTEGER PRIMARY KEY, series INTEGER NOT NULL, at_ns INTEGER NOT NULL, mantissa INTEGER,
  exponent INTEGER NOT NULL, status INTEGER NOT NULL, absent INTEGER);
CREATE TABLE block (
  id INTEGER PRIMARY KEY, evidence INTEGER NOT NULL, series INTEGER NOT NULL,
  from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, first_row INTEGER NOT NULL,
  last_row INTEGER NOT NULL);
CREATE TABLE wave (
  id INTEGER PRIMARY KEY, evidence INTEGER NOT NULL, series INTEGER NOT NULL,
  at_ns INTEGER NOT NULL, sample_first INTEGER NOT NULL, count INTEGER NOT NULL,
  status INTEGER NOT NULL, samples BLOB NOT NULL, invalid BLOB);
";

/// Makes what PostgreSQL spells in its own way: rows by the day on which they were stored.
const POSTGRES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO meta VALUES ('row', 0), ('numerics', 0);
CREATE TABLE life (epoch BYTEA NOT NULL);
CREATE TABLE numeric (
  id BIGINT NOT NULL, series BIGINT NOT NULL, at_ns BIGINT NOT NULL, mantissa BIGINT,
  exponent SMALLINT NOT NULL, status INTEGER NOT NULL, absent SMALLINT) PARTITION BY RANGE (id);
CREATE TABLE block (
  id BIGINT NOT NULL, evidence BIGINT NOT NULL, series BIGINT NOT NULL, from_ns BIGINT NOT NULL,
  to_ns BIGINT NOT NULL, first_row BIGINT NOT NULL, last_row BIGINT NOT NULL)
  PARTITION BY RANGE (id);
CREATE TABLE wave (
  id BIGINT NOT NULL, evidence BIGINT NOT NULL, series BIGINT NOT NULL, at_ns BIGINT NOT NULL,
  sample_first BIGINT NOT NULL, count BIGINT NOT NULL, status BIGINT NOT NULL,
  samples BYTEA NOT NULL, invalid BYTEA) PARTITION BY RANGE (id);
";

/// Makes all other tables of a new store.
pub const TABLES: &str = "
CREATE TABLE gateway (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, signing_key BLOB NOT NULL,
  enrolled_ns INTEGER NOT NULL);
CREATE TABLE segment (
  id INTEGER PRIMARY KEY, segment BLOB NOT NULL, gateway INTEGER NOT NULL REFERENCES gateway,
  lane INTEGER NOT NULL, header BLOB, kept_secret BLOB, boot BLOB, start_count INTEGER,
  continues_segment BLOB, continues_index INTEGER, found INTEGER, software TEXT,
  doubles INTEGER NOT NULL DEFAULT 0, UNIQUE (segment, gateway, lane));
CREATE TABLE evidence (
  id INTEGER PRIMARY KEY, segment INTEGER NOT NULL REFERENCES segment, idx INTEGER NOT NULL,
  hash BLOB NOT NULL, previous BLOB, sequence_first INTEGER, sequence_last INTEGER,
  disposition INTEGER NOT NULL, reason INTEGER NOT NULL, received_ns INTEGER NOT NULL,
  bytes BLOB NOT NULL);
CREATE UNIQUE INDEX evidence_place ON evidence (segment, idx, hash);
CREATE INDEX evidence_edge ON evidence (previous);
CREATE INDEX evidence_hash ON evidence (hash);
CREATE TABLE device (id INTEGER PRIMARY KEY, eui TEXT NOT NULL UNIQUE);
CREATE TABLE heard (
  device INTEGER NOT NULL, boot INTEGER NOT NULL, lane INTEGER NOT NULL,
  gateway INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY (device, boot, lane, gateway, first)) WITHOUT ROWID;
CREATE TABLE series (
  id INTEGER PRIMARY KEY, device INTEGER NOT NULL REFERENCES device, code INTEGER NOT NULL,
  unit INTEGER NOT NULL, label TEXT NOT NULL, unit_label TEXT NOT NULL, wave INTEGER NOT NULL,
  rate_numerator INTEGER NOT NULL, rate_denominator INTEGER NOT NULL,
  gain_mantissa INTEGER NOT NULL, gain_exponent INTEGER NOT NULL, baseline INTEGER NOT NULL,
  bits INTEGER NOT NULL, mode INTEGER NOT NULL,
  UNIQUE (device, code, unit, label, unit_label, wave, rate_numerator, rate_denominator,
          gain_mantissa, gain_exponent, baseline, bits, mode));
CREATE INDEX block_time ON block (series, from_ns);
CREATE INDEX wave_time ON wave (series, at_ns);
CREATE TABLE note (
  id INTEGER PRIMARY KEY, evidence INTEGER NOT NULL, device INTEGER NOT NULL,
  at_ns INTEGER NOT NULL, kind TEXT NOT NULL, code INTEGER, source INTEGER, phase INTEGER,
  state INTEGER, priority INTEGER, value INTEGER, text TEXT);
CREATE INDEX note_time ON note (device, at_ns);
CREATE TABLE gap (
  id INTEGER PRIMARY KEY, evidence INTEGER NOT NULL, gateway INTEGER NOT NULL,
  lane INTEGER NOT NULL, hole_segment BLOB, index_first INTEGER, index_last INTEGER,
  sequence_first INTEGER, sequence_last INTEGER, readings_min INTEGER NOT NULL,
  readings_max INTEGER NOT NULL, from_ns INTEGER, to_ns INTEGER, cause TEXT NOT NULL,
  before BLOB, after BLOB);
CREATE TABLE health (
  gateway INTEGER PRIMARY KEY, received_ns INTEGER NOT NULL, report BLOB NOT NULL);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIEW reading AS
  SELECT device.eui AS device, series.code, series.label, numeric.at_ns,
         CAST(numeric.mantissa || 'e' || numeric.exponent AS REAL) AS value, numeric.mantissa,
         numeric.exponent, series.unit, numeric.status, numeric.absent, series.mode
  FROM numeric JOIN series ON series.id = numeric.series JOIN device ON device.id = series.device;
";

/// Makes what an older store of the same version lacks; it changes the meaning of nothing there.
pub const ADDITIONS: &str = "
CREATE TABLE IF NOT EXISTS gateway_key (
  gateway INTEGER NOT NULL REFERENCES gateway, signing_key BLOB NOT NULL,
  enrolled_ns INTEGER NOT NULL, PRIMARY KEY (gateway, signing_key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS said (
  device INTEGER NOT NULL, boot INTEGER NOT NULL, lane INTEGER NOT NULL, first INTEGER NOT NULL,
  evidence INTEGER NOT NULL, last INTEGER NOT NULL, digests BLOB NOT NULL,
  PRIMARY KEY (device, boot, lane, first, evidence)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS coverage (
  gateway INTEGER NOT NULL, minute INTEGER NOT NULL, device INTEGER NOT NULL,
  live INTEGER NOT NULL, late INTEGER NOT NULL,
  PRIMARY KEY (gateway, minute, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ticket (
  digest BLOB PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL,
  expires_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
  digest BLOB PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL,
  expires_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heartbeat (
  gateway INTEGER PRIMARY KEY, arrivals INTEGER NOT NULL, sequence INTEGER NOT NULL,
  report BLOB NOT NULL, epoch INTEGER NOT NULL, error_us INTEGER);
CREATE TABLE IF NOT EXISTS watched (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gateway_watched (
  gateway INTEGER PRIMARY KEY, heard_ns INTEGER NOT NULL, arrivals INTEGER NOT NULL,
  report BLOB NOT NULL, epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS device_watched (
  gateway INTEGER NOT NULL, device INTEGER NOT NULL, heard_ns INTEGER NOT NULL,
  PRIMARY KEY (gateway, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS incident (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, gateway INTEGER, subject TEXT NOT NULL,
  words TEXT NOT NULL, count INTEGER NOT NULL, opened_ns INTEGER NOT NULL,
  last_ns INTEGER NOT NULL, closed_ns INTEGER, owner TEXT);
CREATE INDEX IF NOT EXISTS incident_open ON incident (kind, gateway, subject)
  WHERE closed_ns IS NULL;
CREATE TABLE IF NOT EXISTS incident_entry (
  incident INTEGER NOT NULL, at_ns INTEGER NOT NULL, what TEXT NOT NULL, who TEXT,
  note TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS gap_time ON gap (gateway, to_ns);
CREATE INDEX IF NOT EXISTS evidence_kept ON evidence (disposition, reason) WHERE disposition <> 1;
";

/// What makes each version out of the one before, the second first. A step that was released is
/// never changed.
pub const UPGRADES: [&str; 5] = [
    "
DROP TABLE IF EXISTS ticket;
DROP TABLE IF EXISTS session;
CREATE TABLE one_time (
  digest BLOB PRIMARY KEY, purpose TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL,
  ward TEXT, secret BLOB NOT NULL, expires_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE signed_in (
  digest BLOB PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, ward TEXT,
  expires_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE account (
  name TEXT PRIMARY KEY, role TEXT NOT NULL, ward TEXT, password TEXT NOT NULL,
  secret BLOB NOT NULL, step INTEGER NOT NULL, failures INTEGER NOT NULL,
  locked_ns INTEGER NOT NULL, made_ns INTEGER NOT NULL, is_off INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE gateway_ward (gateway INTEGER PRIMARY KEY, ward TEXT NOT NULL);
CREATE TABLE ward_history (gateway INTEGER NOT NULL, from_ns INTEGER NOT NULL, ward TEXT);
ALTER TABLE evidence ADD COLUMN opened_ns INTEGER;
CREATE INDEX evidence_sealed ON evidence (id) WHERE disposition = 1 AND length(bytes) > 0;
CREATE INDEX one_time_end ON one_time (expires_ns);
CREATE INDEX signed_in_end ON signed_in (expires_ns);
CREATE TABLE audit (
  id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, who TEXT NOT NULL, role TEXT NOT NULL,
  what TEXT NOT NULL, object TEXT NOT NULL, words TEXT NOT NULL, hash BLOB NOT NULL);
CREATE TABLE asset (
  eui TEXT PRIMARY KEY, udi TEXT NOT NULL, serial TEXT NOT NULL, model TEXT NOT NULL,
  maker TEXT NOT NULL, place TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE hold (
  id INTEGER PRIMARY KEY, device TEXT, ward TEXT, reason TEXT NOT NULL, begun_ns INTEGER NOT NULL,
  ended_ns INTEGER);
CREATE TABLE maintenance (
  id INTEGER PRIMARY KEY, gateway TEXT, ward TEXT, reason TEXT NOT NULL,
  from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL);
CREATE TABLE notice (
  incident INTEGER NOT NULL, channel TEXT NOT NULL, event TEXT NOT NULL, at_ns INTEGER NOT NULL,
  PRIMARY KEY (incident, channel, event)) WITHOUT ROWID;
CREATE TABLE disposal (
  id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, lane INTEGER, ward TEXT,
  stored_before_ns INTEGER NOT NULL, rows_gone INTEGER NOT NULL, records_gone INTEGER NOT NULL);
",
    "
CREATE TABLE gateway_hour (
  gateway INTEGER NOT NULL, hour INTEGER NOT NULL, up INTEGER NOT NULL, live INTEGER NOT NULL,
  d0 INTEGER NOT NULL, d1 INTEGER NOT NULL, d2 INTEGER NOT NULL, d3 INTEGER NOT NULL,
  d4 INTEGER NOT NULL, d5 INTEGER NOT NULL, d6 INTEGER NOT NULL, d7 INTEGER NOT NULL,
  d8 INTEGER NOT NULL, d9 INTEGER NOT NULL, d10 INTEGER NOT NULL, d11 INTEGER NOT NULL,
  d12 INTEGER NOT NULL, d13 INTEGER NOT NULL, d14 INTEGER NOT NULL,
  PRIMARY KEY (gateway, hour)) WITHOUT ROWID;
",
    // `place`: which row of the kind its frame made, the same in every store.
    // `dated`: 0 or none by the gateway's clock, 1 by the device's own, 2 by a guess, 3 by the
    // gateway's and a civil clock without zone.
    "
CREATE TABLE context (id INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE);
ALTER TABLE block ADD COLUMN context INTEGER;
ALTER TABLE block ADD COLUMN dated INTEGER;
ALTER TABLE wave ADD COLUMN context INTEGER;
ALTER TABLE wave ADD COLUMN dated INTEGER;
ALTER TABLE note ADD COLUMN context INTEGER;
ALTER TABLE note ADD COLUMN dated INTEGER;
ALTER TABLE block ADD COLUMN place INTEGER;
ALTER TABLE wave ADD COLUMN place INTEGER;
ALTER TABLE note ADD COLUMN place INTEGER;
CREATE INDEX block_guessed ON block (evidence) WHERE dated = 2;
CREATE INDEX wave_guessed ON wave (evidence) WHERE dated = 2;
CREATE INDEX note_guessed ON note (evidence) WHERE dated = 2;
CREATE TABLE frame_time (
  evidence INTEGER PRIMARY KEY, gateway INTEGER NOT NULL, boot BLOB NOT NULL,
  start_count INTEGER NOT NULL, epoch INTEGER NOT NULL, monotonic_ns INTEGER NOT NULL,
  utc_ns INTEGER NOT NULL, error_us INTEGER, source INTEGER NOT NULL);
CREATE INDEX frame_guessed ON frame_time (gateway, boot) WHERE error_us IS NULL;
CREATE TABLE anchor (
  gateway INTEGER NOT NULL, boot BLOB NOT NULL, start_count INTEGER NOT NULL,
  monotonic_ns INTEGER NOT NULL, utc_ns INTEGER NOT NULL, error_us INTEGER NOT NULL,
  source INTEGER NOT NULL, PRIMARY KEY (gateway, boot)) WITHOUT ROWID;
CREATE TABLE feed (
  name TEXT PRIMARY KEY, numerics INTEGER NOT NULL, waves INTEGER NOT NULL, notes INTEGER NOT NULL,
  taken INTEGER NOT NULL, refused INTEGER NOT NULL, left_out INTEGER NOT NULL,
  at_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE feed_waiting (
  name TEXT NOT NULL, kind INTEGER NOT NULL, id INTEGER NOT NULL,
  PRIMARY KEY (name, kind, id)) WITHOUT ROWID;
",
    // Who is trusted with what: `revoked` with the last receipted record of each lane, `key_end`
    // with the start from which on a key has a successor.
    "
CREATE TABLE revoked (
  gateway INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, reason TEXT NOT NULL, successor TEXT);
CREATE TABLE revoked_after (
  gateway INTEGER NOT NULL, lane INTEGER NOT NULL, segment BLOB NOT NULL, idx INTEGER NOT NULL,
  hash BLOB NOT NULL, PRIMARY KEY (gateway, lane)) WITHOUT ROWID;
CREATE TABLE key_end (
  gateway INTEGER NOT NULL, signing_key BLOB NOT NULL, successor BLOB NOT NULL,
  start_count INTEGER, spoke_ns INTEGER, at_ns INTEGER NOT NULL,
  PRIMARY KEY (gateway, signing_key)) WITHOUT ROWID;
CREATE TABLE token (
  digest BLOB PRIMARY KEY, gateway TEXT NOT NULL, ward TEXT, expires_ns INTEGER NOT NULL,
  another_key INTEGER NOT NULL, used_by BLOB) WITHOUT ROWID;
CREATE TABLE certificate (
  serial BLOB PRIMARY KEY, gateway TEXT NOT NULL, from_ns INTEGER NOT NULL,
  to_ns INTEGER NOT NULL, revoked_ns INTEGER) WITHOUT ROWID;
CREATE TABLE keyring (
  root_version INTEGER NOT NULL, fleet_version INTEGER NOT NULL, at_ns INTEGER NOT NULL,
  document BLOB NOT NULL, PRIMARY KEY (root_version, fleet_version)) WITHOUT ROWID;
CREATE TABLE fork (
  gateway INTEGER NOT NULL, boot BLOB NOT NULL, other BLOB NOT NULL, at_ns INTEGER NOT NULL,
  PRIMARY KEY (gateway, boot, other)) WITHOUT ROWID;
CREATE INDEX segment_gateway ON segment (gateway, lane);
",
    // `remnant`: what an erasure left of a record, its signed part and each block or its digest.
    // `gateway_audit`: what a gateway's own trail says, as it signed it.
    "
CREATE TABLE erasure (
  id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, at_ns INTEGER NOT NULL, device TEXT,
  patient BLOB, from_ns INTEGER, to_ns INTEGER, reason TEXT NOT NULL, who TEXT NOT NULL,
  rows_gone INTEGER NOT NULL, blocks_gone INTEGER NOT NULL);
CREATE TABLE remnant (
  evidence INTEGER PRIMARY KEY, signed BLOB NOT NULL, blocks BLOB NOT NULL);
CREATE TABLE gateway_audit (
  gateway INTEGER NOT NULL, number INTEGER NOT NULL, hash BLOB NOT NULL,
  evidence INTEGER NOT NULL, at_ns INTEGER, kind TEXT NOT NULL, object TEXT NOT NULL,
  words TEXT NOT NULL, entry BLOB NOT NULL,
  PRIMARY KEY (gateway, number, hash)) WITHOUT ROWID;
CREATE INDEX said_evidence ON said (evidence);
CREATE INDEX segment_continues ON segment (continues_segment);
CREATE INDEX gateway_audit_came ON gateway_audit (evidence);
",
];

/// Settings of every connection that writes. Weaker ones are refused.
pub const SETTINGS: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = OFF;
PRAGMA secure_delete = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -65536;
PRAGMA wal_autocheckpoint = 8192;
";

/// Settings of every connection to PostgreSQL. Weaker ones are refused.
pub const POSTGRES_SETTINGS: &str = "
SET synchronous_commit = on;
SET client_min_messages = warning;
";

/// The same tables for PostgreSQL, with those of the newest version.
#[must_use]
pub fn in_postgres() -> String {
    let tables = spelled_for_postgres(&[TABLES, ADDITIONS, &UPGRADES.concat()].concat());
    let rowid = "ALTER TABLE incident_entry ADD COLUMN rowid BIGINT GENERATED ALWAYS AS IDENTITY;";
    ["BEGIN;", POSTGRES, &tables, rowid, "COMMIT;"].concat()
}

/// The same in PostgreSQL's words.
#[must_use]
pub fn spelled_for_postgres(sql: &str) -> String {
    [
        ("INTEGER PRIMARY KEY", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
        (" INTEGER", " BIGINT"),
        (" BLOB", " BYTEA"),
        (" AS REAL", " AS DOUBLE PRECISION"),
        (" WITHOUT ROWID", ""),
        (" REFERENCES gateway", ""),
        (" REFERENCES segment", ""),
        (" REFERENCES device", ""),
    ]
    .into_iter()
    .fold(sql.to_owned(), |sql, (here, there)| sql.replace(here, there))
}
