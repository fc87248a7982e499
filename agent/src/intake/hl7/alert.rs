//! Alerts as IHE PCD-04 sends them: seven facets in order, each an observation of its own.

use super::message::{Refusal, Segment};
use super::observe::{What, coded};
use super::time::Written;

/// `MDC_EVT_ALARM`: the event's own code stands in OBX-5.
const EVENT: u32 = 196_616;
/// `MDC_ATTR_ALERT_SOURCE`: the source's code stands in OBX-5.
const SOURCE: u32 = 68_480;

/// What stands of one alert.
#[derive(Debug, Default)]
pub(super) struct Facets {
    /// OBX-4 of its newest facet, and where that stands.
    channel: String,
    place: String,
    time: Option<Written>,
    event: Option<(u32, String)>,
    source: u32,
    value: Option<What>,
    phase: Option<u8>,
    state: u8,
    priority: u8,
    /// Anything but enabled.
    inactivation: String,
}

/// A whole alert: an OBX-4 of it, its time, and what it says.
type Whole = (String, Option<Written>, Vec<What>);

impl Facets {
    /// Whether a row begins another alert than the one that stands here: OBX-4 is the same but for
    /// its last number in all facets of one.
    pub(super) fn is_another(&self, row: &Segment<'_>) -> bool {
        let of = |place: &str| place.rsplit_once('.').map(|(of, _)| of.to_owned());
        let is_event = row.field(4).rsplit('.').next() == Some("1");
        !self.place.is_empty()
            && (of(row.field(4)) != of(&self.channel) || is_event && self.event.is_some())
    }

    /// Takes one facet; `what` is what the row says by itself.
    pub(super) fn take(
        &mut self,
        row: &Segment<'_>,
        own: Option<Written>,
        what: Option<What>,
    ) -> Result<(), Refusal> {
        row.field(4).clone_into(&mut self.channel);
        self.place = row.place(4);
        match row.field(4).rsplit('.').next() {
            Some("1") => {
                self.event = Some(event(row)?);
                self.time = own;
            }
            Some("2") => match (coded(row, 3), what) {
                (Some((SOURCE, _)), _) => self.source = row.component(5, 1).parse().unwrap_or(0),
                (named, value) => {
                    self.source = named.map_or(self.source, |(code, _)| code);
                    self.value = value;
                }
            },
            Some("3") => self.phase = Some(phase(row)?),
            Some("4") => self.state = state(row)?,
            Some("5") => {
                let said = row.repetitions(5).filter(|said| !matches!(*said, "" | "enabled"));
                self.inactivation = said.collect::<Vec<_>>().join(", ");
            }
            Some("6") => self.priority = priority(row)?,
            // The kind follows from the event and the priority.
            Some("7") => {}
            _ => return Err(Refusal::error(row.place(4), "an alert has the facets 1 to 7")),
        }
        Ok(())
    }

    /// The alert, if there was one.
    pub(super) fn finish(self) -> Result<Option<Whole>, Refusal> {
        if self.place.is_empty() {
            return Ok(None);
        }
        let (code, mut text) = self
            .event
            .ok_or_else(|| Refusal::error(&self.place, "an alert has no first facet, its event"))?;
        let phase = self
            .phase
            .ok_or_else(|| Refusal::error(self.place, "an alert has no third facet, its phase"))?;
        if !self.inactivation.is_empty() {
            text = format!("{text} [{}]", self.inactivation);
        }
        let alert = What::Alert(code, self.source, [phase, self.state, self.priority], text);
        let all = self.value.into_iter().chain([alert]).collect();
        Ok(Some((self.channel, self.time, all)))
    }
}

/// Code and words of the event: physiological ones have their code in OBX-3, technical ones in
/// OBX-5.
fn event(row: &Segment<'_>) -> Result<(u32, String), Refusal> {
    let text = |number| row.unescaped(row.component(5, number)).into_owned();
    match coded(row, 3) {
        Some((EVENT, _)) => {
            let code = row.component(5, 1).parse().map_err(|_| {
                Refusal::error(row.place(5), "holds the code of the event, as 196882^REFID^MDC")
            })?;
            let words = [9, 2].map(text).into_iter().find(|text| !text.is_empty());
            Ok((code, words.unwrap_or_default()))
        }
        Some((code, _)) => Ok((code, row.unescaped(row.field(5)).into_owned())),
        None => Err(Refusal::error(row.place(3), "holds the MDC code of the event")),
    }
}

fn phase(row: &Segment<'_>) -> Result<u8, Refusal> {
    let all = ["start", "continue", "update", "escalate", "deescalate", "end", "reset"];
    one_of(row, &all)
}

fn state(row: &Segment<'_>) -> Result<u8, Refusal> {
    one_of(row, &["inactive", "active", "latched"])
}

fn priority(row: &Segment<'_>) -> Result<u8, Refusal> {
    one_of(row, &["PN", "PL", "PM", "PH"])
}

/// The place of OBX-5 among words, in any case.
fn one_of(row: &Segment<'_>, all: &[&str]) -> Result<u8, Refusal> {
    let said = row.component(5, 1);
    let at = all.iter().position(|word| word.eq_ignore_ascii_case(said));
    let at = at.and_then(|at| u8::try_from(at).ok());
    at.ok_or_else(|| Refusal::error(row.place(5), format!("holds one of {}", all.join(", "))))
}
