//! A part of the seeds in every test run, the histories that once failed, and the simulation's own promises.

mod regressions;

use mana_sim::{generate, run, seed};

#[test]
fn sim_seeds_hold() {
    for n in 0..100 {
        if let Err(failure) = seed(n) {
            panic!("seed {n}: {failure}\nsee `cargo xtask sim --from {n} --seeds 1`");
        }
    }
}

#[test]
fn sim_the_same_seed_is_the_same_history() {
    for n in [1, 7, 42] {
        let (first, second) = (run(&generate(n)), run(&generate(n)));
        assert_eq!(first, second);
    }
}
