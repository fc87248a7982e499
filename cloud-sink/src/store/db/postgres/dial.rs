//! The way to a database: on this machine as it is, elsewhere by TLS 1.3 only, under a CA that the
//! address names as `sslrootcert`.

use std::path::Path;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::StoreError;
use crate::store::schema::POSTGRES_SETTINGS;

/// Name of the CA's file in an address, as libpq has it; the rest of the address is the library's.
const CA: &str = "sslrootcert";

/// Calls a database.
pub(super) struct Dialler {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Dialler {
    /// Understands an address.
    pub(super) fn parse(address: &str) -> Result<Self, StoreError> {
        let (address, ca) = take_ca(address);
        let mut config: Config = address.parse()?;
        let Some(ca) = ca else {
            must_be_near(&config)?;
            return Ok(Self { config, tls: None });
        };
        config.ssl_mode(SslMode::Require);
        let wrong = |words| StoreError::Authority(ca.clone(), words);
        let tls = client(Path::new(&ca)).map_err(wrong)?;
        Ok(Self { config, tls: Some(MakeRustlsConnect::new(tls)) })
    }

    /// A connection with its settings.
    pub(super) async fn call(&self) -> Result<Client, tokio_postgres::Error> {
        let client = match self.tls.clone() {
            None => connect(&self.config, NoTls).await?,
            Some(tls) => connect(&self.config, tls).await?,
        };
        client.batch_execute(POSTGRES_SETTINGS).await?;
        Ok(client)
    }
}

async fn connect<T>(config: &Config, tls: T) -> Result<Client, tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let (client, connection) = config.connect(tls).await?;
    tokio::spawn(async {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "the database has hung up");
        }
    });
    Ok(client)
}

/// The same address with its CA's file, which stands in a folder unless its whole path is named.
pub(in crate::store::db) fn located(address: &str, folder: &Path) -> String {
    let (rest, Some(ca)) = take_ca(address) else { return address.to_owned() };
    let path = folder.join(ca);
    let path = utf8_percent_encode(path.to_str().unwrap_or_default(), NON_ALPHANUMERIC);
    format!("{rest}{}{CA}={path}", if rest.contains('?') { '&' } else { '?' })
}

/// An address without its CA, and the CA's file.
fn take_ca(address: &str) -> (String, Option<String>) {
    let Some((place, query)) = address.split_once('?') else { return (address.to_owned(), None) };
    let is_ca = |part: &&str| part.split('=').next() == Some(CA);
    let (ours, theirs): (Vec<&str>, Vec<&str>) = query.split('&').partition(is_ca);
    let value = ours.first().and_then(|part| Url::parse(&format!("a:?{part}")).ok());
    let value = value.and_then(|url| Some(url.query_pairs().next()?.1.into_owned()));
    let rest = if theirs.is_empty() { String::new() } else { format!("?{}", theirs.join("&")) };
    (place.to_owned() + &rest, value)
}

fn client(ca: &Path) -> Result<ClientConfig, String> {
    let bytes = std::fs::read(ca).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(&bytes) {
        let authority = authority.map_err(|error| error.to_string())?;
        roots.add(authority).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("it holds no certificate".into());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?;
    Ok(client.with_root_certificates(roots).with_no_client_auth())
}

fn must_be_near(config: &Config) -> Result<(), StoreError> {
    let is_near = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    };
    let is_near = config.get_hosts().iter().all(is_near)
        && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
    if is_near { Ok(()) } else { Err(StoreError::Far) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_elsewhere_needs_a_ca() {
        let far = |address| Dialler::parse(address).err().map(|error| error.to_string());
        assert_eq!(far("postgres://w@localhost/a"), None);
        assert!(far("postgres://w@db.example/a?sslmode=require").unwrap().contains(CA));
        assert!(far("postgres://w@localhost/a?hostaddr=192.0.2.1").unwrap().contains(CA));
        assert!(
            far("postgres://w@db.example/a?sslrootcert=/no/ca.pem").unwrap().contains("/no/ca")
        );

        let (rest, ca) = take_ca("postgres://w@db/a?connect_timeout=3&sslrootcert=%2Fa%20b");
        assert_eq!(
            (rest.as_str(), ca.as_deref()),
            ("postgres://w@db/a?connect_timeout=3", Some("/a b"))
        );
    }

    #[test]
    fn a_ca_without_a_whole_path_stands_beside_the_configuration() {
        let ca_of = |address: &str| take_ca(&located(address, Path::new("/etc/a & b"))).1;
        let of = |ca: &str| ca_of(&format!("postgres://w@db/a?{CA}={ca}"));
        assert_eq!(of("ca.pem").as_deref(), Some("/etc/a & b/ca.pem"));
        assert_eq!(of("/ca.pem").as_deref(), Some("/ca.pem"));
        assert_eq!(ca_of("postgres://w@db/a?x=1"), None);
        let more = "postgres://w@db/a?connect_timeout=3&sslrootcert=ca.pem";
        assert_eq!(
            take_ca(&located(more, Path::new("/b"))).0,
            "postgres://w@db/a?connect_timeout=3"
        );
    }
}
