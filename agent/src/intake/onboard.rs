//! Sensors on the gateway's own buses: the same drivers, ring and frames as on a device of its own,
//! in a thread for each.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use embedded_io::{ErrorType, Write};
use firmware_shim::about::About;
use firmware_shim::sampler::Sampler;
use firmware_shim::sender::Sender;
use firmware_shim::sensor::{
    Blocking, Sensor, ads1292r, block_on, bme280, ds3231, ina219, lm75, max30102, mlx90614, tmp117,
};
use linux_embedded_hal::gpio_cdev::{self, LineRequestFlags};
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{CdevPin, I2cdev, SpidevDevice};
use tokio::sync::mpsc;
use wire::reading::Mode;

use super::link::Session;
use super::runs::next_run;
use super::{Chunk, Registry};
use crate::clock::Clock;
use crate::config::{Onboard, SensorKind};
use crate::seal::keep;

/// What waits while nothing can be stored: minutes of ECG.
const RING_BYTES: usize = 64 * 1024;
/// Between two attempts to open a bus, and two words about a fault.
const AGAIN: Duration = Duration::from_secs(10);
/// Longest wait for an acknowledgement while nothing is due.
const WAIT_MS: u32 = 50;
/// The fastest that an ADS1292R takes: 8 microseconds a byte.
const SPI_HERTZ: u32 = 900_000;

/// Where the numbers of runs are kept.
#[must_use]
pub fn folder(state: &Path) -> PathBuf {
    state.join("onboard")
}

