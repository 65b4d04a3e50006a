//! `cargo xtask …`: everything a person does with this repository, in one place.

mod build;
mod need;
mod rules;
mod sh;
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
  screenshots    pictures of every page into docs/screenshots
  bench start    start time, memory, sizes and time to paint

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
        "e2e" => test::browser(&rest),
        "screenshots" => test::screenshots(),
        "bench" => match rest.first().map(String::as_str) {
            Some("start") => test::bench_start(),
            other => bail!("no bench named {other:?}; there is: start"),
        },
        "" | "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => bail!("no command named `{other}`\n\n{HELP}"),
    }
}
