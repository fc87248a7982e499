//! One connection: TLS, the CONNECT, then packets in and packets out until either side ends it.
//!
//! Everything it decides is asked of the router. Reading and writing go on independently, so that
//! a client that does not read can still be heard; each write carries all that waits.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rumqttc::mqttbytes::Error as CodecError;
use rumqttc::{
    ConnAck, Connect, ConnectReturnCode, Disconnect, DisconnectReasonCode, LastWill, Packet,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;

use super::identity::common_name;
use super::router::{Attached, Next};
use super::session::Login;
use super::{Counters, Shared};

/// How long a peer may take for TLS, and again for its CONNECT.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// How long the last DISCONNECT may take to leave.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// The largest CONNECT, bytes: its limit is announced only afterwards.
const CONNECT_BYTES_MAX: u32 = 256 * 1024;

/// Free bytes offered to each read.
const READ_BYTES: usize = 64 * 1024;

/// Serves one accepted connection to its end.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let mut cuts = shared.cuts.subscribe();
    tokio::select! {
        _ = cuts.changed() => {}
        () = converse(&shared, stream) => {}
    }
}

async fn converse(shared: &Arc<Shared>, stream: TcpStream) {
    wait_out_black_hole(shared).await;
    // Without it small writes wait for an acknowledgement; a failure costs speed only.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(mut stream)) = timeout(HANDSHAKE_MAX, shared.tls.accept(stream)).await else {
        Counters::add(&shared.counters.refusals, 1);
        return;
    };
    let mut buffer = BytesMut::new();
    let greeting = timeout(HANDSHAKE_MAX, read_connect(shared, &mut stream, &mut buffer)).await;
    let Ok(Ok((connect, will))) = greeting else {
        Counters::add(&shared.counters.refusals, 1);
        return;
    };
    wait_out_black_hole(shared).await;
    let keep_alive = Duration::from_secs(u64::from(connect.keep_alive)).mul_f32(1.5);
    let attached = match login(&stream, connect, will) {
        Ok(login) => shared.router().attach(login, Instant::now()),
        Err(code) => Err(code),
    };
    match attached {
        Ok(attached) => {
            let hold = Hold { shared, attached };
            let (reader, writer) = tokio::io::split(stream);
            tokio::select! {
                () = read(&hold, reader, buffer, keep_alive) => {}
                _ = write(&hold, writer) => {}
                () = farewell(&hold) => {}
            }
        }
        Err(code) => refuse(shared, stream, code).await,
    }
}

/// Detaches from the router however the connection ends: by either side, a cut, or an abort.
struct Hold<'a> {
    shared: &'a Shared,
    attached: Attached,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.shared.router().detach(&self.attached, Instant::now());
    }
}

async fn read_connect(
    shared: &Shared,
    stream: &mut TlsStream<TcpStream>,
    buffer: &mut BytesMut,
) -> Result<(Connect, Option<LastWill>), ()> {
    loop {
        match Packet::read(buffer, Some(CONNECT_BYTES_MAX)) {
            Ok(Packet::Connect(connect, will, _)) => return Ok((connect, will)),
            Err(CodecError::InsufficientBytes(_)) => {}
            Ok(_) | Err(_) => return Err(()),
        }
        match read_some(shared, stream, buffer).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Err(()),
        }
    }
}

fn login(
    stream: &TlsStream<TcpStream>,
    connect: Connect,
    will: Option<LastWill>,
) -> Result<Login, ConnectReturnCode> {
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let identity =
        certificates.first().and_then(common_name).ok_or(ConnectReturnCode::NotAuthorized)?;
    let asked = connect.properties.unwrap_or_default();
    Ok(Login {
        identity,
        client_id: connect.client_id,
        clean_start: connect.clean_start,
        expiry_seconds: asked.session_expiry_interval.unwrap_or(0),
        receive_maximum: asked.receive_maximum.unwrap_or(u16::MAX),
        packet_bytes_max: asked.max_packet_size.map_or(usize::MAX, |bytes| bytes as usize),
        will,
    })
}

async fn refuse(shared: &Shared, mut stream: TlsStream<TcpStream>, code: ConnectReturnCode) {
    Counters::add(&shared.counters.refusals, 1);
    let mut bytes = BytesMut::new();
    let connack = ConnAck { session_present: false, code, properties: None };
    connack.write(&mut bytes).expect("a CONNACK without properties is well formed");
    // The peer is sent away; whether it still listens makes no difference.
    let _ = timeout(FAREWELL_MAX, async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    })
    .await;
}

