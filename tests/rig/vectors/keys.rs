//! The test keys of one suite; anybody can read them, so they protect nothing.

use anyhow::{Context, Result, ensure};
use ed25519_dalek::SigningKey;
use serde_json::{Map, Value, json};
use wire::identity::{GatewayId, Lane};
use wire::keyring::{Audience, Roots};
use wire::seal::{Recipient, RecipientSecret};
use wire::segment::Suite;

use super::{hex, unhex};

const WARNING: &str = "TEST KEYS. Anybody can read them. Use them for these vectors only.";
const ROOTS: usize = 3;
const ROOTS_NEEDED: usize = 2;

/// One key pair that secrets are wrapped for.
pub struct Pair {
    /// What it may open.
    pub audience: Audience,
    /// Whether it is the offline one.
    pub recovery: bool,
    /// Opens.
    pub private: RecipientSecret,
    /// Seals.
    pub public: Recipient,
}

/// All keys of one suite.
pub struct Keys {
    /// How secrets are wrapped.
    pub suite: Suite,
    /// Whose records these are.
    pub gateway: GatewayId,
    /// Signs records and status.
    pub signer: SigningKey,
    /// Offline roots.
    pub roots: Vec<SigningKey>,
    /// Signs the fleet part.
    pub fleet: SigningKey,
    /// Signs receipts.
    pub receipt: SigningKey,
    /// Signs commands.
    pub command: SigningKey,
    /// Sink and recovery key of each audience.
    pub pairs: Vec<Pair>,
}

impl Keys {
    /// Signing keys from plain numbers, recipient keys from the kernel's generator.
    pub fn generate(suite: Suite) -> Result<Self> {
        let seed = |number: u8| SigningKey::from_bytes(&[number; 32]);
        let pair = |(audience, recovery)| {
            let (private, public) = RecipientSecret::generate(suite);
            Pair { audience, recovery, private, public }
        };
        let places = [
            (Audience::Clinical, false),
            (Audience::Health, false),
            (Audience::Clinical, true),
            (Audience::Health, true),
        ];
        Ok(Self {
            suite,
            gateway: GatewayId::new("test-gateway-1")?,
            signer: seed(0x11),
            roots: (0x21..).take(ROOTS).map(seed).collect(),
            fleet: seed(0x31),
            receipt: seed(0x41),
            command: seed(0x51),
            pairs: places.map(pair).into(),
        })
    }

    /// What a gateway is given at provisioning.
    pub fn pinned(&self) -> Roots {
        Roots {
            keys: self.roots.iter().map(SigningKey::verifying_key).collect(),
            needed: ROOTS_NEEDED,
        }
    }

    /// The pairs that open a lane, the sink's first.
    pub fn of(&self, lane: Lane) -> impl Iterator<Item = &Pair> {
        let audience = Audience::of(lane);
        self.pairs.iter().filter(move |pair| pair.audience == audience)
    }

    /// As `keys.json`.
    pub fn to_json(&self) -> Value {
        let seed = |key: &SigningKey| hex(&key.to_bytes());
        let pair = |pair: &Pair| {
            json!({
                "audience": pair.audience as u8,
                "recovery": pair.recovery,
                "private": hex(pair.private.as_bytes()),
                "public": hex(&pair.public.public),
            })
        };
        json!({
            "warning": WARNING,
            "suite": self.suite as u8,
            "gateway": self.gateway.as_str(),
            "gateway_seed": seed(&self.signer),
            "root_seeds": self.roots.iter().map(seed).collect::<Vec<_>>(),
            "roots_needed": ROOTS_NEEDED,
            "fleet_seed": seed(&self.fleet),
            "receipt_seed": seed(&self.receipt),
            "command_seed": seed(&self.command),
            "recipients": self.pairs.iter().map(pair).collect::<Vec<_>>(),
        })
    }

    /// From `keys.json`.
    pub fn from_json(json: &Map<String, Value>) -> Result<Self> {
        let number = json.get("suite").and_then(Value::as_u64);
        let suite = number.and_then(Suite::from_number).context("suite")?;
        let list = |name: &str| json.get(name).and_then(Value::as_array).context("keys");
        let pairs = list("recipients")?.iter().map(|one| pair(suite, one));
        let needed = json.get("roots_needed").and_then(Value::as_u64);
        ensure!(needed == Some(ROOTS_NEEDED as u64), "roots_needed");
        Ok(Self {
            suite,
            gateway: GatewayId::new(text(json.get("gateway"))?)?,
            signer: seed(json.get("gateway_seed"))?,
            roots: list("root_seeds")?.iter().map(|one| seed(Some(one))).collect::<Result<_>>()?,
            fleet: seed(json.get("fleet_seed"))?,
            receipt: seed(json.get("receipt_seed"))?,
            command: seed(json.get("command_seed"))?,
            pairs: pairs.collect::<Result<_>>()?,
        })
    }
}

fn text(value: Option<&Value>) -> Result<&str> {
    value.and_then(Value::as_str).context("a text is missing in keys.json")
}

fn seed(value: Option<&Value>) -> Result<SigningKey> {
    let bytes = unhex(text(value)?)?;
    Ok(SigningKey::from_bytes(bytes.as_slice().try_into()?))
}

fn pair(suite: Suite, json: &Value) -> Result<Pair> {
    let private = unhex(text(json.get("private"))?)?;
    let private = RecipientSecret::from_bytes(suite, &private).context("recipient")?;
    let public = unhex(text(json.get("public"))?)?;
    let public = Recipient { suite, public };
    ensure!(public.id() == private.id(), "public and private key differ");
    let audience = match json.get("audience").and_then(Value::as_u64) {
        Some(0) => Audience::Clinical,
        Some(1) => Audience::Health,
        _ => anyhow::bail!("audience"),
    };
    Ok(Pair {
        audience,
        recovery: json.get("recovery") == Some(&Value::Bool(true)),
        private,
        public,
    })
}
