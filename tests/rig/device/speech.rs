//! Turns readings into link frames, and writes down what was said.

use anyhow::{Context, Result};
use wire::batch::ChannelInfo;
use wire::decimal::Number;
use wire::link::{DataWriter, Value, write_hello};
use wire::reading::{Alert, Channel, ChannelKind, Mode, Status};
use wire::time::DeviceClock;

use super::machine::Utterance;
use super::said::{Said, SaidAlert, SaidChannel};

/// What a device says about itself.
#[derive(Clone, Debug)]
pub struct About {
    /// Who it is.
    pub device: wire::identity::DeviceId,
    /// One tick is ten to this power of nanoseconds.
    pub tick_exponent: u8,
    /// What it is doing.
    pub mode: Mode,
    /// Maker, model, version.
    pub model: String,
}

/// Neighbouring channels in one wave entry: one sample of each always fits a frame.
const WAVES_TOGETHER_MAX: usize = 12;
/// Samples of each channel that are tried first.
const SAMPLES_FIRST: usize = 64;

/// One device's words.
///
/// Invariant: `said.channels[first..]` are the channels of the present introduction.
#[derive(Clone, Debug)]
pub struct Speech {
    about: About,
    said: Said,
    first: usize,
    samples_fit: usize,
    counts_only: bool,
}

impl Speech {
    /// A device that has said nothing.
    #[must_use]
    pub fn new(about: About) -> Self {
        let said = Said::new(about.device);
        Self { about, said, first: 0, samples_fit: SAMPLES_FIRST, counts_only: false }
    }

    /// Writes down how many values are said from now on, and not which: hours of them fit.
    pub fn count_only(&mut self) {
        self.counts_only = true;
    }

    /// What was said so far.
    #[must_use]
    pub fn said(&self) -> &Said {
        &self.said
    }

    /// What was said in all.
    #[must_use]
    pub fn into_said(self) -> Said {
        self.said
    }

    /// A new run with these channels.
    ///
    /// # Errors
    /// One channel alone does not fit a frame, or there are more parts than a hello can have.
    pub fn introduce(&mut self, boot: u32, channels: &[ChannelInfo]) -> Result<Utterance> {
        self.first = self.said.channels.len();
        let said = if self.counts_only { SaidChannel::counted } else { SaidChannel::new };
        self.said.channels.extend(channels.iter().cloned().map(said));
        let channels: Vec<Channel<'_>> = channels.iter().map(borrowed).collect();
        let about = (
            self.about.device,
            DeviceClock::UtcSynchronised,
            self.about.tick_exponent,
            self.about.mode,
        );
        let mut spans = Vec::new();
        let mut from = 0;
        while from < channels.len() || spans.is_empty() {
            // As if there were 255 parts: a larger number could take a byte more.
            let fits = |to: &usize| {
                let first = from as u16;
                let part =
                    write_hello(about, u8::MAX, &self.about.model, first, &channels[from..*to]);
                part.is_some()
            };
            let to = (from..=channels.len()).rev().find(fits).context("the model is too long")?;
            anyhow::ensure!(to > from || channels.is_empty(), "a channel does not fit a frame");
            spans.push(from..to);
            from = to;
        }
        let parts = u8::try_from(spans.len()).context("too many channels for one hello")?;
        let part = |span: std::ops::Range<usize>| {
            let first = span.start as u16;
            let room = write_hello(about, parts, &self.about.model, first, &channels[span])?;
            Some(room.as_slice().into())
        };
        let hello: Option<Vec<Box<[u8]>>> = spans.into_iter().map(part).collect();
        Ok(Utterance::Introduce { boot, hello: hello.context("a hello part grew")? })
    }

