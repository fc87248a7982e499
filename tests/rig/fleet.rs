//! The keys of one site: roots, keyring, the sink's recipients and its receipt key.

use ed25519_dalek::SigningKey;
use wire::identity::{GatewayId, StoreEpoch};
use wire::keyring::{Audience, FleetPart, Keyring, RootPart, Roots, join};
use wire::seal::{Recipient, RecipientSecret};
use wire::segment::Suite;
use wire::time::UnixNanos;

/// One key pair that segment secrets are wrapped for.
pub struct Pair {
    /// What it may open.
    pub audience: Audience,
    /// Opens.
    pub secret: RecipientSecret,
    /// Seals.
    pub public: Recipient,
}

/// All keys of a site.
pub struct Fleet {
    /// How secrets are wrapped.
    pub suite: Suite,
    /// The sink's pairs: clinical, then health.
    pub pairs: Vec<Pair>,
    /// Pinned at every gateway.
    pub roots: Roots,
    /// The signed keyring.
    pub document: Vec<u8>,
    /// The same, read.
    pub keyring: Keyring,
    /// Signs receipts.
    pub receipt: SigningKey,
    /// Protects secrets in the store.
    pub store_key: [u8; 32],
    /// The store's life.
    pub epoch: StoreEpoch,
}

fn seed(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

impl Fleet {
    /// A site whose every key is a plain number.
    ///
    /// # Panics
    /// A number is no private key.
    #[must_use]
    pub fn new(suite: Suite) -> Self {
        let pair = |audience| {
            let private = [0x71 + audience as u8; 32];
            let pair = RecipientSecret::pair_from_bytes(suite, &private);
            let (secret, public) = pair.expect("32 bytes are a key of either suite");
            Pair { audience, secret, public }
        };
        Self::with(suite, [Audience::Clinical, Audience::Health].map(pair).into())
    }

    /// A site with these recipients; every other key is a plain number.
    #[must_use]
    pub fn with(suite: Suite, pairs: Vec<Pair>) -> Self {
        Self::in_life(suite, pairs, 1)
    }

    /// The same site after its store began another life, the first being 1: with a newer keyring.
    #[must_use]
    pub fn reborn(&self) -> Self {
        Self::in_life(self.suite, self.copy_pairs(), self.keyring.fleet.version + 1)
    }

    /// The same site once more.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self::in_life(self.suite, self.copy_pairs(), self.keyring.fleet.version)
    }

    /// The sink's pairs once more.
    #[must_use]
    pub fn copy_pairs(&self) -> Vec<Pair> {
        let copy = |pair: &Pair| Pair {
            audience: pair.audience,
            secret: pair.secret.clone(),
            public: pair.public.clone(),
        };
        self.pairs.iter().map(copy).collect()
    }

    fn in_life(suite: Suite, pairs: Vec<Pair>, life: u64) -> Self {
        let (root, fleet, receipt) = (seed(0x21), seed(0x31), seed(0x41));
        let epoch = StoreEpoch([0xDF + life as u8; 16]);
        let root_part = RootPart {
            version: 1,
            expires: UnixNanos(1_798_761_600_000_000_000),
            fleet_key: fleet.verifying_key(),
            recovery: Vec::new(),
        };
        let fleet_part = FleetPart {
            version: life,
            recipients: pairs.iter().map(|pair| (pair.audience, pair.public.clone())).collect(),
            receipt_keys: vec![receipt.verifying_key()],
            command_key: seed(0x51).verifying_key(),
            formats: (1, 1),
            store_epoch: epoch,
        };
        let document = join(vec![root_part.sign(&root)], fleet_part.sign(&fleet));
        let roots = Roots { keys: vec![root.verifying_key()], needed: 1 };
        let keyring = Keyring::verify(&document, &roots).expect("we signed it ourselves");
        let store_key = [0x61; 32];
        Self { suite, pairs, roots, document, keyring, receipt, store_key, epoch }
    }

    /// The key that a gateway of this name signs with.
    #[must_use]
    pub fn signer(gateway: GatewayId) -> SigningKey {
        let mut seed = [0x11; 32];
        let name = gateway.as_str().as_bytes();
        seed[..name.len()].copy_from_slice(name);
        SigningKey::from_bytes(&seed)
    }
}

/// A gateway's name.
///
/// # Panics
/// The name is none.
#[must_use]
pub fn named(name: &str) -> GatewayId {
    GatewayId::new(name).expect("a plain label is a gateway name")
}
