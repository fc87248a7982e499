//! `ward --attack`: what somebody does who means no good, one line an attack, and what was seen.

use anyhow::{Result, anyhow};

const WORDS: &str = "\
Somebody holds the network, a key, a card, the store. Agents, sink and keys are the real ones; what
is printed behind an arrow are the product's own words.";

/// Runs every attack; whether all were detected and no genuine reading is missing.
pub fn run() -> Result<bool> {
    println!("{WORDS}\n");
    let tour = rig::attack::tour().map_err(|why| anyhow!("the site of the attacks: {why}"))?;
    for told in &tour.attacks {
        let (verdict, seen) = match &told.outcome {
            Ok(seen) => ("detected", seen),
            Err(why) => ("BELIEVED", why),
        };
        println!("{verdict}  {:<18}  {} -> {seen}", told.name, told.did);
    }
    let detected = tour.attacks.iter().filter(|told| told.outcome.is_ok()).count();
    println!(
        "\n{detected} of {} attacks detected; {} genuine readings said, {} stored, {}",
        tour.attacks.len(),
        tour.said,
        tour.stored,
        if tour.is_whole { "each once and unaltered" } else { "NOT what was said" }
    );
    Ok(tour.is_good())
}