    /// Numerics of neighbouring channels at one moment.
    ///
    /// # Errors
    /// A value does not fit a frame.
    pub fn numerics(
        &mut self,
        time_ns: i64,
        channel: usize,
        numbers: &[(Number, Status)],
    ) -> Result<Vec<Utterance>> {
        let mut utterances = Vec::new();
        let mut rest = channel..channel + numbers.len();
        while !rest.is_empty() {
            let mut end = rest.end;
            let payload = loop {
                anyhow::ensure!(end > rest.start, "a numeric does not fit a frame");
                let values: Vec<Value> =
                    (rest.start..end).map(|at| self.plain(at, numbers[at - channel])).collect();
                let mut writer = self.writer(time_ns);
                if writer.numerics(rest.start as u16, &values) {
                    break writer.finish();
                }
                end = rest.start + (end - rest.start) / 2;
            };
            utterances.push(Utterance::Data(payload.as_slice().into()));
            rest.start = end;
        }
        for (channel, (number, status)) in
            self.said.channels[self.first + channel..].iter_mut().zip(numbers)
        {
            channel.numeric(time_ns, *number, *status);
        }
        Ok(utterances)
    }

    /// Samples of neighbouring channels of one rate; `origin_ns` is when sample 0 was.
    ///
    /// # Errors
    /// The channels have no rate, or a sample does not fit a frame.
    pub fn waves(
        &mut self,
        channel: usize,
        origin_ns: i64,
        sample_first: u64,
        samples: &[&[Option<i32>]],
    ) -> Result<Vec<Utterance>> {
        let mut utterances = Vec::new();
        for (at, group) in samples.chunks(WAVES_TOGETHER_MAX).enumerate() {
            let channel = channel + at * WAVES_TOGETHER_MAX;
            let rate = self.said.channels[self.first + channel].rate();
            let rate = rate.context("the channel is no wave")?;
            let count = group.first().map_or(0, |samples| samples.len());
            let mut from = 0;
            while from < count {
                let first = sample_first + from as u64;
                let mut to = count.min(from + self.samples_fit);
                let payload = loop {
                    let part: Vec<_> = group.iter().map(|samples| &samples[from..to]).collect();
                    let mut writer = self.writer(origin_ns + rate.nanos_of(first));
                    if writer.wave(channel as u16, first, 0, &part) {
                        break writer.finish();
                    }
                    self.samples_fit = ((to - from) * 7 / 8).max(1);
                    anyhow::ensure!(to > from + 1, "a sample does not fit a frame");
                    to = from + self.samples_fit;
                };
                utterances.push(Utterance::Data(payload.as_slice().into()));
                from = to;
                self.samples_fit += self.samples_fit / 16 + 1;
            }
            for (said, samples) in self.said.channels[self.first + channel..].iter_mut().zip(group)
            {
                said.wave(origin_ns, sample_first, 0, samples);
            }
        }
        Ok(utterances)
    }

    /// An alert.
    ///
    /// # Errors
    /// Its text does not fit a frame.
    pub fn alert(&mut self, time_ns: i64, alert: &Alert<'_>) -> Result<Utterance> {
        let mut writer = self.writer(time_ns);
        anyhow::ensure!(writer.alert(alert), "the alert does not fit a frame");
        self.said.alerts.push(SaidAlert {
            time_ns,
            code: alert.code,
            source: alert.source,
            levels: [alert.phase, alert.state, alert.priority],
            text: alert.text.to_owned(),
        });
        Ok(Utterance::Data(writer.finish().as_slice().into()))
    }

    fn writer(&self, time_ns: i64) -> DataWriter {
        DataWriter::new(time_ns.div_euclid(10i64.pow(self.about.tick_exponent.into())))
    }

    /// A plain mantissa where that says it all.
    fn plain(&self, channel: usize, (number, status): (Number, Status)) -> Value {
        match (self.said.channels[self.first + channel].info.kind, number) {
            (ChannelKind::Numeric { exponent }, Number::Is(decimal))
                if decimal.exponent == exponent && status == 0 =>
            {
                Ok(decimal.mantissa)
            }
            _ => Err((number, status)),
        }
    }
}

fn borrowed(info: &ChannelInfo) -> Channel<'_> {
    Channel {
        code: info.code,
        unit: info.unit,
        kind: info.kind,
        label: &info.label,
        unit_label: &info.unit_label,
    }
}
