//! Renewal: the certificate is asked for anew before it ends, and after it has ended, too; the
//! signing key vouches for the gateway.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;
use wire::audit::AuditKind;

use super::{Pins, by_key, install, request, sink};
use crate::audit::{Deed, Pen};
use crate::clock::floor::Floor;
use crate::config::Config;
use crate::seal::keyring::load_signing_key;
use crate::uplink::tls;

/// Renewed with a third of its life to go: a site that is away for months finds it good.
const PARTS: i64 = 3;
/// Between two attempts that the sink has not answered; a grant is looked at anew after it, too.
const AGAIN: Duration = Duration::from_secs(3600);

/// Of the whole status, what tells when to renew.
#[derive(Deserialize)]
struct Shown {
    certificate_days: Option<i64>,
}

/// Whether a certificate of a life of so many days is due with so many left.
const fn is_due(left_days: i64, life_days: i64) -> bool {
    left_days * PARTS < life_days
}

fn due(config: &Config, screen: &str) -> bool {
    let shown = serde_json::from_str::<Shown>(screen).ok();
    let left = shown.and_then(|shown| shown.certificate_days);
    left.zip(tls::life_days(&config.broker.certificate))
        .is_some_and(|(left, life)| is_due(left, life))
}

/// Renews the certificate whenever it is due, for as long as the agent runs. Nothing of it stops
/// collecting; the next connection shows the new one.
pub async fn keep(
    config: Config,
    floor: Arc<Floor>,
    mut screen: watch::Receiver<String>,
    pen: Pen,
) {
    while screen.changed().await.is_ok() {
        let is_due = due(&config, &screen.borrow_and_update());
        let Some(address) = sink(&config).filter(|_| is_due) else { continue };
        match renew(&config, &address, &floor).await {
            Ok(()) => {
                tracing::info!(address, "the certificate is renewed");
                pen.write(Deed::new(AuditKind::Keys, "certificate", "renewed by itself"));
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(address, error, "the certificate is not renewed; trying again");
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Renews the certificate now.
///
/// # Errors
/// The sink cannot be reached or refuses; in its words.
pub async fn renew(config: &Config, address: &str, floor: &Arc<Floor>) -> anyhow::Result<()> {
    let key = load_signing_key(&config.key_files().signing())?;
    let grant = by_key(config, address, &request(config, &key)?, floor).await?;
    install(config, &grant, Pins::Keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_its_life_before_the_end_and_after_it() {
        assert!(!is_due(122, 365) && is_due(121, 365) && is_due(0, 365) && is_due(-1, 365));
    }
}
