//! `cargo xtask …`: every command of this repository, in one place.

mod bench;
mod bench_compare;
mod browser_tests;
mod build;
mod cargo_deny;
mod dependency_rules;
mod house;
mod models;
mod paths;
mod postgres_versions;
mod process;
mod python;
mod requirements;
mod sdk;
mod second_opinions;
mod serve;
mod sim;
mod steps;
mod test;
mod tokens;
mod wasm;
mod web;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  serve [ARGS]   install what the web app needs, build everything quickly, start Mana and print its link
  test           every check and test
  build          leave target/release/mana, the web app inside, built for speed and size
  web            build the web app only (web/build)
  wasm           generate the core for the browser (web/src/lib/core/wasm)
  types          write spec/openapi.json and web/src/lib/api/schema.d.ts from the server's code
  e2e [ARGS]     the browser tests only; ARGS go to Playwright
  sdk            OpenAI's and Anthropic's clients for Node and Python, and npm `ai`, against the gateway
  sdk litellm    LiteLLM's proxy behind the gateway (750 MB, so not among the tests)
  sim [ARGS]     many devices and servers in one thread: --seeds N, --from S,
                 --face native|json|mixed
  postgres-versions [N]  roles, migrations, upgrades and backups on PostgreSQL 14 to 18, or on N alone
  pooler         a server behind pgbouncer (apt-get install pgbouncer)
  house [ARGS]   figures of the source tree and their bounds: circles, comments, sizes [--root FOLDER] [--list]
  advisories     known advisories against our dependencies [--db PATH to a folder or .tar.gz of RustSec's database]
  tokens         the realistic mission's prompt by the tokenizers of Qwen 3, Llama 3 and GPT-4o
  second-opinions [N] [SEED]  recurrence and time in words beside python-dateutil, npm's rrule and chrono-node
  models         missions against llama.cpp and a small model, both made and kept in a cache folder (half an hour)
  screenshots    pictures of every page into docs/screenshots
  bench start    start time, memory, sizes and time to paint
  bench sync     ingest, the way to another device, a new device, idle sockets [--on postgres] [--rows N]
  bench gateway  what the gateway adds to a call, beside crabllm and LiteLLM [--minutes N] [--without litellm]
  bench instructions  instructions of a call by callgrind: --before BINARY --after BINARY [--calls N]
  bench runner   what missions cost the server: none due, a hundred due, ten thousand due [--on postgres]
  bench crash    kill -9 under load: nothing acknowledged is lost [--on postgres] [--times N]
  bench night    three servers on one Postgres, kill -9 and wrong clocks: every mission runs once
  bench order    writers by HTTP and SQL, held and given up: every reader has every row [--changes N]
  bench strangers  memory and a neighbour's pushes under load from strangers and members [--seconds N]
  bench leaks    attempts on another person's rows [--on postgres] [--attempts N]
  bench compare  two servers in turn: --before BINARY --after BINARY [--pairs N] [sync] [gateway] [runner] [start]

ARGS of serve go to `mana serve`.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    match command.as_str() {
        "serve" => serve::run(&rest),
        "test" => test::run(),
        "build" => build::release(),
        "web" => web::build(wasm::Profile::Small),
        "wasm" => wasm::generate(wasm::Profile::Small),
        "types" => web::write_types(&build::debug()?),
        "sim" => sim::run(&rest),
        "e2e" => browser_tests::run(&rest),
        "sdk" => sdk::run(&rest),
        "tokens" => tokens::run(),
        "second-opinions" => second_opinions::run(&rest),
        "models" => models::run(&rest),
        "postgres-versions" => postgres_versions::run(&rest),
        "pooler" => postgres_versions::pooler(),
        "house" => house::run(&rest),
        "advisories" => cargo_deny::advisories(&rest),
        "screenshots" => browser_tests::screenshots(),
        "bench" => bench::run(&rest),
        "" | "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => bail!("no command named `{other}`\n\n{HELP}"),
    }
}
