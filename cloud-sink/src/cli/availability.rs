//! `wardline-sink availability`: how much of a month gateways and their feeds were up.

use serde::Serialize;

use super::{Failure, ListArg, table};
use crate::availability::{self, Delay, Month, Service, Share};
use crate::clock;

/// Shows in how much of a month each gateway was up and its feed came at once: share, failures,
/// mean time between them and to restoration, and how long readings took.
#[derive(Debug, clap::Args)]
pub struct Availability {
    #[command(flatten)]
    how: ListArg,
    /// The month, as 2026-11; this one without it.
    #[arg(long)]
    month: Option<Month>,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    gateways: Vec<Service>,
}

impl Availability {
    pub(super) fn run(self) -> Result<(), Failure> {
        let now = clock::now();
        let this =
            || Month::at(now).ok_or_else(|| anyhow::anyhow!("the clock is off: say --month"));
        let month = self.month.map_or_else(this, Ok)?;
        let gateways = availability::read(&self.how.store()?, None, month, now)?;
        if self.how.json {
            println!("{}", serde_json::to_string(&Listing { schema: 1, gateways })?);
        } else {
            show(&gateways);
        }
        Ok(())
    }
}

fn show(gateways: &[Service]) {
    let mut rows = table([
        "gateway",
        "ward",
        "month",
        "hours",
        "up",
        "failures",
        "MTBF",
        "MTTR",
        "feed up",
        "failures",
        "MTBF",
        "MTTR",
        "live p50 p95 p99",
        "backlog p50 p95 p99",
    ]);
    for one in gateways {
        let [up, failures, between, restored] = share(&one.gateway_up, one.minutes);
        let [feed, feed_failures, feed_between, feed_restored] = share(&one.feed_up, one.minutes);
        rows.add_row([
            one.gateway.clone(),
            one.ward.clone().unwrap_or_default(),
            one.month.clone(),
            (one.minutes / 60).to_string(),
            up,
            failures,
            between,
            restored,
            feed,
            feed_failures,
            feed_between,
            feed_restored,
            delay(&one.live_delay),
            delay(&one.backlog_delay),
        ]);
    }
    println!("{rows}");
}

/// Share, failures, and both mean times in words.
fn share(share: &Share, minutes: u64) -> [String; 4] {
    let mean = |mean: Option<f64>| mean.map(length).unwrap_or_default();
    [
        thousandths(share.up_minutes, minutes),
        share.failures.to_string(),
        mean(share.mtbf_minutes),
        mean(share.mttr_minutes),
    ]
}

/// Percent with three places, never rounded up to a whole.
fn thousandths(part: u64, all: u64) -> String {
    let share = (part * 100_000).checked_div(all);
    share.map(|share| format!("{}.{:03} %", share / 1000, share % 1000)).unwrap_or_default()
}

/// Minutes in the unit in which a person says them.
fn length(minutes: f64) -> String {
    match minutes {
        under if under < 120.0 => format!("{under:.0} min"),
        under if under < 48.0 * 60.0 => format!("{:.1} h", under / 60.0),
        more => format!("{:.1} d", more / 1440.0),
    }
}

fn delay(delay: &Delay) -> String {
    let one = |limit: Option<i64>| match limit {
        Some(limit) if limit < 60_000 => format!("{} s", limit as f64 / 1000.0),
        Some(limit) => length(limit as f64 / 60_000.0),
        None => "over a day".into(),
    };
    if delay.readings == 0 {
        return String::new();
    }
    [delay.p50_ms, delay.p95_ms, delay.p99_ms].map(one).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_lengths_read_as_people_say_them() {
        assert_eq!(thousandths(999_999, 1_000_000), "99.999 %");
        assert_eq!(thousandths(0, 0), "");
        assert_eq!(
            [4.0, 90.0, 600.0, 20_000.0].map(length),
            ["4 min", "90 min", "10.0 h", "13.9 d"]
        );
        let some = Delay { readings: 3, p50_ms: Some(250), p95_ms: Some(900_000), p99_ms: None };
        assert_eq!(delay(&some), "0.25 s, 15 min, over a day");
    }
}
