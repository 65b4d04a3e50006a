//! Histories that once failed, by what was wrong.

use mana_sim::{Action, Face, Fate, run};

const HOUR: i64 = 3_600_000_000;

/// A write of tab 2, which is device 1's, carried out.
fn write(tab: u32, what: u32, value: u32) -> Vec<Action> {
    let mut actions = vec![Action::Write { tab, what, value }];
    actions.extend([Action::Go { task: 0 }; 4]);
    actions
}

/// A whole sync, with nothing else under way.
fn sync(tab: u32, server: u32) -> Vec<Action> {
    let mut actions = vec![Action::Sync { tab, server }];
    for _ in 0..12 {
        actions.push(Action::Go { task: 0 });
        actions.extend([deliver(0), deliver(0)]);
    }
    actions
}

fn deliver(packet: u32) -> Action {
    Action::Deliver {
        packet,
        fate: Fate::Arrives,
    }
}

fn holds(actions: &[Action], happens: &[&str]) {
    for face in [Face::Native, Face::Json] {
        let (result, trace) = run(actions, face);
        let trace = trace.join("\n");
        for part in happens {
            assert!(trace.contains(part), "{part} does not happen:\n{trace}");
        }
        if let Err(failure) = result {
            panic!("{failure}\n{trace}");
        }
    }
}

/// Two pushes of a device whose clock is ahead, at the same moment or at a server that is behind: both were set back
/// to the same stamp, and the greater text won in the log, the later one on the device. Now T3.
#[test]
fn sim_t3_later_stays_later_in_the_next_push() {
    for behind in [0, -50_000] {
        let mut actions = sync(2, 0);
        actions.push(Action::SetClock {
            device: 1,
            us: HOUR,
        });
        actions.extend(write(2, 2, 996));
        actions.extend(sync(2, 0));
        actions.push(Action::SetClock {
            device: 1,
            us: 2 * HOUR,
        });
        actions.push(Action::SetServerClock {
            server: 1,
            us: behind,
        });
        actions.extend(write(2, 2, 100));
        actions.extend(sync(2, 1));
        holds(&actions, &["Title 996", "Title 100", "2 stamps set back"]);
    }
}

/// A push that one server refused and another took: the change was set aside and sent again after something newer
/// had come, and its stamp, once set back, hid that. Now it is set aside no longer, and what came is read again.
#[test]
fn sim_t4_what_a_set_back_stamp_hid_is_read_again() {
    let mut actions = [sync(2, 0), sync(5, 0)].concat();
    actions.push(Action::SetClock {
        device: 1,
        us: 9 * HOUR,
    });
    actions.extend(write(2, 11, 0));
    actions.extend([
        Action::Sync { tab: 2, server: 0 },
        Action::Sync { tab: 2, server: 1 },
    ]);
    actions.extend([Action::Go { task: 0 }, Action::Go { task: 1 }]);
    actions.extend([
        Action::Refuse { on: true },
        deliver(0),
        Action::Refuse { on: false },
    ]);
    // The other request is taken, and its answer is lost.
    actions.push(deliver(0));
    actions.push(deliver(0));
    actions.extend([Action::Go { task: 0 }; 4]);
    actions.push(Action::Deliver {
        packet: 0,
        fate: Fate::Lost,
    });
    actions.push(Action::Crash { tab: 2 });
    // Somebody else writes the same record, and the device hears of it.
    actions.push(Action::Wait { us: 120_000_000 });
    actions.extend(write(5, 11, 3));
    actions.extend(sync(5, 2));
    actions.extend(sync(2, 2));
    holds(&actions, &["A change was refused", "stamps set back"]);
}
