//! `wardline-sink notify`: whether messages reach their receivers.

use anyhow::Context;

use super::{ConfigArg, Failure};
use crate::notify::{Message, Receiver};

/// Sends a test message to every receiver of [[notify]], and says what each answers.
#[derive(Debug, clap::Args)]
pub struct Notify {
    #[command(flatten)]
    config: ConfigArg,
    /// Only this receiver.
    #[arg(long)]
    name: Option<String>,
}

impl Notify {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let mut channels = config.notify;
        channels.retain(|channel| self.wants(&channel.name));
        if channels.is_empty() {
            return Err(anyhow::anyhow!("there is no such receiver: see [[notify]]").into());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("no runtime")?;
        let mut failed = 0;
        for channel in channels {
            let name = channel.name.clone();
            let receiver = Receiver::new(channel)?;
            match runtime.block_on(receiver.tell(&[Message::test()])) {
                Ok(_) => println!("{name}: taken"),
                Err(error) => {
                    failed += 1;
                    println!("{error}");
                }
            }
        }
        if failed > 0 {
            return Err(anyhow::anyhow!("{failed} receivers have not taken a test message").into());
        }
        Ok(())
    }

    /// Of a block that writes mail, each person is a receiver.
    fn wants(&self, receiver: &str) -> bool {
        let Some(name) = &self.name else { return true };
        receiver.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(" to "))
    }
}