/// Why a sensor cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OnboardError {
    /// The bus.
    #[error("{path}: {error}; is the bus switched on, and may we use it?")]
    Bus {
        /// Its file.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// The number of the run cannot be kept: without it, nothing may be said.
    #[error(transparent)]
    Boot(#[from] keep::KeepError),
}

/// Bytes on their way to the session.
#[derive(Default)]
struct Words(Vec<u8>);

impl ErrorType for Words {
    type Error = Infallible;
}

impl Write for Words {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Where readings go.
pub struct Outlet {
    /// What sessions know.
    pub registry: Registry,
    /// The line.
    pub line: mpsc::Sender<Chunk>,
    /// Runs the session's waiting.
    pub runtime: tokio::runtime::Handle,
    /// Where the numbers of runs are kept.
    pub folder: PathBuf,
}

/// Reads one sensor until the line ends; a bus that is not there is waited for.
pub fn serve(onboard: &Onboard, outlet: &Outlet) {
    let mut reported = false;
    while !outlet.line.is_closed() {
        match read(onboard, outlet) {
            Ok(()) => return,
            Err(error) if !std::mem::replace(&mut reported, true) => {
                tracing::error!(sensor = ?onboard.sensor, %error, "a sensor cannot be read");
            }
            Err(_) => {}
        }
        std::thread::sleep(AGAIN);
    }
}

fn read(onboard: &Onboard, outlet: &Outlet) -> Result<(), OnboardError> {
    use lm75::Resolution::{Eleven, Nine, Twelve};
    let at = onboard.address;
    if onboard.sensor == SensorKind::Ads1292r {
        let pin = ready_pin(onboard)?;
        return measure((ads1292r::Ads1292r::new(pin), spi(&onboard.bus)?), onboard, outlet);
    }
    let path = || onboard.bus.clone();
    let bus = I2cdev::new(&onboard.bus)
        .map_err(|error| OnboardError::Bus { path: path(), error: error.to_string() })?;
    match onboard.sensor {
        SensorKind::Tmp105 => measure((lm75::Lm75::new(at, Twelve), bus), onboard, outlet),
        SensorKind::Lm75 => measure((lm75::Lm75::new(at, Nine), bus), onboard, outlet),
        SensorKind::Lm75b => measure((lm75::Lm75::new(at, Eleven), bus), onboard, outlet),
        SensorKind::Tmp117 => measure((tmp117::Tmp117::new(at), bus), onboard, outlet),
        SensorKind::Mlx90614 => measure((mlx90614::Mlx90614::new(at), bus), onboard, outlet),
        SensorKind::Bme280 => measure((bme280::Bme280::new(at), bus), onboard, outlet),
        SensorKind::Ina219 => {
            let sensor = ina219::Ina219::new(at, onboard.shunt_milliohms);
            measure((sensor, bus), onboard, outlet)
        }
        SensorKind::Ds3231 => measure((ds3231::Ds3231, bus), onboard, outlet),
        SensorKind::Max30102 | SensorKind::Ads1292r => {
            measure((max30102::Max30102::default(), bus), onboard, outlet)
        }
    }
}

fn spi(path: &Path) -> Result<SpidevDevice, OnboardError> {
    let wrong = |error: String| OnboardError::Bus { path: path.to_owned(), error };
    let mut bus = SpidevDevice::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut options = SpidevOptions::new();
    options.max_speed_hz(SPI_HERTZ).mode(SpiModeFlags::SPI_MODE_1);
    bus.configure(&options).map_err(|error| wrong(error.to_string()))?;
    Ok(bus)
}

fn ready_pin(onboard: &Onboard) -> Result<CdevPin, OnboardError> {
    let (path, number) = onboard.ready.clone().unwrap_or_default();
    let open = || {
        let line = gpio_cdev::Chip::new(&path)?.get_line(number)?;
        CdevPin::new(line.request(LineRequestFlags::INPUT, 0, "wardline")?)
    };
    open().map_err(|error: gpio_cdev::Error| OnboardError::Bus {
        path: path.clone(),
        error: error.to_string(),
    })
}

/// Reads a sensor and says what it gives, until the line ends.
///
/// # Errors
/// [`OnboardError`]: the run has no number.
pub fn measure<B, S>(
    (mut sensor, bus): (S, B),
    onboard: &Onboard,
    outlet: &Outlet,
) -> Result<(), OnboardError>
where
    S: Sensor<Blocking<B>>,
{
    let boot = next_run(&outlet.folder, &onboard.device.to_string())?;
    let (clock, mut bus) = (Clock::new(), Blocking(bus));
    let began = clock.now();
    let now = || (clock.now() - began).as_millis() as u32;
    let about = About {
        device: onboard.device,
        model: "onboard",
        firmware: env!("CARGO_PKG_VERSION"),
        is_counted: true,
        mode: Mode::Normal,
        channels: sensor.channels(),
    };
    let mut sender = Box::new(Sender::<RING_BYTES>::new(about, boot, now()));
    let sampler = Sampler::new::<Blocking<B>, _>(&sensor, 0, now());
    let mut sampler = onboard.every_ms.map_or(sampler, |every| sampler.every(every));
    let port = format!("{} {:#04x}", onboard.bus.display(), onboard.address);
    let mut session = Session::new(outlet.registry.trusting()).at(port.as_str().into());
    let mut last_fault = None;
    while !outlet.line.is_closed() {
        let moment = (now(), sender.time(now()));
        if sampler.is_due(moment.0) {
            let chip = (&mut sensor, &mut bus);
            let (_, result) = block_on(sampler.sample(moment, chip, &mut sender.ring));
            if result.err() != std::mem::replace(&mut last_fault, result.err())
                && let Err(error) = result
            {
                tracing::warn!(port, %error, "a sensor gives nothing");
            }
        }
        let mut words = Words::default();
        while let Ok(true) = sender.send(&mut words, now()) {}
        if !words.0.is_empty() {
            let push = session.push(&words.0, clock.monotonic(), &outlet.line);
            sender.hear(&outlet.runtime.block_on(push).unwrap_or_default(), now());
        }
        sender.hear(&said_now(session.next_ack()), now());
        // A chip that keeps one sample is looked at to the fraction of a millisecond.
        let due_ms = now().wrapping_add(sampler.due_in(now()).min(WAIT_MS));
        let due = began + Duration::from_millis(due_ms.into());
        std::thread::sleep(due.saturating_duration_since(clock.now()));
    }
    Ok(())
}

/// What there is to be told now, if there is anything.
fn said_now(ack: impl Future<Output = Vec<u8>>) -> Vec<u8> {
    match pin!(ack).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ack) => ack,
        Poll::Pending => Vec::new(),
    }
}
