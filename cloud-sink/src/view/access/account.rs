//! Accounts: a password under argon2id and a code of six digits that changes every 30 seconds.
//!
//! Nobody has a password that another chose: an invitation, made on the terminal, lets a person
//! choose it and shows the secret of the codes once. Whatever is wrong in a sign-in, the answer is
//! the same.

use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use serde::Serialize;
use totp_rs::{Secret, Totp};
use utoipa::ToSchema;
use wire::time::UnixNanos;

use super::pass::{
    Purpose, begin, later, look_at_one_time, person, put_one_time, random, take_one_time,
};
use super::{Person, Role, Vault};
use crate::audit::{self, Act, Deed};
use crate::store::StoreError;
use crate::store::db::{Db, Turn, values};

/// How long an invitation is good: until the next working day.
const INVITATION_LIFE: Duration = Duration::from_secs(3 * 24 * 3600);
/// Sign-ins of one account that may go wrong in a row; then it is locked for [`LOCK`].
const FAILURES_MAX: i64 = 5;
const LOCK: Duration = Duration::from_secs(15 * 60);
/// Letters of a password, at least; argon2 takes any number, a request does not.
const PASSWORD_MIN: usize = 12;
const PASSWORD_MAX: usize = 256;
const NAME_MAX: usize = 64;
/// Bytes of the secret behind the codes: those of SHA-1, which every authenticator takes.
const SECRET_BYTES: usize = 20;

/// Why an account is not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name is no name.
    #[error("{0}: an account has 1 to 64 of the letters a-z, 0-9, '.', '_', '-', '@'")]
    Name(String),
    /// There is such an account.
    #[error("{0}: there is such an account; `account reset` makes its password anew")]
    Taken(String),
    /// There is none.
    #[error("{0}: there is no such account; see `account ls`")]
    Unknown(String),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why somebody does not come in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// There is no such account.
    Unknown,
    /// Password or code is wrong, or the account is locked or off.
    Wrong,
    /// The same, and the account is locked from now on.
    LockedNow,
    /// The invitation was used before, or is too old.
    Invitation,
    /// The new password is too short, too long, or the name.
    Password,
    /// The first code is wrong.
    Code,
}

/// An account, as people see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Account {
    /// Name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The only ward they see, if it is one.
    pub ward: Option<String>,
    /// When it was made, UTC nanoseconds.
    pub made_ns: i64,
    /// Whether it is locked after wrong attempts.
    pub is_locked: bool,
    /// Whether it was switched off.
    pub is_off: bool,
}

/// What an invited person sees before they choose a password.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Invitation {
    /// Who is invited.
    #[serde(flatten)]
    pub person: Person,
    /// The secret behind the codes, in base32, for an authenticator that has no camera.
    pub secret: String,
    /// The same as an address, which the square shows.
    pub uri: String,
    /// The square, row by row: `1` is dark.
    pub square: Vec<String>,
}

fn totp(secret: &[u8]) -> Option<Totp> {
    totp_rs::Builder::new().with_secret(secret.to_vec()).build().ok()
}

fn seconds(now: UnixNanos) -> u64 {
    u64::try_from(now.0 / 1_000_000_000).unwrap_or(0)
}

/// Whether an account may have this name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_letter = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-@".contains(letter)
    };
    (1..=NAME_MAX).contains(&name.len()) && name.chars().all(is_letter)
}

fn is_password(password: &str, name: &str) -> bool {
    let letters = password.chars().count();
    (PASSWORD_MIN..=PASSWORD_MAX).contains(&letters) && password.to_lowercase() != name
}

fn exists(db: &Db, name: &str) -> Result<bool, StoreError> {
    Ok(db.row("SELECT 1 FROM account WHERE name = ?1", values![name])?.is_some())
}