/// Hands everything that arrives to the router; returns when the connection is over.
async fn read(
    hold: &Hold<'_>,
    mut reader: impl AsyncRead + Unpin,
    mut buffer: BytesMut,
    keep_alive: Duration,
) {
    let Hold { shared, attached } = hold;
    let mut packets = Vec::new();
    loop {
        let broken = decode(&mut buffer, attached.packet_bytes_max, &mut packets);
        wait_out_black_hole(shared).await;
        let next = shared.router().handle(attached, packets.drain(..));
        match (next, broken) {
            (Next::Goodbye, _) => return,
            (Next::Refused, _) => return sleep(FAREWELL_MAX).await,
            (_, Some(reason)) => {
                shared.router().refuse(attached, reason);
                return sleep(FAREWELL_MAX).await;
            }
            (Next::WaitForRoom, None) => {
                attached.signals.room.notified().await;
                continue;
            }
            (Next::Read, None) => {}
        }
        match read_in_time(shared, &mut reader, &mut buffer, keep_alive).await {
            Some(Ok(1..)) => {}
            Some(Ok(0) | Err(_)) => return,
            None => {
                shared.router().refuse(attached, DisconnectReasonCode::KeepAliveTimeout);
                return sleep(FAREWELL_MAX).await;
            }
        }
    }
}

/// Reads once; `None` when the client was silent for longer than it promised.
async fn read_in_time(
    shared: &Shared,
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    keep_alive: Duration,
) -> Option<io::Result<usize>> {
    loop {
        if keep_alive.is_zero() {
            return Some(read_some(shared, reader, buffer).await);
        }
        match timeout(keep_alive, read_some(shared, reader, buffer)).await {
            Ok(count) => return Some(count),
            // In a black hole we are the silent ones.
            Err(_) if *shared.black_hole.borrow() => wait_out_black_hole(shared).await,
            Err(_) => return None,
        }
    }
}

async fn read_some(
    shared: &Shared,
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<usize> {
    if buffer.capacity() - buffer.len() < READ_BYTES / 4 {
        buffer.reserve(READ_BYTES);
    }
    let count = reader.read_buf(buffer).await?;
    Counters::add(&shared.counters.bytes_in, count);
    Ok(count)
}

/// Takes all whole packets out of `buffer`; with a reason when what follows is none.
fn decode(
    buffer: &mut BytesMut,
    packet_bytes_max: u32,
    packets: &mut Vec<Packet>,
) -> Option<DisconnectReasonCode> {
    loop {
        match Packet::read(buffer, Some(packet_bytes_max)) {
            Ok(packet) => packets.push(packet),
            Err(CodecError::InsufficientBytes(missing)) => {
                buffer.reserve(missing);
                return None;
            }
            Err(CodecError::PayloadSizeLimitExceeded { .. }) => {
                return Some(DisconnectReasonCode::PacketTooLarge);
            }
            Err(CodecError::ProtocolViolation(reason)) => return Some(reason),
            Err(_) => return Some(DisconnectReasonCode::MalformedPacket),
        }
    }
}

/// Writes all that the router has for this connection; returns when that ends.
async fn write(hold: &Hold<'_>, mut writer: impl AsyncWrite + Unpin) -> io::Result<()> {
    let Hold { shared, attached } = hold;
    let mut bytes = BytesMut::new();
    let mut publishes = Vec::new();
    loop {
        wait_out_black_hole(shared).await;
        let last = shared.router().take(attached, &mut bytes, &mut publishes);
        for publish in publishes.drain(..) {
            publish.write(&mut bytes).map_err(io::Error::other)?;
        }
        if let Some(reason_code) = last {
            let goodbye = Disconnect { reason_code, properties: None };
            goodbye.write(&mut bytes).map_err(io::Error::other)?;
        }
        if bytes.is_empty() {
            attached.signals.wake.notified().await;
            continue;
        }
        writer.write_all(&bytes).await?;
        writer.flush().await?;
        Counters::add(&shared.counters.bytes_out, bytes.len());
        bytes.clear();
        attached.signals.room.notify_one();
        if last.is_some() {
            return writer.shutdown().await;
        }
    }
}

/// Ends a connection that must close but whose client does not read the last words.
async fn farewell(hold: &Hold<'_>) {
    hold.attached.signals.closing.notified().await;
    sleep(FAREWELL_MAX).await;
}

async fn wait_out_black_hole(shared: &Shared) {
    let mut black_hole = shared.black_hole.subscribe();
    // The sender lives in `shared`, so that waiting cannot fail while we hold it.
    let _ = black_hole.wait_for(|is_on| !is_on).await;
}
