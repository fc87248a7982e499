//! When the certificates end that this sink shows, or believes others by. Each sink writes its own
//! down, so that any sink over the store comes to the same book of incidents.
//!
//! Shape:  a row of `watched` each, `ends/WHICH/END/SINK`, END in UTC nanoseconds; its value is the
//! moment at which somebody looked at the file. What nobody looks at any more counts no longer.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use wire::time::UnixNanos;

use crate::config::Config;
use crate::keys::KeyFolder;
use crate::store::StoreError;
use crate::store::db::{Db, Turn, values};

const MINUTE_NS: i64 = 60 * 1_000_000_000;
/// Between two looks at the files.
const EVERY_NS: i64 = 5 * MINUTE_NS;
/// So long a row counts: three looks, so that a sink which is started anew closes nothing.
const COUNTS_NS: i64 = 15 * MINUTE_NS;

/// Which certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// The sink's own, as a client of the broker.
    Sink,
    /// The page's.
    Page,
    /// The enrolment endpoint's.
    Enrolment,
    /// The broker's, if this site has made it.
    Broker,
    /// Those by which broker and gateways are believed.
    Authority,
}

impl Which {
    const ALL: [Self; 5] = [Self::Sink, Self::Page, Self::Enrolment, Self::Broker, Self::Authority];

    /// Its name in incidents.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sink => "sink certificate",
            Self::Page => "page certificate",
            Self::Enrolment => "enrolment certificate",
            Self::Broker => "broker certificate",
            Self::Authority => "site CA",
        }
    }

    /// What renews it.
    #[must_use]
    pub const fn cure(self) -> &'static str {
        match self {
            Self::Sink => "`wardline-sink keys certify`; the next connection shows the new one",
            Self::Page => "renew it where it came from; the page takes it within a minute",
            Self::Enrolment => "`wardline-sink keys certify`; it is taken within a minute",
            Self::Broker => "`wardline-sink keys certify`, then kill -HUP of mosquitto",
            Self::Authority => "no command renews it: make a new site, enrol each gateway there",
        }
    }
}

/// The end of a certificate, as a sink has written it down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Noted {
    /// Which.
    pub which: Which,
    /// Its last moment.
    pub end: UnixNanos,
    /// Whose.
    pub sink: String,
}

impl Noted {
    fn parse(row: &str) -> Option<Self> {
        let mut parts = row.splitn(4, '/').skip(1);
        let (word, end, sink) = (parts.next()?, parts.next()?, parts.next()?);
        let which = Which::ALL.into_iter().find(|which| which.word() == word)?;
        Some(Self { which, end: UnixNanos(end.parse().ok()?), sink: sink.to_owned() })
    }

    fn row(&self) -> String {
        format!("ends/{}/{}/{}", self.which.word(), self.end.0, self.sink)
    }
}

/// What ends when, as far as sinks have looked lately.
///
/// # Errors
/// The store does not answer.
pub fn noted(db: &Db, now: UnixNanos) -> Result<Vec<Noted>, StoreError> {
    let sql = "SELECT name FROM watched WHERE name LIKE 'ends/%' AND value >= ?1";
    let mut found = Vec::new();
    for row in db.rows(sql, values![now.0.saturating_sub(COUNTS_NS)])? {
        found.extend(Noted::parse(&row.at::<String>(0)?));
    }
    Ok(found)
}

/// The certificates of one sink.
pub struct Certificates {
    sink: String,
    files: Vec<File>,
    looked: Option<UnixNanos>,
}

struct File {
    which: Which,
    path: PathBuf,
    /// What was written down of it last.
    row: Option<String>,
}

impl Certificates {
    /// Those that a configuration names.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let keys = KeyFolder(config.keys.clone());
        let page = config.view.as_ref().and_then(|view| view.tls.as_ref());
        let files = [
            (Which::Sink, Some(keys.path("sink.pem"))),
            (Which::Page, page.map(|(certificate, _)| certificate.clone())),
            (Which::Enrolment, config.enrol.as_ref().map(|_| keys.path("enrol.pem"))),
            (Which::Broker, Some(keys.path("broker.pem")).filter(|path| path.exists())),
            (Which::Authority, Some(keys.path("ca.pem"))),
        ];
        Self::in_files(&config.name, files.into_iter().filter_map(|(of, path)| Some((of, path?))))
    }

    fn in_files(sink: &str, files: impl IntoIterator<Item = (Which, PathBuf)>) -> Self {
        let files = files.into_iter().map(|(which, path)| File { which, path, row: None });
        Self { sink: sink.to_owned(), files: files.collect(), looked: None }
    }

    /// Looks at the files, if it is time to, and writes down when they end. Of one that cannot be
    /// read it stays as it was.
    ///
    /// # Errors
    /// The store does not answer; the next look tries again.
    pub fn note(&mut self, db: &Db, now: UnixNanos) -> Result<(), StoreError> {
        let since = self.looked.map(|looked| now.0.saturating_sub(looked.0));
        if since.is_some_and(|since| (0..EVERY_NS).contains(&since)) {
            return Ok(());
        }
        let mut gone: Vec<String> = Vec::new();
        for file in &mut self.files {
            match end_of(&file.path) {
                Ok(end) => {
                    let noted = Noted { which: file.which, end, sink: self.sink.clone() };
                    let row = Some(noted.row());
                    if file.row != row {
                        gone.extend(std::mem::replace(&mut file.row, row));
                    }
                }
                Err(error) => tracing::warn!(
                    certificate = file.which.word(),
                    error = format!("{error:#}"),
                    "nobody knows when it ends"
                ),
            }
        }
        db.transaction(Turn::Incidents, |db| {
            for row in &gone {
                db.later("DELETE FROM watched WHERE name = ?1", values![row])?;
            }
            for row in self.files.iter().filter_map(|file| file.row.as_ref()) {
                let keep = "INSERT INTO watched VALUES (?1, ?2)
                            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                db.later(keep, values![row, now.0])?;
            }
            let old = "DELETE FROM watched WHERE name LIKE 'ends/%' AND value < ?1";
            db.later(old, values![now.0.saturating_sub(COUNTS_NS)])
        })?;
        self.looked = Some(now);
        Ok(())
    }
}

