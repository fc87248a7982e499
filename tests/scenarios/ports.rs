//! Ports: plugs come and go, and a device that babbles takes nothing from the others.

use std::fs::File;
use std::io::Write;
use std::num::NonZeroU64;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use agent::intake::admission::Admission;
use agent::intake::complaints::Complaint;
use agent::intake::ports::{self, Port};
use agent::intake::{Chunk, Registry};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::tempdir;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use wire::identity::DeviceId;
use wire::link::{DataWriter, ENCODED_BYTES_MAX, Frame, Kind, write_hello};
use wire::reading::{Channel, ChannelKind, Mode};
use wire::time::{DeviceClock, MonotonicNanos};

const PATIENCE: Duration = Duration::from_secs(20);
const RATE: NonZeroU64 = NonZeroU64::new(4 * 1024).unwrap();

fn encoded(kind: Kind, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = [0; ENCODED_BYTES_MAX];
    let length = Frame { kind, boot: 1, sequence, payload }.encode(&mut out);
    out[..length].to_vec()
}

fn hello(device: u64) -> Vec<u8> {
    let kind = ChannelKind::Numeric { exponent: 0 };
    let channel = Channel { code: 147_842, unit: 264_864, kind, label: "", unit_label: "" };
    let about = (DeviceId(device), DeviceClock::None, 0, Mode::Demo);
    let payload = write_hello(about, 1, "x", 0, &[channel]).unwrap();
    encoded(Kind::Hello, 0, payload.as_slice())
}

fn data(sequence: u32) -> Vec<u8> {
    let mut writer = DataWriter::new(0);
    assert!(writer.numerics(0, &[Ok(60)]));
    encoded(Kind::Data, sequence, writer.finish().as_slice())
}

/// Ports of a gateway, and what they bring.
struct Ear {
    registry: Registry,
    chunks: mpsc::Receiver<Chunk>,
}

impl Ear {
    fn open(port: Port, state: &Path) -> Self {
        let registry = Registry::admitting(Admission::by_keys(state, true), RATE);
        let (line, chunks) = mpsc::channel(64);
        tokio::spawn(ports::serve(port, registry.clone(), line));
        Self { registry, chunks }
    }

    /// Hears until this device has said something; the port's name.
    async fn hear(&mut self, device: u64) -> String {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.chunks.recv());
            let chunk = next.await.expect("nothing is heard").unwrap();
            if chunk.device.source.device == DeviceId(device) && !chunk.frames.is_empty() {
                return chunk.device.port.to_string();
            }
        }
    }
}

/// A plug with a name; pulled when it is dropped.
fn plug(path: &Path) -> File {
    let plug = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&plug).unwrap();
    unlockpt(&plug).unwrap();
    let name = ptsname(&plug, Vec::new()).unwrap();
    symlink(name.to_str().unwrap(), path).unwrap();
    File::from(plug)
}

/// Says it again until somebody has opened the port and heard.
async fn say_until_heard(ear: &mut Ear, plug: &mut File, device: u64) -> String {
    let words = [hello(device), data(1)].concat();
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        plug.write_all(&words).unwrap();
        let heard = tokio::time::timeout(Duration::from_millis(200), ear.hear(device)).await;
        match heard {
            Ok(port) => return port,
            Err(_) => assert!(tokio::time::Instant::now() < until, "nobody opens the port"),
        }
    }
}

#[tokio::test]
async fn a_port_that_fits_is_heard_when_it_is_plugged_in_and_under_another_name_again() {
    let (state, plugs) = (tempdir().unwrap(), tempdir().unwrap());
    let path = plugs.path().join("wardline").join("usb-*");
    let mut ear = Ear::open(Port::Serial { path, baud: 115_200 }, state.path());
    let folder = plugs.path().join("wardline");
    std::fs::create_dir(&folder).unwrap();
    let mut first = plug(&folder.join("usb-1"));
    let other = plug(&folder.join("tty-1"));
    assert!(say_until_heard(&mut ear, &mut first, 1).await.ends_with("usb-1"));
    drop((first, other));
    std::fs::remove_file(folder.join("usb-1")).unwrap();
    let mut second = plug(&folder.join("usb-2"));
    assert!(say_until_heard(&mut ear, &mut second, 2).await.ends_with("usb-2"));
}

#[tokio::test]
async fn a_device_that_babbles_is_slowed_down_and_the_others_are_heard() {
    let state = tempdir().unwrap();
    let socket = state.path().join("devices.sock");
    let mut ear = Ear::open(Port::Unix(socket.clone()), state.path());
    let connect = async || {
        loop {
            match UnixStream::connect(&socket).await {
                Ok(stream) => return stream,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let mut babbler = connect().await;
    let babble = tokio::spawn(async move {
        let mut words = hello(1);
        (1..4_000).for_each(|sequence| words.extend(data(sequence)));
        babbler.write_all(&words).await.unwrap();
        // A device that goes takes what is under way with it.
        std::future::pending::<()>().await;
    });
    let mut quiet = connect().await;
    quiet.write_all(&[hello(2), data(1)].concat()).await.unwrap();
    ear.hear(2).await;
    ear.hear(1).await;
    let now = MonotonicNanos(0);
    let complaints = ear.registry.complaints();
    let until = tokio::time::Instant::now() + PATIENCE;
    while complaints.words(Complaint::Babble, now).is_empty() {
        assert!(tokio::time::Instant::now() < until, "nobody complains");
        tokio::task::yield_now().await;
    }
    babble.abort();
}
