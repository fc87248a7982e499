//! A recording of numerics as a monitor's HL7 messages.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cloud_sink::store::db::Db;
use rig::mllp::Sender;
use rig::site::{Intake, Plan, Programs, Site, free_port};
use rig::wfdb::{Record, Segment};
use wire::decimal::Decimal;
use wire::identity::DeviceId;
use wire::reading::ChannelKind;
use wire::time::Rate;

use crate::choice::BrokerChoice;
use crate::recording;

/// The monitor.
const DEVICE: DeviceId = DeviceId(0x0242_ACFF_FE0A_0C01);
const PATIENCE: Duration = Duration::from_secs(120);
/// What HL7 writes of a moment, nanoseconds.
const TICK_NS: i64 = 100_000;

/// One value: code, moment, mantissa, exponent.
type Said = (u32, i64, i64, i8);

/// Sends each frame of a recording as one message and exports the device in every format; whether
/// the store holds exactly what was said.
///
/// # Errors
/// The site fails, or the recording holds values that are no decimals.
pub async fn replay(
    record: &Record,
    start_ns: i64,
    broker: BrokerChoice,
    formats: &Path,
) -> Result<bool> {
    let port = free_port()?;
    let plan = Plan { broker: broker.kind(), intakes: vec![Intake::Hl7(port)], flush: None };
    let mut site = Site::prepare(Programs::build()?, &plan).await?;
    site.start_all(Duration::from_secs(15)).await?;
    let mut sender = Sender::connect(port).await?;
    let rate = Rate { numerator: record.rate.numerator, denominator: record.rate.denominator };
    let mut said = BTreeSet::new();
    for segment in &record.segments {
        for frame in 0..segment.length_frames {
            let at = rate.nanos_of(segment.first_frame + frame);
            let at_ns = (start_ns + at) / TICK_NS * TICK_NS;
            let (message, values) = message(record, segment, frame as usize, at_ns)?;
            let code = sender.ask(message.as_bytes()).await?;
            ensure!(code == "AA", "frame {frame} was answered {code}\n{}", site.last_words());
            said.extend(values);
        }
    }
    site.wait_for_receipts(PATIENCE).await?;
    super::export_all(&site, DEVICE, formats)?;
    let stored = stored(&site)?;
    println!("{} values of {} said in HL7, {} stored", said.len(), record.name, stored.len());
    Ok(stored == said)
}

fn stored(site: &Site) -> Result<BTreeSet<Said>> {
    let sql = "SELECT code, at_ns, mantissa, exponent
               FROM numeric JOIN series ON series.id = numeric.series WHERE mantissa IS NOT NULL";
    let db = Db::open(&site.location()?)?;
    let rows = db.rows(sql, &[])?;
    let row =
        |row: &cloud_sink::store::db::Row| Ok((row.at(0)?, row.at(1)?, row.at(2)?, row.at(3)?));
    rows.iter().map(row).collect()
}

/// One frame as an ORU^R01.
fn message(
    record: &Record,
    segment: &Segment,
    frame: usize,
    at_ns: i64,
) -> Result<(String, Vec<Said>)> {
    let moment = jiff::Timestamp::from_nanosecond(at_ns.into())?;
    let tenths = at_ns.rem_euclid(1_000_000_000) / TICK_NS;
    let time = format!("{}.{tenths:04}+0000", moment.strftime("%Y%m%d%H%M%S"));
    let mut text = format!(
        "MSH|^~\\&|MON^{DEVICE}^EUI-64|WARD|||{time}||ORU^R01^ORU_R01|{}-{frame}|P|2.6\r\
         PID|1||{}^^^MIMIC^PI\r\
         OBR|1|{frame}^M|{frame}^M|182777000^monitoring of patient^SCT|||{time}\r\
         OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||\
         ^^{DEVICE}^EUI-64\r",
        segment.first_frame, record.name
    );
    let mut values = Vec::new();
    for (at, channel) in recording::channels(record, segment)?.iter().enumerate() {
        let ChannelKind::Wave { gain, baseline, .. } = channel.kind else { continue };
        let sample = segment.channels[at].samples[frame];
        let value = sample.map(|sample| decimal(sample, baseline, gain)).transpose()?;
        let digits = value.map(|value| value.to_string()).unwrap_or_default();
        let result = if value.is_some() { "R" } else { "X" };
        text.push_str(&format!(
            "OBX|{}|NM|{}^MDC_{}^MDC|1.1.1.{at}|{digits}|{}^{}^MDC|||||{result}\r",
            at + 2,
            channel.code,
            channel.label,
            channel.unit,
            channel.unit_label,
        ));
        let said = |value: Decimal| (channel.code, at_ns, value.mantissa, value.exponent);
        values.extend(value.map(said));
    }
    Ok((text, values))
}

/// Physical value of a sample whose gain is a power of ten.
fn decimal(sample: i32, baseline: i32, gain: Decimal) -> Result<Decimal> {
    let mut power = gain.exponent;
    let mut rest = gain.mantissa;
    while rest > 1 && rest % 10 == 0 {
        (rest, power) = (rest / 10, power + 1);
    }
    ensure!(rest == 1, "a gain of {gain} makes no decimals");
    let mantissa = i64::from(sample) - i64::from(baseline);
    let exponent = power.checked_neg().context("a gain beyond all numbers")?;
    Ok(Decimal { mantissa, exponent })
}
