//! Certificates of a site: its authority, its servers, its gateways, and which are no longer good.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams,
    CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use wire::identity::GatewayId;
use wire::time::UnixNanos;

use crate::keys::{KeyFolder, random, write_secret};
use crate::store::StoreError;
use crate::store::db::{Db, values};

/// A gateway's certificate lives so long, days; it is renewed when a third of that is left.
pub const GATEWAY_DAYS: i64 = 365;
/// A server's certificate lives so long, days.
const SERVER_DAYS: i64 = 825;
/// The authority lives so long, days: it goes with the site.
const AUTHORITY_DAYS: i64 = 20 * 365;
/// A list of revoked certificates is good for so long, days: brokers refuse everybody after it.
const LIST_DAYS: i64 = 10 * 365;
/// Clocks of those who look at a certificate may be behind ours so much.
const EARLIER_NS: i64 = 3600 * 1_000_000_000;
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// From when to when something is good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Life {
    /// First moment.
    pub from: UnixNanos,
    /// Last moment.
    pub to: UnixNanos,
}

impl Life {
    fn begin(now: UnixNanos, days: i64) -> Self {
        Self { from: UnixNanos(now.0 - EARLIER_NS), to: UnixNanos(now.0 + days * DAY_NS) }
    }

    fn of(self, params: &mut CertificateParams) {
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(self.from);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(self.to);
    }
}

fn since_1970(at: UnixNanos) -> Duration {
    Duration::from_secs((at.0.max(0) / 1_000_000_000).unsigned_abs())
}

/// A certificate that a gateway got.
#[derive(Clone, Debug)]
pub struct Issued {
    /// PEM.
    pub pem: String,
    /// Its number.
    pub serial: [u8; 16],
    /// Its life.
    pub life: Life,
}

fn serial() -> anyhow::Result<[u8; 16]> {
    let mut bytes: [u8; 16] = random()?[..16].try_into().unwrap_or_default();
    // DER numbers are signed, and have no zeros in front.
    bytes[0] = bytes[0] & 0x7F | 0x40;
    Ok(bytes)
}

/// Makes a site's authority.
///
/// # Errors
/// Its files are there already, or cannot be written.
pub fn make_authority(keys: &KeyFolder, now: UnixNanos) -> anyhow::Result<()> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Wardline site CA");
    Life::begin(now, AUTHORITY_DAYS).of(&mut params);
    fs::write(keys.path("ca.pem"), params.self_signed(&key)?.pem())?;
    write_secret(&keys.path("ca.key"), key.serialize_pem().as_bytes())?;
    Ok(())
}

fn issuer(keys: &KeyFolder) -> anyhow::Result<Issuer<'static, KeyPair>> {
    let key = String::from_utf8(keys.read("ca.key")?)?;
    let key = KeyPair::from_pem(&key).context("ca.key")?;
    Issuer::from_ca_cert_pem(&String::from_utf8(keys.read("ca.pem")?)?, key).context("ca.pem")
}

/// What a certificate of the site itself is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Service {
    /// The broker, under these names.
    Broker(Vec<String>),
    /// The enrolment endpoint, under these names.
    Enrolment(Vec<String>),
    /// The sink, a client of the broker.
    Sink,
}

impl Service {
    const fn files(&self) -> (&'static str, &'static str) {
        match self {
            Self::Broker(_) => ("broker.pem", "broker.key"),
            Self::Enrolment(_) => ("enrol.pem", "enrol.key"),
            Self::Sink => ("sink.pem", "sink-tls.key"),
        }
    }
}

