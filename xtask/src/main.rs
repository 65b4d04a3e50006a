//! `cargo xtask …`: everything a person does with this repository, in one place.

mod bench;
mod build;
mod need;
mod rules;
mod sdk;
mod sh;
mod sim;
mod test;
mod wasm;
mod web;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  serve [ARGS]   install what the web app needs, build everything, start Mana and print its link
  test           formatting, lints, Rust tests, web tests, browser tests
  build          leave target/release/mana, the web app inside
  web            build the web app only (web/build)
  wasm           generate the core for the browser (web/src/lib/core/wasm)
  types          write spec/openapi.json and web/src/lib/api/schema.d.ts from the server's code
  e2e [ARGS]     the browser tests only; ARGS go to Playwright
  sdk            OpenAI's clients for Node and Python, and npm `ai`, against the gateway
  sdk litellm    LiteLLM's proxy behind the gateway (750 MB, so not among the tests)
  sim [ARGS]     many devices and servers in one thread: --seeds N, --from S
  screenshots    pictures of every page into docs/screenshots
  bench start    start time, memory, sizes and time to paint
  bench sync     ingest, the way to another device, a new device, idle sockets [--on postgres] [--rows N]
  bench gateway  what the gateway adds to a call, beside crabllm and LiteLLM [--minutes N] [--without litellm]
  bench crash    kill -9 under load: nothing acknowledged is lost [--on postgres] [--times N]
  bench order    writers by HTTP and SQL, held and given up: every reader has every row [--changes N]
  bench leaks    attempts on another person's rows [--on postgres] [--attempts N]

ARGS of serve go to `mana serve`.";

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    match command.as_str() {
        "serve" => build::serve(&rest),
        "test" => test::all(),
        "build" => build::release(),
        "web" => web::build(),
        "wasm" => wasm::generate(),
        "types" => web::types(),
        "sim" => sim::run(&rest),
        "e2e" => test::browser(&rest),
        "sdk" => sdk::run(&rest),
        "screenshots" => test::screenshots(),
        "bench" => bench::run(&rest),
        "" | "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => bail!("no command named `{other}`\n\n{HELP}"),
    }
}
