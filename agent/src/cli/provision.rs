//! `wardline provision`: keys are made here and never leave; the sink answers a request.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use wire::keyring::Keyring;

use super::{ConfigArg, Failure, wrong_config};
use crate::config::Config;
use crate::seal::keep;
use crate::seal::keyring::{KeyFiles, key_to_enrol, load_roots, store, take_enrolled};

/// Makes keys and a request, or installs a grant.
#[derive(Debug, clap::Args)]
pub struct Provision {
    #[command(flatten)]
    config: ConfigArg,
    /// What `wardline-sink enroll` answered.
    #[arg(long, value_name = "FILE")]
    grant: Option<PathBuf>,
    /// Where to write the request.
    #[arg(long, value_name = "FILE", default_value = "gateway.request")]
    request: PathBuf,
}

/// What the gateway asks of the sink; holds no secret.
#[derive(Debug, Deserialize, Serialize)]
pub struct Request {
    /// Version of this structure.
    pub schema: u32,
    /// Name.
    pub gateway: String,
    /// Ed25519 public key, hexadecimal.
    pub signing_key: String,
    /// Certificate request, PEM.
    pub csr: String,
}

/// What the sink answers; holds no secret.
#[derive(Debug, Deserialize, Serialize)]
pub struct Grant {
    /// Version of this structure.
    pub schema: u32,
    /// Name.
    pub gateway: String,
    /// The Ed25519 public key that was enrolled, hexadecimal.
    pub signing_key: String,
    /// Certificate, PEM.
    pub certificate: String,
    /// CA of the site, PEM.
    pub ca: String,
    /// Root keys, hexadecimal.
    pub roots: Vec<String>,
    /// Root signatures that are needed.
    pub roots_needed: u8,
    /// Keyring, hexadecimal.
    pub keyring: String,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}

impl Provision {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config.config).map_err(wrong_config)?;
        match &self.grant {
            None => self.request(&config)?,
            Some(grant) => install(&config, grant)?,
        }
        Ok(())
    }

    fn request(&self, config: &Config) -> anyhow::Result<()> {
        let files = KeyFiles::below(&config.state);
        for folder in [&config.state, &files.folder] {
            keep::folder(folder).with_context(|| folder.display().to_string())?;
        }
        let signing = key_to_enrol(&files)?;
        let tls = tls_key(&config.broker.key)?;
        let mut params = rcgen::CertificateParams::new(Vec::new())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, config.gateway.as_str());
        let request = Request {
            schema: 1,
            gateway: config.gateway.to_string(),
            signing_key: hex(signing.verifying_key().as_bytes()),
            csr: params.serialize_request(&tls)?.pem()?,
        };
        fs::write(&self.request, serde_json::to_string_pretty(&request)?)?;
        let key = wire::signed::signing_key_id(&signing.verifying_key());
        println!("keys in {} (mode 0600); key id {key}", files.folder.display());
        println!("compare the key id with what the sink shows");
        println!("next: wardline-sink enroll {}", self.request.display());
        Ok(())
    }
}

/// The key of our certificate; one that cannot be read is set aside for a new one.
fn tls_key(path: &Path) -> anyhow::Result<rcgen::KeyPair> {
    let pem = keep::read(path).ok().and_then(|pem| String::from_utf8(pem).ok());
    if let Some(pair) = pem.and_then(|pem| rcgen::KeyPair::from_pem(&pem).ok()) {
        return Ok(pair);
    }
    keep::set_aside(path);
    let pair = rcgen::KeyPair::generate()?;
    keep::write(path, pair.serialize_pem().as_bytes())?;
    Ok(pair)
}

fn install(config: &Config, grant: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(grant).with_context(|| grant.display().to_string())?;
    let grant: Grant = serde_json::from_str(&text).context("this is no grant")?;
    if grant.gateway != config.gateway.as_str() {
        bail!("the grant is for gateway {}, this is {}", grant.gateway, config.gateway);
    }
    let files = KeyFiles::below(&config.state);
    if !take_enrolled(&files, |key| hex(key.as_bytes()) == grant.signing_key)? {
        bail!("the grant is for key {}, which is not here: provision again", grant.signing_key);
    }
    let mut roots = vec![grant.roots_needed];
    for root in &grant.roots {
        let root = unhex(root).filter(|root| root.len() == 32).context("a root key is no key")?;
        roots.extend(root);
    }
    store(&files.roots(), &roots)?;
    let document = unhex(&grant.keyring).context("the keyring is not hexadecimal")?;
    Keyring::verify(&document, &load_roots(&files.roots())?)?;
    store(&files.keyring(), &document)?;
    for (path, pem) in
        [(&config.broker.certificate, &grant.certificate), (&config.broker.ca, &grant.ca)]
    {
        if path.is_dir() {
            keep::set_aside(path);
        }
        keep::write(path, pem.as_bytes()).with_context(|| path.display().to_string())?;
    }
    println!("provisioned {}", config.gateway);
    println!("next: wardline check, then wardline run");
    Ok(())
}
