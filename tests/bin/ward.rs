//! `ward`: simulated beds, recordings and mishaps around the real line. Without a subcommand it
//! runs the demo.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[path = "../ward/attack.rs"]
mod attack;
#[path = "../ward/bench.rs"]
mod bench;
#[path = "../ward/board.rs"]
mod board;
#[path = "../ward/broker.rs"]
mod broker;
#[path = "../ward/chaos.rs"]
mod chaos;
#[path = "../ward/choice.rs"]
mod choice;
#[path = "../ward/cuts.rs"]
mod cuts;
#[path = "../ward/demo.rs"]
mod demo;
#[path = "../ward/full_disk.rs"]
mod full_disk;
#[path = "../ward/hazards.rs"]
mod hazards;
#[path = "../ward/hl7.rs"]
mod hl7;
#[path = "../ward/planted.rs"]
mod planted;
#[path = "../ward/recording.rs"]
mod recording;
#[path = "../ward/replay.rs"]
mod replay;
#[path = "../ward/report.rs"]
mod report;
#[path = "../ward/restore.rs"]
mod restore;
#[path = "../ward/sinks.rs"]
mod sinks;
#[path = "../ward/stage.rs"]
mod stage;
#[path = "../ward/talker.rs"]
mod talker;
#[path = "../ward/thin.rs"]
mod thin;
#[path = "../ward/vectors.rs"]
mod vectors;
#[path = "../ward/vitals.rs"]
mod vitals;
#[path = "../ward/world.rs"]
mod world;

/// The world around the line: simulated beds through the real agent, a broker and the real sink.
#[derive(Debug, Parser)]
#[command(name = "ward", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Attacks the line in every way that docs/threats.md names, and says what was detected.
    #[arg(long)]
    attack: bool,
    #[command(flatten)]
    demo: demo::Demo,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Beds, a broker, agent and sink on this machine, and a ledger at the end (the default).
    Demo(demo::Demo),
    /// Sends a WFDB recording through the line and exports it.
    Replay(replay::Replay),
    /// The rig's own broker, until standard input ends.
    Broker(broker::Broker),
    /// Everything that a network and a broker can do to the line, each to a site of its own.
    Hazards(hazards::HazardsCommand),
    /// The line over a link of a few kilobits a second, in a network namespace.
    Thin(thin::Thin),
    /// The real agent on a medium that loses its power again and again.
    Cuts(cuts::CutsCommand),
    /// The line while the gateway's medium is full, and while it is read-only.
    FullDisk(full_disk::FullDisk),
    /// Yesterday's store, put back under a running ward.
    Restore(restore::Restore),
    /// Three sinks over one store, one of them killed again and again.
    Sinks(sinks::Sinks),
    /// Real firmware on an emulated board, from its sensor to the store.
    Board(board::BoardCommand),
    /// HL7 messages to an agent that is killed again and again.
    Hl7(hl7::Hl7Command),
    /// Measures the stages and the whole line.
    Bench(bench::Bench),
    /// Writes the test vectors of every format.
    Vectors(vectors::Vectors),
    /// Simulated worlds that go wrong in every way, on virtual time, and oracles over them.
    World(world::WorldCommand),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ward: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let work = async {
        if cli.attack {
            return attack::run();
        }
        match cli.command.unwrap_or(Command::Demo(cli.demo)) {
            Command::Demo(command) => command.run().await,
            Command::Replay(command) => command.run().await,
            Command::Broker(command) => command.run().await,
            Command::Hazards(command) => command.run().await,
            Command::Thin(command) => command.run().await,
            Command::Cuts(command) => command.run().await,
            Command::FullDisk(command) => command.run().await,
            Command::Restore(command) => command.run().await,
            Command::Sinks(command) => command.run().await,
            Command::Board(command) => command.run().await,
            Command::Hl7(command) => command.run().await,
            Command::Bench(command) => command.run().await,
            Command::Vectors(command) => command.run(),
            Command::World(command) => command.run(),
        }
    };
    // An interrupt drops the work, and with it every process that it started.
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = work => ended,
            () = interrupted() => Err(anyhow::anyhow!("interrupted")),
        }
    });
    runtime.shutdown_background();
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ward: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        }
        _ => std::future::pending().await,
    }
}