/// Invites somebody; the secret of the link. With `again`, to an account that there is. Earlier
/// invitations of the same name are good no more.
///
/// # Errors
/// [`AccountError`].
pub fn invite(
    db: &Db,
    vault: &Vault,
    who: &Person,
    again: bool,
    now: UnixNanos,
) -> Result<String, AccountError> {
    if !is_name(&who.name) {
        return Err(AccountError::Name(who.name.clone()));
    }
    match (exists(db, &who.name)?, again) {
        (true, false) => return Err(AccountError::Taken(who.name.clone())),
        (false, true) => return Err(AccountError::Unknown(who.name.clone())),
        _ => {}
    }
    end_tickets(db, &who.name)?;
    let secret = vault.seal(&who.name, &random()?[..SECRET_BYTES])?;
    let purpose = if again { Purpose::Reset } else { Purpose::Account };
    Ok(put_one_time(db, purpose, who, &secret, now, INVITATION_LIFE)?)
}

/// An invitation that is good: for what, for whom, and the secret of the codes.
fn invited(
    db: &Db,
    vault: &Vault,
    invitation: &str,
    now: UnixNanos,
) -> Result<Option<(Purpose, Person, Vec<u8>)>, StoreError> {
    for purpose in [Purpose::Account, Purpose::Reset] {
        let found = look_at_one_time(db, purpose, invitation, now)?;
        let Some((person, sealed)) = found else { continue };
        let secret = vault.open(&person.name, &sealed);
        return Ok(secret.map(|secret| (purpose, person, secret)));
    }
    Ok(None)
}

/// What an invitation says; none if it is not good.
///
/// # Errors
/// The store does not answer.
pub fn open_invitation(
    db: &Db,
    vault: &Vault,
    invitation: &str,
    now: UnixNanos,
) -> Result<Option<Invitation>, StoreError> {
    let Some((_, person, secret)) = invited(db, vault, invitation, now)? else { return Ok(None) };
    let secret = Secret::from(secret).to_base32();
    let uri = format!("otpauth://totp/Wardline:{}?secret={secret}&issuer=Wardline", person.name);
    let square = qrcode::QrCode::new(&uri).map_err(|_| StoreError::Shape("no square"))?;
    let rows = square.to_colors();
    let dark = |color: &qrcode::Color| if *color == qrcode::Color::Dark { '1' } else { '0' };
    let square = rows.chunks(square.width()).map(|row| row.iter().map(dark).collect()).collect();
    Ok(Some(Invitation { person, secret, uri, square }))
}

/// Makes the account that an invitation is for, or its password anew. The code shows that the
/// person's authenticator has the secret.
///
/// # Errors
/// The store does not answer.
pub fn accept(
    db: &Db,
    vault: &Vault,
    invitation: &str,
    (password, code): (&str, &str),
    now: UnixNanos,
) -> Result<Result<Person, Refusal>, StoreError> {
    let Some((purpose, person, secret)) = invited(db, vault, invitation, now)? else {
        return Ok(Err(Refusal::Invitation));
    };
    if !is_password(password, &person.name) {
        return Ok(Err(Refusal::Password));
    }
    let Some(step) = totp(&secret).and_then(|totp| totp.check(code, seconds(now))) else {
        return Ok(Err(Refusal::Code));
    };
    let hash = hash(password)?;
    let sealed = vault.seal(&person.name, &secret)?;
    db.transaction(Turn::Incidents, |db| {
        if take_one_time(db, purpose, invitation, now)?.is_none() {
            return Ok(Err(Refusal::Invitation));
        }
        let (name, step) = (person.name.as_str(), step.cast_signed());
        let touched = if purpose == Purpose::Reset {
            db.execute(RESET, values![name, &hash, &sealed, step])?
        } else {
            let (role, ward) = (person.role.name(), person.ward.as_deref());
            db.execute(MAKE, values![name, role, ward, &hash, &sealed, step, now.0])?
        };
        if touched == 0 {
            return Ok(Err(Refusal::Invitation));
        }
        shut_out(db, name)?;
        let words = "password and codes were chosen";
        let role = person.role.name();
        audit::add(db, &Act { who: name, role, what: Deed::Account, object: name, words }, now)?;
        Ok(Ok(person))
    })
}

const MAKE: &str = "
INSERT INTO account (name, role, ward, password, secret, step, failures, locked_ns, made_ns, is_off)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7, 0) ON CONFLICT DO NOTHING";
const RESET: &str = "
UPDATE account SET password = ?2, secret = ?3, step = ?4, failures = 0, locked_ns = 0
WHERE name = ?1";

