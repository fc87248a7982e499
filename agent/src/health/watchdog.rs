//! What the service manager is told: that the line works, once a second, and its state in a word.
//!
//! The line itself shows its state once a second. When it no longer does, nobody feeds the
//! watchdog, and the manager starts the agent anew. A broker that is away is no reason: that is
//! mended inside.

use sd_notify::NotifyState;
use serde::Deserialize;
use tokio::sync::watch;

/// Of the whole status, what fits into one line.
#[derive(Deserialize)]
struct Shown {
    connected: bool,
    held_back: bool,
    backlog_bytes: u64,
}

fn words(screen: &str) -> String {
    match serde_json::from_str(screen) {
        Ok(Shown { held_back: true, .. }) => "nothing can be stored: devices are held back".into(),
        Ok(Shown { connected: true, backlog_bytes, .. }) => {
            format!("connected, {backlog_bytes} bytes without a receipt")
        }
        Ok(Shown { backlog_bytes, .. }) => {
            format!("not connected: buffering, {backlog_bytes} bytes so far")
        }
        Err(_) => "starting".into(),
    }
}

/// Tells the service manager, if there is one, for as long as the line shows its state.
pub async fn feed(mut screen: watch::Receiver<String>) {
    while screen.changed().await.is_ok() {
        let status = words(&screen.borrow_and_update());
        let told = [NotifyState::Ready, NotifyState::Watchdog, NotifyState::Status(&status)];
        if let Err(error) = sd_notify::notify(&told) {
            tracing::warn!(%error, "the service manager does not hear us");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_fits_into_a_line() {
        let shown = |connected: bool, held: bool| {
            let (connected, held) = (connected.to_string(), held.to_string());
            words(&format!(
                "{{\"connected\":{connected},\"held_back\":{held},\"backlog_bytes\":7,\"x\":1}}"
            ))
        };
        assert_eq!(shown(true, false), "connected, 7 bytes without a receipt");
        assert!(shown(false, false).starts_with("not connected: buffering"));
        assert!(shown(true, true).contains("held back"));
        assert_eq!(words(""), "starting");
    }
}
