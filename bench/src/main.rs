//! `cargo xtask bench …`: measurements of the real binary.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use mana_bench::{On, crash, gateway, leaks, models, night, order, runner, strangers, sync};

#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Cli {
    /// The server's binary.
    #[arg(long, env = "MANA_BIN", default_value = "target/release/mana")]
    binary: PathBuf,
    /// Where the server keeps its data.
    #[arg(long, value_enum, default_value = "sqlite", global = true)]
    on: On,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Speed and size, compared with the database alone
    Sync {
        /// How far the log grows: 10 thousand to a million rows
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(10_000..=1_000_000))]
        rows: u64,
        /// Idle sockets
        #[arg(long, default_value_t = 10_000)]
        sockets: u64,
        /// File for the plot
        #[arg(long)]
        plot: Option<PathBuf>,
    },
    /// Time that the gateway adds to a call, compared with crabllm, LiteLLM and no gateway
    Gateway {
        /// Requests a second
        #[arg(
            long,
            value_delimiter = ',',
            default_values_t = [100, 500],
            value_parser = clap::value_parser!(u32).range(1..)
        )]
        rates: Vec<u32>,
        /// Seconds of load for each gateway and rate
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Minutes of continuous load on Mana alone, which show whether its memory stays constant
        #[arg(long, default_value_t = 0)]
        minutes: u64,
        /// Gateways to leave out of the comparison
        #[arg(long, value_enum)]
        without: Vec<gateway::Other>,
    },
    /// Instructions that a call takes in two servers, counted by callgrind
    Instructions {
        /// The binary that was there before
        #[arg(long)]
        before: PathBuf,
        /// The binary that may take no more
        #[arg(long)]
        after: PathBuf,
        /// Calls of each kind
        #[arg(long, default_value_t = 500)]
        calls: usize,
    },
    /// Repeated kill -9 under load: every acknowledged change must survive
    Crash {
        /// Kills
        #[arg(long, default_value_t = 100)]
        times: u32,
        /// Seed of the random choices
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Writers by HTTP and by SQL on Postgres, held and rolled back: every reader must have every row
    Order {
        /// Changes
        #[arg(long, default_value_t = 100_000)]
        changes: u64,
        /// Seed of the random choices
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// The cost of missions: nothing due, a hundred due, ten thousand due
    Runner {
        /// Missions in the largest schedule
        #[arg(long, default_value_t = 200_000)]
        missions: u64,
        /// Rows in the largest log
        #[arg(long, default_value_t = 2_000_000)]
        rows: u64,
        /// Due at once
        #[arg(long, default_value_t = 10_000)]
        due: u64,
        /// File for the plot
        #[arg(long)]
        plot: Option<PathBuf>,
    },
    /// Missions against llama.cpp and a small model: `cargo xtask models` has both
    Models {
        /// The program `llama-server`
        #[arg(long)]
        llama_server: PathBuf,
        /// The model, GGUF
        #[arg(long)]
        model: PathBuf,
        /// Windows in tokens
        #[arg(long, value_delimiter = ',', default_values_t = [2_048, 4_096, 8_192])]
        windows: Vec<usize>,
    },
    /// Three servers on one Postgres, kill -9 and wrong clocks: every mission must run once
    Night {
        /// Missions, due at random moments
        #[arg(long, default_value_t = 2_000)]
        missions: u64,
        /// Seconds within which they are due
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        /// Kills
        #[arg(long, default_value_t = 200)]
        kills: u32,
        /// Seed of the random choices
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Memory and a neighbour's pushes while strangers and another member load the server
    Strangers {
        /// Seconds of each load
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
    },
    /// Attempts to read and to write another person's rows
    Leaks {
        /// Attempts
        #[arg(long, default_value_t = 100_000)]
        attempts: u64,
        /// Seed of the random choices
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let (binary, on) = (cli.binary, cli.on);
    runtime.block_on(async {
        match cli.command {
            Command::Sync {
                rows,
                sockets,
                plot,
            } => {
                let (rows, sockets) = (usize::try_from(rows)?, usize::try_from(sockets)?);
                let report = sync::run(&binary, on, rows, sockets).await?;
                if let Some(plot) = plot {
                    std::fs::write(plot, report.plot(on.name()))?;
                }
                print!("{report}");
                report.verdict()
            }
            Command::Gateway {
                rates,
                seconds,
                minutes,
                without,
            } => {
                let plan = gateway::Plan {
                    rates,
                    seconds,
                    minutes,
                    without,
                };
                let report = gateway::run(&binary, on, &plan).await?;
                print!("{report}");
                report.verdict()
            }
            Command::Instructions {
                before,
                after,
                calls,
            } => {
                let report = gateway::instructions::run(&before, &after, calls).await?;
                print!("{report}");
                report.verdict()
            }
            Command::Crash { times, seed } => {
                println!("{}", crash::run(&binary, on, times, seed).await?);
                Ok(())
            }
            Command::Order { changes, seed } => {
                let changes = usize::try_from(changes)?;
                println!("{}", order::run(&binary, changes, seed).await?);
                Ok(())
            }
            Command::Runner {
                missions,
                rows,
                due,
                plot,
            } => {
                let size = runner::Size {
                    missions,
                    rows,
                    due: usize::try_from(due)?,
                };
                let report = runner::run(&binary, on, size, plot.as_deref()).await?;
                print!("{report}");
                report.verdict()
            }
            Command::Models {
                llama_server,
                model,
                windows,
            } => {
                let plan = models::Plan {
                    llama_server,
                    model,
                    windows,
                };
                print!("{}", models::run(&binary, &plan).await?);
                Ok(())
            }
            Command::Night {
                missions,
                seconds,
                kills,
                seed,
            } => {
                let night = night::Night {
                    missions: usize::try_from(missions)?,
                    seconds,
                    kills,
                    lease: Duration::from_secs(60),
                    failures: 2,
                    most_delay: Some(Duration::from_secs(1)),
                    seed,
                };
                println!("{}", night::run(&binary, &night).await?);
                Ok(())
            }
            Command::Strangers { seconds } => {
                let report = strangers::run(&binary, on, seconds).await?;
                print!("{report}");
                report.verdict()
            }
            Command::Leaks { attempts, seed } => {
                println!("{}", leaks::run(&binary, on, attempts, seed).await?);
                Ok(())
            }
        }
    })
}
