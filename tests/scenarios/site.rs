//! One site: its keys, one gateway on a real folder, one sink on a real store.

use tempfile::{TempDir, tempdir};
use wire::segment::Suite;

use crate::gateway::Gateway;
use crate::sink::Sink;
use rig::fleet::{Fleet, named};

/// A site with one gateway.
pub struct Site {
    /// Its keys.
    pub fleet: Fleet,
    /// Its gateway.
    pub gateway: Gateway,
    /// Its sink.
    pub sink: Sink,
    /// Everything on disk; gone with the site.
    pub folder: TempDir,
}

/// A new site where nothing has happened yet.
pub fn site() -> Site {
    let folder = tempdir().expect("a temporary folder");
    let (fleet, id) = (Fleet::new(Suite::X25519), named("gw-1"));
    let gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    let sink = Sink::create(&fleet, folder.path(), &[id]);
    Site { fleet, gateway, sink, folder }
}
