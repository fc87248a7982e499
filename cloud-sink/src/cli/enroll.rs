//! `wardline-sink enroll`: a gateway's request becomes a grant.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use ed25519_dalek::VerifyingKey;
use rcgen::{
    CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use serde::{Deserialize, Serialize};
use wire::identity::GatewayId;

use super::{ConfigArg, Failure};
use crate::config::Config;
use crate::keys::{KeyFolder, hex};
use crate::limits::KEYS_MAX;
use crate::store::query;

/// Answers a gateway's request.
#[derive(Debug, clap::Args)]
pub struct Enroll {
    #[command(flatten)]
    config: ConfigArg,
    /// What `wardline provision` wrote.
    request: PathBuf,
    /// Takes another key of a gateway that is enrolled: it lost its own. What the old key signed
    /// stays valid.
    #[arg(long)]
    new_key: bool,
    /// Where to write the grant.
    #[arg(long, value_name = "FILE", default_value = "gateway.grant")]
    output: PathBuf,
}

/// What a gateway asks for; the same fields as the agent writes.
#[derive(Debug, Deserialize)]
struct Request {
    schema: u32,
    gateway: String,
    signing_key: String,
    csr: String,
}

/// What it is answered.
#[derive(Debug, Serialize)]
struct Grant {
    schema: u32,
    gateway: String,
    signing_key: String,
    certificate: String,
    ca: String,
    roots: Vec<String>,
    roots_needed: u8,
    keyring: String,
}

impl Enroll {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        self.enroll(&config)?;
        Ok(())
    }

    fn enroll(&self, config: &Config) -> anyhow::Result<()> {
        let text = fs::read_to_string(&self.request)
            .with_context(|| self.request.display().to_string())?;
        let request: Request = serde_json::from_str(&text).context("this is no request")?;
        if request.schema != 1 {
            bail!("request of schema {}, this program knows 1", request.schema);
        }
        let gateway = GatewayId::new(&request.gateway)?;
        let key = parse_key(&request.signing_key)?;
        let keys = KeyFolder(config.keys.clone());
        let certificate = sign(&keys, gateway, &request.csr)?;
        let enrol = if self.new_key { query::enroll_another } else { query::enroll };
        if !enrol(&config.store, gateway, &key)? {
            bail!(
                "gateway {gateway} is enrolled with another key; if this is the same gateway and \
                 it lost its key, compare the key id {} with what it shows, and add --new-key \
                 (at most {KEYS_MAX} keys)",
                wire::signed::signing_key_id(&key)
            );
        }
        let grant = Grant {
            schema: 1,
            gateway: gateway.to_string(),
            signing_key: hex(key.as_bytes()),
            certificate,
            ca: String::from_utf8(keys.read("ca.pem")?)?,
            roots: vec![hex(&keys.read("root.pub")?)],
            roots_needed: 1,
            keyring: hex(&keys.read("keyring.cbor")?),
        };
        fs::write(&self.output, serde_json::to_string_pretty(&grant)?)?;
        println!("enrolled {gateway}, key id {}", wire::signed::signing_key_id(&key));
        println!("next: wardline provision --grant {}", self.output.display());
        Ok(())
    }
}

fn parse_key(text: &str) -> anyhow::Result<VerifyingKey> {
    let digits = (text.len() == 64 && text.is_ascii()).then_some(text);
    let bytes: Option<Vec<u8>> = digits.and_then(|text| {
        (0..32).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()).collect()
    });
    let bytes = bytes.context("the request's key is not 64 hexadecimal digits")?;
    VerifyingKey::try_from(bytes.as_slice()).context("the request's key is no Ed25519 key")
}

/// Signs the request; name and purposes are ours, whatever the request says.
fn sign(keys: &KeyFolder, gateway: GatewayId, csr: &str) -> anyhow::Result<String> {
    let ca_key = KeyPair::from_pem(&String::from_utf8(keys.read("ca.key")?)?)?;
    let ca = String::from_utf8(keys.read("ca.pem")?)?;
    let issuer = Issuer::from_ca_cert_pem(&ca, ca_key)?;
    let mut request = CertificateSigningRequestParams::from_pem(csr)?;
    let params = &mut request.params;
    params.is_ca = IsCa::ExplicitNoCa;
    params.subject_alt_names.clear();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, gateway.as_str());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(request.signed_by(&issuer)?.pem())
}
