//! Listens in the broker's place, keeps every byte that comes, and answers as it is told.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What whoever calls is answered.
#[derive(Clone)]
pub enum Answer {
    /// A handshake.
    Tls(Arc<ServerConfig>),
    /// These bytes, once, whatever is said.
    Raw(Vec<u8>),
    /// Whatever is behind this port of the loopback.
    To(u16),
}

/// What was heard, a list of bytes for each connection.
type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// The ear, for as long as this lives.
pub struct Ear {
    port: u16,
    heard: Heard,
    answer: Arc<Mutex<Answer>>,
    task: JoinHandle<()>,
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ear {
    /// Listens at this port of the loopback; 0 lets the system choose.
    pub async fn listen(port: u16, answer: Answer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, answer) = (Heard::default(), Arc::new(Mutex::new(answer)));
        let task = tokio::spawn(accept(listener, heard.clone(), answer.clone()));
        Self { port, heard, answer, task }
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Answers so from the next call on.
    pub fn answer(&self, answer: Answer) {
        *locked(&self.answer) = answer;
    }

    /// Everything so far, connection by connection.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        locked(&self.heard).clone()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, heard: Heard, answer: Arc<Mutex<Answer>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let at = {
            let mut all = locked(&heard);
            all.push(Vec::new());
            all.len() - 1
        };
        let (heard, answer) = (heard.clone(), locked(&answer).clone());
        tokio::spawn(async move {
            let note = |bytes: &[u8]| locked(&heard)[at].extend_from_slice(bytes);
            // However it ends: what counts is what was heard.
            let _: io::Result<()> = match answer {
                Answer::Tls(config) => {
                    let server = ServerConnection::new(config).expect("a config is checked");
                    converse(stream, Voice::Tls(Box::new(server)), note).await
                }
                Answer::Raw(bytes) => converse(stream, Voice::Raw(bytes), note).await,
                Answer::To(port) => lead(stream, port, note).await,
            };
        });
    }
}

enum Voice {
    Tls(Box<ServerConnection>),
    Raw(Vec<u8>),
}

impl Voice {
    fn reply(&mut self, mut said: &[u8]) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => std::mem::take(bytes),
            Self::Tls(server) => {
                while !said.is_empty() {
                    let read = server.read_tls(&mut said);
                    // Behind an error nothing is understood, but all is kept.
                    if read.is_err() || server.process_new_packets().is_err() {
                        break;
                    }
                }
                let mut reply = Vec::new();
                while server.wants_write() {
                    server.write_tls(&mut reply).expect("a vector takes everything");
                }
                reply
            }
        }
    }
}

/// Answers until the other side ends: a reset could take our last words with it.
async fn converse(mut stream: TcpStream, mut voice: Voice, note: impl Fn(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        note(&buffer[..count]);
        stream.write_all(&voice.reply(&buffer[..count])).await?;
    }
}

async fn lead(mut stream: TcpStream, port: u16, note: impl Fn(&[u8])) -> io::Result<()> {
    let mut broker = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let ((mut from, mut back), (mut answers, mut on)) = (stream.split(), broker.split());
    let up = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                return on.shutdown().await;
            }
            note(&buffer[..count]);
            // What a broker that hung up does not take was heard all the same.
            let _: io::Result<()> = on.write_all(&buffer[..count]).await;
        }
    };
    let down = async {
        tokio::io::copy(&mut answers, &mut back).await?;
        back.shutdown().await
    };
    tokio::try_join!(up, down).map(drop)
}
