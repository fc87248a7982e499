//! `ward broker`: the rig's broker as a process of its own, so that it can be killed.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use rig::broker::{BrokerConfig, Faults, start};

/// Runs the rig's broker until standard input ends.
#[derive(Debug, clap::Args)]
pub struct Broker {
    /// Port on the loopback.
    #[arg(long)]
    port: u16,
    /// Folder with ca.pem, crl.pem, broker.pem and broker.key.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// Certificate names that may use every topic.
    #[arg(long, value_name = "NAME", default_value = "sink-1")]
    sink: Vec<String>,
}

impl Broker {
    pub async fn run(self) -> Result<bool> {
        let read = |name: &str| {
            let path = self.keys.join(name);
            fs::read(&path).with_context(|| path.display().to_string())
        };
        let config = BrokerConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
            certificate_pem: read("broker.pem")?,
            key_pem: read("broker.key")?,
            client_ca_pem: read("ca.pem")?,
            client_crl_pem: read("crl.pem")?,
            sinks: self.sink.clone(),
            faults: Faults::default(),
        };
        let broker = start(config).await?;
        eprintln!("broker listens on {}", broker.address());
        // Whoever started us holds the other end; when that process is gone, so are we.
        let listen = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        tokio::task::spawn_blocking(listen).await??;
        broker.shutdown().await;
        Ok(true)
    }
}
