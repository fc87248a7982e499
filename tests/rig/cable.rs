//! A cable between an emulated board and the gateway, which can damage what goes through it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::random::Random;

/// A cable; it is pulled out when its guard is dropped.
pub struct Cable {
    socket: PathBuf,
    noise: watch::Sender<u64>,
    carrier: JoinHandle<()>,
}

/// Between two attempts to reach a gateway that is not there.
const AGAIN: Duration = Duration::from_millis(20);

impl Cable {
    /// A good cable from a new socket, to which a board connects, to the gateway's.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn new(socket: PathBuf, gateway: PathBuf, seed: u64) -> Result<Self> {
        let listener = UnixListener::bind(&socket)?;
        let (noise, heard) = watch::channel(0);
        let carrier = tokio::spawn(carry(listener, gateway, heard, seed));
        Ok(Self { socket, noise, carrier })
    }

    /// Where a board connects.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// From now on so many of a thousand bytes are damaged, each way: a bit flipped, dropped, or
    /// another byte before it.
    pub fn damage(&self, per_mille: u64) {
        self.noise.send_replace(per_mille);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// Joins each board that connects with the gateway, one after the other.
async fn carry(listener: UnixListener, gateway: PathBuf, noise: watch::Receiver<u64>, seed: u64) {
    let mut turn = seed;
    while let Ok((board, _)) = listener.accept().await {
        turn = turn.wrapping_add(2);
        let gateway = loop {
            match UnixStream::connect(&gateway).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        };
        let (from_board, to_board) = board.into_split();
        let (from_gateway, to_gateway) = gateway.into_split();
        let noise = Arc::new(noise.clone());
        // Whichever end goes takes the other with it.
        tokio::select! {
            () = pass(from_board, to_gateway, &noise, turn) => {}
            () = pass(from_gateway, to_board, &noise, turn + 1) => {}
        }
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    noise: &watch::Receiver<u64>,
    seed: u64,
) {
    let (mut random, mut bytes) = (Random::new(seed), [0; 1024]);
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let passed = damaged(&bytes[..count], *noise.borrow(), &mut random);
        if to.write_all(&passed).await.is_err() {
            return;
        }
    }
}

fn damaged(bytes: &[u8], per_mille: u64, random: &mut Random) -> Vec<u8> {
    let mut passed = Vec::with_capacity(bytes.len() + 8);
    for byte in bytes {
        if random.below(1000) >= per_mille {
            passed.push(*byte);
            continue;
        }
        match random.below(3) {
            0 => passed.push(byte ^ (1 << random.below(8))),
            1 => {}
            _ => passed.extend([random.below(256) as u8, *byte]),
        }
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cable_damages_as_much_as_it_is_told_and_a_good_one_nothing() {
        let (mut random, bytes) = (Random::new(7), vec![0x55; 100_000]);
        assert_eq!(damaged(&bytes, 0, &mut random), bytes);
        let passed = damaged(&bytes, 100, &mut random);
        let whole = passed.iter().filter(|byte| **byte == 0x55).count();
        assert!((92_000..95_000).contains(&whole), "{whole}: a third of a tenth stays whole");
    }
}
