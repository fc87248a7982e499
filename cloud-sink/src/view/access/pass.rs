//! Passes: a ticket lets one person in once, a session lasts for a shift.
//!
//! Both are 256 random bits. The store has their digests only, so that any sink over it knows them,
//! and a copy of the store lets nobody in.

use std::time::Duration;

use sha2::{Digest, Sha256};
use wire::time::UnixNanos;

use super::{Person, Role};
use crate::keys::hex;
use crate::store::StoreError;
use crate::store::db::{Db, Row, values};

/// How long a ticket lets its bearer in.
pub const TICKET_LIFE: Duration = Duration::from_secs(600);
/// How long a session lasts: a long shift.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 3600);

/// What a one-time secret is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// To come in.
    SignIn,
    /// To make an account.
    Account,
    /// To make an account's password anew.
    Reset,
    /// To come back from the hospital's sign-on.
    SignOn,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Account => "account",
            Self::Reset => "reset",
            Self::SignOn => "sign-on",
        }
    }
}

pub(super) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

pub(super) fn later(now: UnixNanos, by: Duration) -> i64 {
    now.0.saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX))
}

/// Who stands in a row's first columns: name, role, ward.
pub(super) fn person(row: Option<Row>) -> Result<Option<Person>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let role = Role::from_name(&row.at::<String>(1)?);
    let (name, ward) = (row.at(0)?, row.at(2)?);
    Ok(role.map(|role| Person { name, role, ward }))
}

/// Makes a one-time secret, and what comes back with it.
pub(super) fn put_one_time(
    db: &Db,
    purpose: Purpose,
    who: &Person,
    with: &[u8],
    now: UnixNanos,
    life: Duration,
) -> Result<String, StoreError> {
    db.execute("DELETE FROM one_time WHERE expires_ns <= ?1", values![now.0])?;
    let secret = hex(&random()?);
    let sql = "INSERT INTO one_time (digest, purpose, name, role, ward, secret, expires_ns)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (role, ward) = (who.role.name(), who.ward.as_deref());
    let ends = later(now, life);
    db.execute(sql, values![digest(&secret), purpose.name(), &who.name, role, ward, with, ends])?;
    Ok(secret)
}

/// What belongs to a one-time secret, which stays good.
pub(super) fn look_at_one_time(
    db: &Db,
    purpose: Purpose,
    secret: &str,
    now: UnixNanos,
) -> Result<Option<(Person, Vec<u8>)>, StoreError> {
    let sql = "SELECT name, role, ward, secret FROM one_time
               WHERE digest = ?1 AND purpose = ?2 AND expires_ns > ?3";
    let row = db.row(sql, values![digest(secret), purpose.name(), now.0])?;
    let with = row.as_ref().map(|row| row.at(3)).transpose()?;
    Ok(person(row)?.zip(with))
}

/// Takes a one-time secret, which nobody can take again.
pub(super) fn take_one_time(
    db: &Db,
    purpose: Purpose,
    secret: &str,
    now: UnixNanos,
) -> Result<Option<Person>, StoreError> {
    let take = "DELETE FROM one_time WHERE digest = ?1 AND purpose = ?2 AND expires_ns > ?3
                RETURNING name, role, ward";
    person(db.row(take, values![digest(secret), purpose.name(), now.0])?)
}

pub(super) fn random() -> Result<[u8; 32], StoreError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
    Ok(bytes)
}

/// Makes a ticket for one sign-in.
///
/// # Errors
/// The store does not answer.
pub fn issue(db: &Db, who: &Person, now: UnixNanos) -> Result<String, StoreError> {
    put_one_time(db, Purpose::SignIn, who, &[], now, TICKET_LIFE)
}

/// Takes a ticket, which nobody can take again; who has come in, and the session's secret.
pub(in crate::view) fn redeem(
    db: &Db,
    ticket: &str,
    now: UnixNanos,
) -> Result<Option<(Person, String)>, StoreError> {
    let Some(who) = take_one_time(db, Purpose::SignIn, ticket, now)? else { return Ok(None) };
    let session = begin(db, &who, now)?;
    Ok(Some((who, session)))
}