/// Gives one of the site's own services a certificate, over the key that it has, or a new one.
///
/// # Errors
/// The authority is not here, or a file cannot be written.
pub fn certify(
    keys: &KeyFolder,
    name: &str,
    service: &Service,
    now: UnixNanos,
) -> anyhow::Result<()> {
    let (file, key) = service.files();
    let pair = match fs::read_to_string(keys.path(key)) {
        Ok(pem) => KeyPair::from_pem(&pem).with_context(|| keys.path(key).display().to_string())?,
        Err(_) => {
            let pair = KeyPair::generate()?;
            write_secret(&keys.path(key), pair.serialize_pem().as_bytes())?;
            pair
        }
    };
    let (names, purpose) = match service {
        Service::Broker(names) | Service::Enrolment(names) => {
            (names.clone(), ExtendedKeyUsagePurpose::ServerAuth)
        }
        Service::Sink => (Vec::new(), ExtendedKeyUsagePurpose::ClientAuth),
    };
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    Life::begin(now, SERVER_DAYS).of(&mut params);
    let mut pem = params.signed_by(&pair, &issuer(keys)?)?.pem();
    if matches!(service, Service::Enrolment(_)) {
        // Who has only the hash of the authority gets it here.
        pem.push_str(&String::from_utf8(keys.read("ca.pem")?)?);
    }
    replace(keys, file, pem.as_bytes())
}

/// Writes a file in the place of another, durable.
///
/// # Errors
/// As the system says.
pub(crate) fn replace(keys: &KeyFolder, file: &str, bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    let (fresh, path) = (keys.path(&format!("{file}.new")), keys.path(file));
    let written = fs::File::create(&fresh).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.with_context(|| fresh.display().to_string())?;
    fs::rename(&fresh, &path).with_context(|| path.display().to_string())?;
    fs::File::open(&keys.0)?.sync_all()?;
    Ok(())
}

/// Answers a gateway's request; name and purposes are ours, whatever the request says.
///
/// # Errors
/// It is no request, or the authority is not here.
pub fn answer(
    keys: &KeyFolder,
    gateway: GatewayId,
    request: &str,
    now: UnixNanos,
) -> anyhow::Result<Issued> {
    let request = CertificateSigningRequestParams::from_pem(request)
        .context("the certificate request is none; `wardline provision` makes one")?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, gateway.as_str());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let serial = serial()?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let life = Life::begin(now, GATEWAY_DAYS);
    life.of(&mut params);
    let pem = params.signed_by(&request.public_key, &issuer(keys)?)?.pem();
    Ok(Issued { pem, serial, life })
}

/// Writes down a certificate that a gateway gets.
///
/// # Errors
/// The store does not answer.
pub fn note(db: &Db, gateway: GatewayId, issued: &Issued) -> Result<(), StoreError> {
    let Issued { serial, life, .. } = issued;
    let insert = "INSERT INTO certificate VALUES (?1, ?2, ?3, ?4, NULL)";
    db.execute(insert, values![*serial, gateway.as_str(), life.from.0, life.to.0])?;
    Ok(())
}

/// Signs the list of revoked certificates anew, for the broker.
///
/// # Errors
/// The authority is not here, or the file cannot be written.
pub fn list_revoked(keys: &KeyFolder, db: &Db, now: UnixNanos) -> anyhow::Result<()> {
    let sql = "SELECT serial, revoked_ns FROM certificate WHERE revoked_ns IS NOT NULL";
    let mut revoked_certs = Vec::new();
    for row in db.rows(sql, &[])? {
        let (serial, at): (Vec<u8>, i64) = (row.at(0)?, row.at(1)?);
        revoked_certs.push(RevokedCertParams {
            serial_number: SerialNumber::from_slice(&serial),
            revocation_time: date_time_ymd(1970, 1, 1) + since_1970(UnixNanos(at)),
            reason_code: None,
            invalidity_date: None,
        });
    }
    write_list(keys, revoked_certs, now)
}

/// Writes a list for a new site, on which nothing stands.
///
/// # Errors
/// As [`list_revoked`].
pub fn list_none(keys: &KeyFolder, now: UnixNanos) -> anyhow::Result<()> {
    write_list(keys, Vec::new(), now)
}

fn write_list(
    keys: &KeyFolder,
    revoked_certs: Vec<RevokedCertParams>,
    now: UnixNanos,
) -> anyhow::Result<()> {
    let life = Life::begin(now, LIST_DAYS);
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(1970, 1, 1) + since_1970(life.from),
        next_update: date_time_ymd(1970, 1, 1) + since_1970(life.to),
        crl_number: SerialNumber::from(now.0.unsigned_abs() / 1_000_000_000),
        issuing_distribution_point: None,
        revoked_certs,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    replace(keys, "crl.pem", list.signed_by(&issuer(keys)?)?.pem()?.as_bytes())
}