/// The end of that certificate of a file which ends first.
fn end_of(path: &Path) -> anyhow::Result<UnixNanos> {
    let place = || path.display().to_string();
    let wrong = || format!("{}: holds no certificate, PEM", path.display());
    let bytes = std::fs::read(path).with_context(place)?;
    let mut first: Option<i64> = None;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.with_context(place)?;
        let parsed = x509_parser::parse_x509_certificate(&certificate).ok();
        let (_, parsed) = parsed.with_context(wrong)?;
        let end_s = parsed.validity().not_after.timestamp();
        first = Some(first.map_or(end_s, |first| first.min(end_s)));
    }
    let end_s = first.with_context(wrong)?;
    Ok(UnixNanos(end_s.saturating_mul(1_000_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::{self, Incident};
    use crate::trust::certificates::{Service, certify, make_authority};

    const DAY_NS: i64 = 1440 * MINUTE_NS;
    const START: UnixNanos = UnixNanos(1_800_000_000 * 1_000_000_000);

    fn after(days: i64, minutes: i64) -> UnixNanos {
        UnixNanos(START.0 + days * DAY_NS + minutes * MINUTE_NS)
    }

    /// A site of that day with a certificate of the sink, which lives for 825 days.
    fn site() -> (tempfile::TempDir, KeyFolder) {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder(folder.path().to_owned());
        make_authority(&keys, START).unwrap();
        certify(&keys, "sink-1", &Service::Sink, START).unwrap();
        (folder, keys)
    }

    fn own(keys: &KeyFolder) -> Certificates {
        let files = [(Which::Sink, "sink.pem"), (Which::Authority, "ca.pem")];
        Certificates::in_files("sink-1", files.map(|(which, name)| (which, keys.path(name))))
    }

    fn look(db: &Db, now: UnixNanos) -> Vec<Incident> {
        incident::look(db, now).unwrap();
        incident::list(db, false).unwrap()
    }

    #[test]
    fn a_certificate_of_the_sink_that_ends_soon_is_told_until_it_is_renewed() {
        let (_folder, keys) = site();
        let (db, mut own) = (Db::in_memory(), own(&keys));
        let mut told = |days: i64| {
            own.note(&db, after(days, 0)).unwrap();
            let open = look(&db, after(days, 0));
            open.into_iter().map(|one| (one.kind, one.subject, one.words)).collect::<Vec<_>>()
        };

        assert_eq!(told(0), []);
        assert_eq!(told(795), []);
        let month = told(796);
        let week = told(819);
        std::fs::write(keys.path("sink.pem"), "what is no certificate").unwrap();
        let ended = told(825);
        certify(&keys, "sink-1", &Service::Sink, after(825, 0)).unwrap();
        let renewed = told(826);
        let authority = told(20 * 365 - 3);

        for (told, within) in [(&month, "30 days"), (&week, "7 days"), (&ended, "1 day")] {
            let [(kind, subject, words)] = &told[..] else { panic!("{told:?}") };
            assert_eq!(
                (*kind, subject),
                ("expiry", &format!("sink certificate of sink-1, {within}"))
            );
            assert!(words.contains("`wardline-sink keys certify`"), "{words}");
        }
        assert!(week[0].2.contains("ends in 6 days"), "{week:?}");
        assert!(ended[0].2.contains("has ended"), "{ended:?}");
        assert_eq!(renewed, []);
        assert!(authority.iter().any(|one| one.1 == "site CA of sink-1, 7 days"), "{authority:?}");
    }

    #[test]
    fn a_certificate_counts_for_as_long_as_some_sink_looks_at_it() {
        let (_folder, keys) = site();
        let db = Db::in_memory();
        own(&keys).note(&db, after(800, 0)).unwrap();

        let open = look(&db, after(800, 14));
        let later = look(&db, after(800, 16));
        // Another process of the same sink, before and after its certificate was renewed.
        let mut next = own(&keys);
        next.note(&db, after(801, 0)).unwrap();
        let again = look(&db, after(801, 0));
        certify(&keys, "sink-1", &Service::Sink, after(801, 1)).unwrap();
        next.note(&db, after(801, 4)).unwrap();
        let soon = look(&db, after(801, 4));
        next.note(&db, after(801, 5)).unwrap();
        let renewed = look(&db, after(801, 5));

        let counts = [open, later, again, soon, renewed].map(|open| open.len());
        assert_eq!(counts, [1, 0, 1, 1, 0]);
    }
}
