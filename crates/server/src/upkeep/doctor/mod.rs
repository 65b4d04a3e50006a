//! `mana doctor`: every check of a server in one table, each with what to do.

mod checks;
mod database_checks;
mod findings;

use anyhow::{Result, bail};
use findings::{Finding, Findings, Outcome, Patient};

use crate::config::{Config, ConfigError};
use crate::modules;
use crate::remedies::with_remedy;
use crate::storage::Upkeep;

/// Runs every check, prints the findings and fails where one is a problem.
pub async fn doctor(config: Result<Config, ConfigError>, deep: bool, as_json: bool) -> Result<()> {
    let mut all = Vec::new();
    match config {
        Ok(config) => examine(config, deep, &mut all).await,
        Err(error) => Findings {
            check: "configuration",
            all: &mut all,
        }
        .problem(
            error.to_string(),
            "correct the setting; `mana config` lists them",
        ),
    }
    match as_json {
        true => println!("{}", serde_json::to_string_pretty(&all)?),
        false => all.iter().for_each(print),
    }
    let problems = all
        .iter()
        .filter(|finding| finding.outcome == Outcome::Problem)
        .count();
    match problems {
        0 => Ok(()),
        1 => bail!("1 check found a problem"),
        _ => bail!("{problems} checks found problems"),
    }
}

async fn examine(config: Config, deep: bool, all: &mut Vec<Finding>) {
    let mut patient = Patient {
        config,
        upkeep: None,
        deep,
    };
    let can_be_opened = {
        let check = "database";
        database_checks::can_be_opened(&patient.config, &mut Findings { check, all }).await
    };
    if can_be_opened {
        let (registry, _) = modules::load(&patient.config.data_dir.join("modules"));
        let opened = Upkeep::open(&patient.config, std::sync::Arc::new(registry)).await;
        match opened {
            Ok(upkeep) => patient.upkeep = Some(upkeep),
            Err(error) => Findings {
                check: "database",
                all,
            }
            .problem(with_remedy(&error), "put right what the message names"),
        }
    }
    for (check, run) in checks::TABLE {
        run(&patient, &mut Findings { check, all });
    }
    database_checks::run(&patient, all).await;
    if let Some(upkeep) = patient.upkeep {
        upkeep.store.close().await;
    }
}

fn print(finding: &Finding) {
    let word = match finding.outcome {
        Outcome::Ok => "ok",
        Outcome::Skipped => "-",
        Outcome::Warning => "warning",
        Outcome::Problem => "PROBLEM",
    };
    println!("{word:8} {:14} {}", finding.check, finding.found);
    if let Some(remedy) = &finding.remedy {
        println!("{:23} → {remedy}", "");
    }
}
