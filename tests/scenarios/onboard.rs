//! Sensors on the gateway's own bus: the driver, ring and frames of a device, in the agent.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent::config::{Onboard, SensorKind};
use agent::intake::onboard::{Outlet, measure};
use agent::intake::{Chunk, Registry};
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use firmware_shim::sensor::tmp117::Tmp117;
use rig::uart::carry_ecg;
use tempfile::tempdir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use wire::identity::DeviceId;
use wire::link::{Entries, Entry, Value};

const ADDRESS: u8 = 0x48;
const PATIENCE: Duration = Duration::from_secs(20);

/// A TMP117 that feels what a test says, or is pulled out.
#[derive(Clone, Default)]
struct Bus(Arc<Mutex<Chip>>);

#[derive(Default)]
struct Chip {
    pointer: u8,
    settings: u16,
    /// 1/128 °C; none: nobody answers.
    felt: Option<i16>,
}

impl Bus {
    fn feel(&self, felt: Option<i16>) {
        self.0.lock().unwrap().felt = felt;
    }
}

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    fn transaction(&mut self, at: u8, steps: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        let mut chip = self.0.lock().unwrap();
        let felt = chip.felt.filter(|_| at == ADDRESS);
        let nobody = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let felt = felt.ok_or(nobody)?;
        for step in steps {
            match step {
                Operation::Write([pointer]) => chip.pointer = *pointer,
                Operation::Write([1, high, low]) => {
                    chip.settings = u16::from_be_bytes([*high, *low]);
                }
                Operation::Read(bytes) => {
                    let register = match chip.pointer {
                        0 => felt.cast_unsigned(),
                        1 => chip.settings | 1 << 13,
                        _ => 0x0117,
                    };
                    bytes.copy_from_slice(&register.to_be_bytes());
                }
                Operation::Write(_) => return Err(ErrorKind::Other),
            }
        }
        Ok(())
    }
}

/// A gateway's end of the sensor.
struct Ear {
    runtime: Runtime,
    chunks: mpsc::Receiver<Chunk>,
    thread: std::thread::JoinHandle<()>,
}

impl Ear {
    fn open(bus: Bus, folder: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let (line, chunks) = mpsc::channel(64);
        let (registry, folder) = (Registry::default(), folder.to_owned());
        let outlet = Outlet { registry, line, runtime: runtime.handle().clone(), folder };
        let onboard = Onboard {
            sensor: SensorKind::Tmp117,
            bus: "/dev/i2c-1".into(),
            address: ADDRESS,
            every_ms: Some(5),
            device: DeviceId(7),
            shunt_milliohms: 100,
            ready: None,
        };
        let thread = std::thread::spawn(move || {
            measure((Tmp117::new(ADDRESS), bus), &onboard, &outlet).unwrap();
        });
        Self { runtime, chunks, thread }
    }

    /// Hears until this is said; the run's number. What was heard is durable at once.
    fn hear(&mut self, wanted: impl Fn(&Value) -> bool) -> u32 {
        loop {
            let next = async { tokio::time::timeout(PATIENCE, self.chunks.recv()).await };
            let chunk = self.runtime.block_on(next).expect("nothing is said").unwrap();
            for frame in &chunk.frames {
                chunk.run.is_durable_to(frame.sequence);
                let entries = Entries::read(&chunk.bytes[frame.start..frame.end]);
                for entry in entries.into_iter().flatten() {
                    let Entry::Numerics(numerics) = entry else { continue };
                    if numerics.values().any(|value| wanted(&value)) {
                        return chunk.device.source.boot.0;
                    }
                }
            }
        }
    }

    fn close(self) {
        drop(self.chunks);
        self.thread.join().unwrap();
    }
}

#[test]
fn a_sensor_on_our_own_bus_is_heard_like_a_device() {
    let (bus, folder) = (Bus::default(), tempdir().unwrap());
    let mut ear = Ear::open(bus.clone(), folder.path());
    let first = ear.hear(Result::is_err);
    assert_ne!(first, 0, "nobody answers, and that is said");
    bus.feel(Some(4_672));
    ear.hear(|value| *value == Ok(365_000_000));
    bus.feel(Some(-128));
    ear.hear(|value| *value == Ok(-10_000_000));
    bus.feel(None);
    ear.hear(Result::is_err);
    ear.close();
    bus.feel(Some(4_672));
    let mut ear = Ear::open(bus, folder.path());
    let next = ear.hear(|value| *value == Ok(365_000_000));
    assert_eq!(next, first + 1, "the next run has the next number");
    ear.close();
}

#[tokio::test(flavor = "current_thread")]
async fn a_line_of_a_megabit_carries_three_leads_at_500_hertz_without_loss() {
    let carried = carry_ecg(1_000_000, 60).await.unwrap();
    // What was given in the last moment is still on its way.
    let behind = carried.given - carried.came;
    assert!(behind <= 96 && carried.gaps == 0, "{carried:?}");
    assert!(carried.given == 3 * 500 * 60 - 48, "{carried:?}");
    let slow = carry_ecg(19_200, 60).await.unwrap();
    assert!(slow.gaps > 0, "a line that is too slow loses, and says so: {slow:?}");
}
