//! A sender of HL7 messages, and what it sends.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A device system that the messages are of.
pub const DEVICE: &str = "0242ACFFFE0A0B01";
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(40);

/// An ORU^R01 of a system: `observations` numbers, the first of them `number` tenths.
#[must_use]
pub fn oru(device: &str, number: u64, observations: usize) -> String {
    let second = number % 60;
    let (minute, hour) = (number / 60 % 60, number / 3600 % 24);
    let mut text = format!(
        "MSH|^~\\&|MON^{device}^EUI-64|WARD|||20260101{hour:02}{minute:02}{second:02}+0000||\
         ORU^R01^ORU_R01|{number}|P|2.6\r\
         PID|1||4711^^^HOSP^MR\r\
         OBR|1|{number}^MON|{number}^MON|182777000^monitoring of patient^SCT|||\
         20260101{hour:02}{minute:02}{second:02}+0000\r\
         OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||\
         ^^{device}^EUI-64\r"
    );
    for at in 0..observations as u64 {
        let (code, value) = (147_842 + at, number + at);
        let row = at + 2;
        text.push_str(&format!(
            "OBX|{row}|NM|{code}^MDC_{code}^MDC|1.1.1.{row}|{}.{}|\
             264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R\r",
            value / 10,
            value % 10
        ));
    }
    text
}

/// A message as it is sent.
#[must_use]
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&[0x0B], message, &[0x1C, 0x0D]].concat()
}

/// A connection.
pub struct Sender {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Sender {
    /// Connects to a port of the loopback.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, heard: Vec::new() })
    }

    /// Sends one message; the code of its answer.
    ///
    /// # Errors
    /// The connection ends, or there is no answer in time.
    pub async fn ask(&mut self, message: &[u8]) -> Result<String> {
        self.stream.write_all(&framed(message)).await?;
        tokio::time::timeout(PATIENCE, self.answer()).await.context("no answer in time")?
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// The code of the next answer.
    ///
    /// # Errors
    /// The connection ends, or the answer is none.
    pub async fn answer(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == 0x1C) {
                let rest = self.heard.split_off((end + 2).min(self.heard.len()));
                let answer = String::from_utf8(std::mem::replace(&mut self.heard, rest))?;
                ensure!(answer.starts_with("\u{b}MSH|"), "no MLLP: {answer:?}");
                let code = answer.split("\rMSA|").nth(1).and_then(|rest| rest.get(..2));
                return code.map(str::to_owned).context("the answer has no MSA");
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).await?;
            if count == 0 {
                bail!("the connection ended");
            }
            self.heard.extend_from_slice(&bytes[..count]);
        }
    }
}
