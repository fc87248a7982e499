//! The tables. Segments, evidence and chain edges are never dropped by retention.

/// Version of the tables.
pub const VERSION: i64 = 1;

/// Makes all tables of a new store.
pub const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
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
CREATE TABLE numeric (
  id INTEGER PRIMARY KEY, series INTEGER NOT NULL, at_ns INTEGER NOT NULL, mantissa INTEGER,
  exponent INTEGER NOT NULL, status INTEGER NOT NULL, absent INTEGER);
CREATE TABLE block (
  id INTEGER PRIMARY KEY, evidence INTEGER NOT NULL, series INTEGER NOT NULL,
  from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, first_row INTEGER NOT NULL,
  last_row INTEGER NOT NULL);
CREATE INDEX block_time ON block (series, from_ns);
CREATE TABLE wave (
  id INTEGER PRIMARY KEY, evidence INTEGER NOT NULL, series INTEGER NOT NULL,
  at_ns INTEGER NOT NULL, sample_first INTEGER NOT NULL, count INTEGER NOT NULL,
  status INTEGER NOT NULL, samples BLOB NOT NULL, invalid BLOB);
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

/// Settings of every connection that writes. Weaker ones are refused.
pub const SETTINGS: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = OFF;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -65536;
PRAGMA wal_autocheckpoint = 8192;
";