fn hash(password: &str) -> Result<String, StoreError> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|_| StoreError::Shape("no password hash"))
}

fn is_right(password: &str, hash: &str) -> bool {
    let hash = PasswordHash::new(hash);
    hash.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Whether a claim to an account is good; who it is, and the secret of their session. A code is
/// good once.
///
/// # Errors
/// The store does not answer.
pub fn sign_in(
    db: &Db,
    vault: &Vault,
    name: &str,
    (password, code): (&str, &str),
    now: UnixNanos,
) -> Result<Result<(Person, String), Refusal>, StoreError> {
    let sql = "SELECT password, secret, locked_ns, is_off FROM account WHERE name = ?1";
    let Some(row) = db.row(sql, values![name])? else {
        // It takes as long as a claim to an account that there is.
        hash(password)?;
        return Ok(Err(Refusal::Unknown));
    };
    let (kept, sealed): (String, Vec<u8>) = (row.at(0)?, row.at(1)?);
    let is_shut = row.at::<i64>(2)? > now.0 || row.at::<bool>(3)?;
    let is_right = is_right(password, &kept);
    if is_shut {
        return Ok(Err(Refusal::Wrong));
    }
    let codes = vault.open(name, &sealed).and_then(|secret| totp(&secret));
    let step = codes.and_then(|codes| codes.check(code, seconds(now))).filter(|_| is_right);
    db.transaction(Turn::Incidents, |db| {
        let entered = match step {
            // It may have been locked, switched off or changed while the password was hashed.
            Some(step) => person(db.row(ENTER, values![name, step.cast_signed(), now.0, &kept])?)?,
            None => None,
        };
        let Some(person) = entered else { return failed(db, name, now).map(Err) };
        let (role, words) = (person.role.name(), "by name, password and code");
        audit::add(db, &Act { who: name, role, what: Deed::SignIn, object: name, words }, now)?;
        let session = begin(db, &person, now)?;
        Ok(Ok((person, session)))
    })
}

const ENTER: &str = "
UPDATE account SET step = ?2, failures = 0
WHERE name = ?1 AND step < ?2 AND is_off = 0 AND locked_ns <= ?3 AND password = ?4
RETURNING name, role, ward";

/// One more attempt went wrong.
fn failed(db: &Db, name: &str, now: UnixNanos) -> Result<Refusal, StoreError> {
    let sql = "UPDATE account SET failures = failures + 1 WHERE name = ?1 RETURNING failures";
    let failures: i64 = db.one(sql, values![name])?;
    if failures < FAILURES_MAX {
        return Ok(Refusal::Wrong);
    }
    let lock = "UPDATE account SET failures = 0, locked_ns = ?2 WHERE name = ?1";
    db.execute(lock, values![name, later(now, LOCK)])?;
    let words = "five attempts in a row went wrong";
    audit::add(db, &Act { who: name, role: "", what: Deed::Locked, object: name, words }, now)?;
    Ok(Refusal::LockedNow)
}

/// All accounts.
///
/// # Errors
/// The store does not answer.
pub fn accounts(db: &Db, now: UnixNanos) -> Result<Vec<Account>, StoreError> {
    let sql = "SELECT name, role, ward, made_ns, locked_ns, is_off FROM account ORDER BY name";
    let rows = db.rows(sql, &[])?;
    let accounts = rows.iter().map(|row| {
        let role = Role::from_name(&row.at::<String>(1)?).unwrap_or(Role::Viewer);
        let (name, ward, made_ns) = (row.at(0)?, row.at(2)?, row.at(3)?);
        let is_locked = row.at::<i64>(4)? > now.0;
        Ok(Account { name, role, ward, made_ns, is_locked, is_off: row.at(5)? })
    });
    accounts.collect()
}

/// Switches an account on, which opens its lock, or off; its sessions end. Belongs into a
/// transaction of [`Turn::Incidents`], as a sign-in does.
///
/// # Errors
/// [`AccountError`].
pub fn switch(db: &Db, name: &str, on: bool) -> Result<(), AccountError> {
    let sql = "UPDATE account SET is_off = ?2, failures = 0, locked_ns = 0 WHERE name = ?1";
    let touched = db.execute(sql, values![name, !on])?;
    changed(db, name, touched)
}

/// Gives an account another role and ward; its sessions end. Belongs into the same transaction.
///
/// # Errors
/// [`AccountError`].
pub fn set_right(db: &Db, who: &Person) -> Result<(), AccountError> {
    let sql = "UPDATE account SET role = ?2, ward = ?3 WHERE name = ?1";
    let touched = db.execute(sql, values![&who.name, who.role.name(), who.ward.as_deref()])?;
    changed(db, &who.name, touched)
}

fn changed(db: &Db, name: &str, touched: u64) -> Result<(), AccountError> {
    if touched == 0 {
        return Err(AccountError::Unknown(name.to_owned()));
    }
    Ok(shut_out(db, name)?)
}

/// Ends the sessions of a name, and what else would let it in: of an account, or of somebody of the
/// hospital's sign-on.
///
/// # Errors
/// The store does not answer.
pub fn shut_out(db: &Db, name: &str) -> Result<(), StoreError> {
    db.execute("DELETE FROM signed_in WHERE name = ?1", values![name])?;
    end_tickets(db, name)
}

fn end_tickets(db: &Db, name: &str) -> Result<(), StoreError> {
    db.execute("DELETE FROM one_time WHERE name = ?1", values![name])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::pass::recognise;
    use super::*;

    const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);
    const GOOD: &str = "correct horse battery";

    fn vault() -> Vault {
        Vault::new(&[7; 32])
    }

    fn enter(db: &Db, name: &str, claim: (&str, &str), now: UnixNanos) -> Result<Person, Refusal> {
        sign_in(db, &vault(), name, claim, now).unwrap().map(|(person, _)| person)
    }

    fn take(db: &Db, invitation: &str, claim: (&str, &str)) -> Result<Person, Refusal> {
        accept(db, &vault(), invitation, claim, NOW).unwrap()
    }

    fn after(seconds: i64) -> UnixNanos {
        UnixNanos(NOW.0 + seconds * 1_000_000_000)
    }

    fn ada() -> Person {
        Person { name: "ada".into(), role: Role::Engineer, ward: Some("ICU".into()) }
    }

    /// Ada's account, and what makes her codes.
    fn account(db: &Db) -> Totp {
        let invitation = invite(db, &vault(), &ada(), false, NOW).unwrap();
        let seen = open_invitation(db, &vault(), &invitation, NOW).unwrap().unwrap();
        let secret = Secret::try_from_base32(&seen.secret).unwrap();
        let codes = totp(secret.as_bytes()).unwrap();
        let code = codes.generate(seconds(NOW)).to_string();
        assert_eq!(take(db, &invitation, ("short", &code)), Err(Refusal::Password));
        assert_eq!(take(db, &invitation, (GOOD, "000000")), Err(Refusal::Code));
        assert_eq!(take(db, &invitation, (GOOD, &code)), Ok(ada()));
        let again = take(db, &invitation, (GOOD, &code));
        assert_eq!(again, Err(Refusal::Invitation), "it is used up");
        codes
    }

    #[test]
    fn an_invitation_makes_an_account_that_lets_in_by_password_and_fresh_code() {
        let db = Db::in_memory();
        let codes = account(&db);
        let code = |now| codes.generate(seconds(now)).to_string();
        let first = enter(&db, "ada", (GOOD, &code(NOW)), NOW);
        assert_eq!(first, Err(Refusal::Wrong), "the code of the invitation was used");

        let now = after(30);
        assert_eq!(enter(&db, "ada", (GOOD, &code(now)), now), Ok(ada()));
        let again = enter(&db, "ada", (GOOD, &code(now)), now);
        assert_eq!(again, Err(Refusal::Wrong), "a code is good once");
        let old = enter(&db, "ada", (GOOD, &code(now)), after(300));
        assert_eq!(old, Err(Refusal::Wrong));
        let nobody = enter(&db, "eve", (GOOD, &code(now)), now);
        assert_eq!(nobody, Err(Refusal::Unknown));
        let sealed: Vec<u8> = db.one("SELECT secret FROM account", &[]).unwrap();
        assert!(sealed.len() > SECRET_BYTES, "the store has the secret under the sink's key");
        let kept: String = db.one("SELECT password FROM account", &[]).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
    }

    #[test]
    fn five_wrong_attempts_lock_an_account_for_a_quarter_of_an_hour() {
        let db = Db::in_memory();
        let codes = account(&db);
        let code = |now| codes.generate(seconds(now)).to_string();
        for attempt in 1..=FAILURES_MAX {
            let now = after(30 * attempt);
            let refused = enter(&db, "ada", ("wrong password", &code(now)), now);
            let last = attempt == FAILURES_MAX;
            assert_eq!(refused, Err(if last { Refusal::LockedNow } else { Refusal::Wrong }));
        }
        let (soon, later) = (after(600), after(200 + 15 * 60));
        let locked = enter(&db, "ada", (GOOD, &code(soon)), soon);
        assert_eq!(locked, Err(Refusal::Wrong));
        assert!(accounts(&db, soon).unwrap()[0].is_locked);
        assert!(enter(&db, "ada", (GOOD, &code(later)), later).is_ok());
    }

    #[test]
    fn whoever_is_switched_off_or_gets_another_right_is_out_at_once() {
        let db = Db::in_memory();
        let codes = account(&db);
        let code = codes.generate(seconds(after(30))).to_string();
        let (_, session) =
            sign_in(&db, &vault(), "ada", (GOOD, &code), after(30)).unwrap().unwrap();
        assert!(recognise(&db, &session, NOW).unwrap().is_some());
        set_right(&db, &Person { role: Role::Viewer, ward: None, ..ada() }).unwrap();
        assert_eq!(recognise(&db, &session, NOW).unwrap(), None);

        let now = after(60);
        let code = codes.generate(seconds(now)).to_string();
        switch(&db, "ada", false).unwrap();
        assert!(enter(&db, "ada", (GOOD, &code), now).is_err());
        switch(&db, "ada", true).unwrap();
        let person = enter(&db, "ada", (GOOD, &code), now).unwrap();
        assert_eq!((person.role, person.ward), (Role::Viewer, None));
    }

    #[test]
    fn of_several_invitations_the_last_one_is_good_and_none_makes_an_account_twice() {
        let db = Db::in_memory();
        let first = invite(&db, &vault(), &ada(), false, NOW).unwrap();
        let second = invite(&db, &vault(), &ada(), false, NOW).unwrap();
        let open = |invitation: &str| open_invitation(&db, &vault(), invitation, NOW).unwrap();
        assert!(open(&first).is_none() && open(&second).is_some());

        account(&db);
        assert!(open(&second).is_none(), "the account was made by another");
        let reset = invite(&db, &vault(), &ada(), true, NOW).unwrap();
        let again = invite(&db, &vault(), &ada(), true, NOW).unwrap();
        assert!(open(&reset).is_none() && open(&again).is_some());
        switch(&db, "ada", false).unwrap();
        assert!(open(&again).is_none(), "whoever is switched off has no way back");
    }

    #[test]
    fn names_are_plain_and_taken_once() {
        let db = Db::in_memory();
        account(&db);
        let named = |name: &str| Person { name: name.into(), ..ada() };
        for wrong in ["", "Ada", "a b", "a\u{0301}", &"a".repeat(65)] {
            let refused = invite(&db, &vault(), &named(wrong), false, NOW);
            assert!(matches!(refused, Err(AccountError::Name(_))), "{wrong:?}");
        }
        assert!(matches!(invite(&db, &vault(), &ada(), false, NOW), Err(AccountError::Taken(_))));
        assert!(invite(&db, &vault(), &ada(), true, NOW).is_ok());
        let unknown = invite(&db, &vault(), &named("eve"), true, NOW);
        assert!(matches!(unknown, Err(AccountError::Unknown(_))));
    }
}
