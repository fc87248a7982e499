//! An emulated board: real firmware in QEMU, with its sensor, its line and its mirror at hand.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::site::Process;

/// One reading that the firmware took, as it says on its mirror.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Taken {
    /// The board's run.
    pub boot: u32,
    /// Number in that run.
    pub sequence: u32,
    /// The board's own time, milliseconds.
    pub ticks: i64,
    /// Ten-thousandths of a °C; none if the sensor gave nothing.
    pub mantissa: Option<i64>,
    /// The firmware's own number of the reading, which is stored with it.
    pub number: Option<i64>,
}

/// A running board; it ends with its guard.
pub struct Board {
    process: Process,
    monitor: Monitor,
    mirror: UnixStream,
    /// What the mirror has said of a line that has not ended.
    rest: Vec<u8>,
}

/// The emulator's control socket (QMP).
struct Monitor {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

/// For a socket of the emulator to be there, and for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks for a socket.
const LOOK: Duration = Duration::from_millis(20);
/// The emulator keeps an EEPROM in whole sectors.
const EEPROM_BYTES: usize = 512;

impl Monitor {
    async fn ask(&mut self, command: &Value) -> Result<()> {
        self.writer.write_all(format!("{command}\n").as_bytes()).await?;
        loop {
            // The greeting and events are neither answer nor error.
            let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
            let line = line.context("the emulator is silent")??.context("it has hung up")?;
            let answer: Value = serde_json::from_str(&line)?;
            if let Some(error) = answer.get("error") {
                bail!("{command}: {error}");
            }
            if answer.get("return").is_some() {
                return Ok(());
            }
        }
    }
}

async fn connect(path: &Path) -> Result<UnixStream> {
    let until = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(path).await {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() > until => bail!("{}: {error}", path.display()),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

fn emulator(firmware: &Path, folder: &Path, link: &Path) -> Command {
    let socket = |id: &str, path: &Path, side: &str| {
        format!("socket,id={id},path={},server={side}", path.display())
    };
    let mut command = Command::new("qemu-system-arm");
    command.args(["-M", "lm3s6965evb", "-display", "none", "-monitor", "none"]);
    command.args(["-nic", "none", "-S"]);
    // The gateway listens; it may come later than the board, and go.
    command.args(["-chardev", &socket("link", link, "off,reconnect-ms=100")]);
    command.args(["-chardev", &socket("mirror", &folder.join("mirror.sock"), "on,wait=off")]);
    command.args(["-serial", "chardev:link", "-serial", "chardev:mirror"]);
    command.args(["-chardev", &socket("monitor", &folder.join("monitor.sock"), "on,wait=off")]);
    command.args(["-mon", "chardev=monitor,mode=control"]);
    command.args(["-device", "tmp105,id=t0,address=0x48"]);
    let cells = folder.join("eeprom");
    command.args(["-drive", &format!("file={},if=none,id=cells,format=raw", cells.display())]);
    let chip = format!("at24c-eeprom,address=0x50,rom-size={EEPROM_BYTES},address-size=1");
    command.args(["-device", &format!("{chip},drive=cells")]);
    command.arg("-kernel").arg(firmware);
    command
}

/// Where the firmware keeps its key.
const KEY_AT: usize = 32;

/// Writes a key into the EEPROM of a board that is in `folder`, before its first start.
///
/// # Errors
/// The file cannot be written.
pub fn give_key(folder: &Path, key: &[u8; 32]) -> Result<()> {
    let mut cells = [0xFF; EEPROM_BYTES];
    cells[KEY_AT..KEY_AT + key.len()].copy_from_slice(key);
    Ok(std::fs::write(folder.join("eeprom"), cells)?)
}

impl Board {
    /// Starts it with its processor at rest; its UART 0 goes to the socket `link`. Its EEPROM and
    /// its sockets are in `folder`.
    ///
    /// # Errors
    /// The emulator is missing, or refuses.
    pub async fn start(firmware: &Path, folder: &Path, link: &Path) -> Result<Self> {
        let (monitor, mirror) = (folder.join("monitor.sock"), folder.join("mirror.sock"));
        // Those of a board that was killed would take a connection and never answer.
        for path in [&monitor, &mirror].into_iter().filter(|path| path.exists()) {
            std::fs::remove_file(path)?;
        }
        let cells = folder.join("eeprom");
        if !cells.exists() {
            std::fs::write(&cells, [0xFF; EEPROM_BYTES])?;
        }
        let command = emulator(firmware, folder, link);
        let process = Process::start("the board", command, &folder.join("board.log"))?;
        let (reader, writer) = connect(&monitor).await?.into_split();
        let mut monitor = Monitor { lines: BufReader::new(reader).lines(), writer };
        monitor.ask(&json!({"execute": "qmp_capabilities"})).await?;
        Ok(Self { process, monitor, mirror: connect(&mirror).await?, rest: Vec::new() })
    }

    /// Makes its thermometer feel a temperature, thousandths of a °C.
    ///
    /// # Errors
    /// The emulator does not answer.
    pub async fn feel(&mut self, millidegrees: i64) -> Result<()> {
        let path = "/machine/peripheral/t0";
        let what = json!({"path": path, "property": "temperature", "value": millidegrees});
        self.monitor.ask(&json!({"execute": "qom-set", "arguments": what})).await
    }

    /// Lets its processor run.
    ///
    /// # Errors
    /// The emulator does not answer.
    pub async fn go_on(&mut self) -> Result<()> {
        self.monitor.ask(&json!({"execute": "cont"})).await
    }

    /// What it takes next, one reading or several.
    ///
    /// # Errors
    /// It says nothing for ten seconds.
    pub async fn take(&mut self) -> Result<Vec<Taken>> {
        loop {
            let read = tokio::time::timeout(PATIENCE, self.mirror.read_buf(&mut self.rest)).await;
            if read.context("the board is silent")?? == 0 {
                bail!("the board has ended");
            }
            let taken = self.whole_lines();
            if !taken.is_empty() {
                return Ok(taken);
            }
        }
    }

    /// Pulls its plug; what it had said until then.
    ///
    /// # Errors
    /// The system does not let us.
    pub async fn kill(mut self) -> Result<Vec<Taken>> {
        self.process.kill()?;
        self.mirror.read_to_end(&mut self.rest).await?;
        Ok(self.whole_lines())
    }

    /// Lines with their end: of one that was cut off nobody knows the number.
    fn whole_lines(&mut self) -> Vec<Taken> {
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.rest.drain(..end).collect();
        String::from_utf8_lossy(&lines).lines().filter_map(read_line).collect()
    }
}

/// `took BOOT SEQUENCE TICKS MANTISSA NUMBER`, the last two `-` where there is no value.
fn read_line(line: &str) -> Option<Taken> {
    let words: Vec<&str> = line.strip_prefix("took ")?.split(' ').collect();
    let [boot, sequence, ticks, mantissa, number] = words[..] else { return None };
    Some(Taken {
        boot: boot.parse().ok()?,
        sequence: sequence.parse().ok()?,
        ticks: ticks.parse().ok()?,
        mantissa: mantissa.parse().ok(),
        number: number.parse().ok(),
    })
}

/// What a TMP105 of twelve bits makes of a temperature, ten-thousandths of a °C: the emulator cuts
/// to 1/256 °C towards 0, the chip to 1/16 °C downwards.
#[must_use]
pub fn mantissa_of(millidegrees: i64) -> i64 {
    (millidegrees * 256 / 1000).div_euclid(16) * 625
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_is_what_the_chip_makes_of_it() {
        let felt = [36_600, 39_250, -12_345, 0].map(mantissa_of);
        assert_eq!(felt, [365_625, 392_500, -123_750, 0]);
    }

    #[test]
    fn a_line_of_the_mirror_is_read_as_it_was_meant() {
        let (mantissa, number) = (Some(-625), Some(7_000_012));
        let taken = Taken { boot: 7, sequence: 12, ticks: 11_000, mantissa, number };
        assert_eq!(read_line("took 7 12 11000 -625 7000012"), Some(taken));
        let none = Taken { mantissa: None, number: None, ..taken };
        assert_eq!(read_line("took 7 12 11000 - -"), Some(none));
        assert_eq!(read_line("took 7 12"), None);
        assert_eq!(read_line("no boot"), None);
    }
}
