//! MLLP: one message at a time, and the next one once it is acknowledged.

use std::io::{self, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::Answer;
use crate::export::hl7::Message;
use crate::keys::KeyFolder;
use crate::receive::tls;

/// An engine that says nothing for so long is away.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
/// Longest acknowledgement.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// AE speaks of what a message holds, and then it comes again in vain: five times. AR may speak of
/// the engine itself, which comes to its senses: some ten minutes.
const ERRORS_MAX: u32 = 5;
const REJECTS_MAX: u32 = 16;
const BEGIN: u8 = 0x0B;
const END: [u8; 2] = [0x1C, 0x0D];

/// An interface engine.
pub struct Engine {
    host: String,
    port: u16,
    /// How both sides prove themselves: our keys, and who signs its certificate; none: plain.
    tls: Option<(KeyFolder, PathBuf)>,
    line: Option<BufReader<Line>>,
    /// How often the present message was not taken.
    errors: u32,
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mllp://{}:{}", self.host, self.port)
    }
}

impl Clone for Engine {
    fn clone(&self) -> Self {
        Self::new(self.host.clone(), self.port, self.tls.clone())
    }
}

enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Line {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(line) => line.read(bytes),
            Self::Tls(line) => line.read(bytes),
        }
    }
}

impl Line {
    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(line) => line.write_all(bytes),
            Self::Tls(line) => line.write_all(bytes).and_then(|()| line.flush()),
        }
    }
}

impl Engine {
    /// An engine that nobody has called yet.
    #[must_use]
    pub const fn new(host: String, port: u16, tls: Option<(KeyFolder, PathBuf)>) -> Self {
        Self { host, port, tls, line: None, errors: 0 }
    }

    /// Sends a message; it was acknowledged when this returns.
    ///
    /// # Errors
    /// The engine is away, or wants the message again.
    pub(super) fn send(&mut self, message: &Message) -> anyhow::Result<Answer> {
        let said = self.exchange(message);
        let (code, id) = match said {
            Ok(said) => said,
            Err(error) => {
                self.line = None;
                return Err(error.context(format!("{self}")));
            }
        };
        // An engine that could not read a message says nothing of its id; only one is on its way.
        let is_this = id == message.id || id.is_empty() && !matches!(code.as_str(), "AA" | "CA");
        if !is_this {
            self.line = None;
            bail!("{self} acknowledges another message");
        }
        self.errors += 1;
        let most = if matches!(code.as_str(), "AE" | "CE") { ERRORS_MAX } else { REJECTS_MAX };
        match code.as_str() {
            "AA" | "CA" => {
                self.errors = 0;
                Ok(Answer::Taken)
            }
            code if self.errors < most => bail!("{self} answers {code}"),
            code => {
                self.errors = 0;
                tracing::error!(
                    code,
                    control_id = message.id,
                    "an HL7 engine refuses a message; it goes without it"
                );
                Ok(Answer::Refused)
            }
        }
    }

    /// Says a message and hears its acknowledgement: MSA-1 and MSA-2.
    fn exchange(&mut self, message: &Message) -> anyhow::Result<(String, String)> {
        let line = match &mut self.line {
            Some(line) => line,
            None => {
                let line = BufReader::new(self.call()?);
                self.line.insert(line)
            }
        };
        let framed = [&[BEGIN], message.text.as_bytes(), &END].concat();
        line.get_mut().say(&framed)?;
        let answer = hear(line)?;
        acknowledgement(&String::from_utf8_lossy(&answer)).context("what it answers is no ACK")
    }

    fn call(&self) -> anyhow::Result<Line> {
        let mut last = io::Error::other("its name has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => return self.prove(stream),
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    fn prove(&self, stream: TcpStream) -> anyhow::Result<Line> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let Some((keys, ca)) = &self.tls else { return Ok(Line::Plain(stream)) };
        let config = tls::towards(keys, ca)?;
        let name = ServerName::try_from(self.host.clone())?;
        let client = ClientConnection::new(Arc::new(config), name)?;
        Ok(Line::Tls(Box::new(StreamOwned::new(client, stream))))
    }
}

/// One framed answer, without its frame.
fn hear(line: &mut BufReader<Line>) -> anyhow::Result<Vec<u8>> {
    let mut answer = Vec::new();
    for byte in line.bytes() {
        match byte? {
            BEGIN => answer.clear(),
            byte => answer.push(byte),
        }
        if answer.ends_with(&END) {
            answer.truncate(answer.len() - END.len());
            return Ok(answer);
        }
        if answer.len() > ANSWER_BYTES_MAX {
            bail!("its answer does not end");
        }
    }
    bail!("it ended the connection without an answer")
}

/// MSA-1 and MSA-2 of an acknowledgement.
fn acknowledgement(text: &str) -> Option<(String, String)> {
    let separator = text.strip_prefix("MSH")?.chars().next()?;
    let msa = text.split(['\r', '\n']).find(|segment| segment.starts_with("MSA"))?;
    let mut fields = msa.split(separator);
    let (code, id) = (fields.nth(1)?, fields.next().unwrap_or_default());
    Some((code.trim().to_owned(), id.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_read_by_its_own_separator() {
        let read = |text| acknowledgement(text).map(|(code, id)| format!("{code} {id}"));
        assert_eq!(read("MSH|^~\\&|||||||ACK|9|P|2.6\rMSA|AA|m1\r").unwrap(), "AA m1");
        assert_eq!(read("MSH#^~\\&#\nMSA#AE#m2#no room\n").unwrap(), "AE m2");
        assert_eq!(read("MSH|^~\\&|\rMSA|AR").unwrap(), "AR ");
        for wrong in ["", "MSH", "MSH|^~\\&|\r", "MSA|AA|m1\r", "MSH|^~\\&|\rMSA"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