/// Begins a sign-on at the hospital's provider: what the browser brings back, and two secrets that
/// bind the provider's answer to it. Any sink over the store knows them.
pub(in crate::view) fn begin_sign_on(
    db: &Db,
    now: UnixNanos,
) -> Result<(String, String, String), StoreError> {
    let (nonce, verifier) = (hex(&random()?), hex(&random()?));
    let with = [nonce.as_str(), &verifier].concat();
    let nobody = Person { name: String::new(), role: Role::Viewer, ward: None };
    let purpose = Purpose::SignOn;
    let state = put_one_time(db, purpose, &nobody, with.as_bytes(), now, TICKET_LIFE)?;
    Ok((state, nonce, verifier))
}

/// Ends a sign-on, which nobody can end again; its two secrets.
pub(in crate::view) fn end_sign_on(
    db: &Db,
    state: &str,
    now: UnixNanos,
) -> Result<Option<(String, String)>, StoreError> {
    let Some((_, with)) = look_at_one_time(db, Purpose::SignOn, state, now)? else {
        return Ok(None);
    };
    if take_one_time(db, Purpose::SignOn, state, now)?.is_none() {
        return Ok(None);
    }
    let with = String::from_utf8_lossy(&with).into_owned();
    let (nonce, verifier) = with.split_at(with.len() / 2);
    Ok(Some((nonce.to_owned(), verifier.to_owned())))
}

/// Begins a session; its secret.
pub(in crate::view) fn begin(db: &Db, who: &Person, now: UnixNanos) -> Result<String, StoreError> {
    db.execute("DELETE FROM signed_in WHERE expires_ns <= ?1", values![now.0])?;
    let secret = hex(&random()?);
    let sql = "INSERT INTO signed_in (digest, name, role, ward, expires_ns)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let (role, ward) = (who.role.name(), who.ward.as_deref());
    let ends = later(now, SESSION_LIFE);
    db.execute(sql, values![digest(&secret), &who.name, role, ward, ends])?;
    Ok(secret)
}

/// Whose session it is.
pub(in crate::view) fn recognise(
    db: &Db,
    session: &str,
    now: UnixNanos,
) -> Result<Option<Person>, StoreError> {
    let sql = "SELECT name, role, ward FROM signed_in WHERE digest = ?1 AND expires_ns > ?2";
    person(db.row(sql, values![digest(session), now.0])?)
}

/// Ends a session.
pub(in crate::view) fn leave(db: &Db, session: &str) -> Result<(), StoreError> {
    db.execute("DELETE FROM signed_in WHERE digest = ?1", values![digest(session)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

    fn after(life: Duration) -> UnixNanos {
        UnixNanos(later(NOW, life))
    }

    fn ticket(db: &Db) -> String {
        let who = Person { name: "Ada".into(), role: Role::Auditor, ward: Some("ICU".into()) };
        issue(db, &who, NOW).unwrap()
    }

    #[test]
    fn tickets_and_sessions_end_and_neither_stands_in_the_store() {
        let db = Db::in_memory();
        let late = ticket(&db);
        assert_eq!(redeem(&db, &late, after(TICKET_LIFE)).unwrap(), None);

        let good = ticket(&db);
        let (_, session) = redeem(&db, &good, NOW).unwrap().unwrap();
        assert_eq!(redeem(&db, &good, NOW).unwrap(), None, "a ticket is taken once");
        let almost = UnixNanos(later(NOW, SESSION_LIFE) - 1);
        let person = recognise(&db, &session, almost).unwrap().unwrap();
        assert_eq!((person.name.as_str(), person.role), ("Ada", Role::Auditor));
        assert_eq!(person.ward.as_deref(), Some("ICU"));
        assert!(recognise(&db, &session, after(SESSION_LIFE)).unwrap().is_none());
        assert!(recognise(&db, &good, NOW).unwrap().is_none(), "a ticket is no session");
        let kept: Vec<u8> = db.one("SELECT digest FROM signed_in", &[]).unwrap();
        assert_ne!(hex(&kept), session);

        leave(&db, &session).unwrap();
        assert!(recognise(&db, &session, NOW).unwrap().is_none());
    }

    #[test]
    fn a_ticket_is_good_for_its_purpose_only() {
        let db = Db::in_memory();
        let ticket = ticket(&db);
        assert!(take_one_time(&db, Purpose::Account, &ticket, NOW).unwrap().is_none());
        assert!(take_one_time(&db, Purpose::SignIn, &ticket, NOW).unwrap().is_some());
    }
}
