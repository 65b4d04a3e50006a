//! The actions of a simulation, and the history of a seed.

use crate::rng::Rng;

/// The direction in which the connection of a device and a server is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Nothing goes to the server.
    Up,
    /// Nothing comes back.
    Down,
    /// Neither.
    Both,
}

/// The fate of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The packet arrives.
    Arrives,
    /// The packet arrives, and a copy stays on its way.
    Doubled,
    /// The packet is lost, and the sender gives up waiting.
    Lost,
    /// The sender gives up waiting, but it arrives later. The same as lost, for an answer.
    Late,
    /// The server is busy: 503. The same as arriving, for an answer.
    Busy,
}

/// An action. Numbers are taken modulo the number of tabs, tasks and so on; an action that is impossible is skipped.
///
/// Any part of a history is therefore a history, so a failing one can be shortened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the numbers are named after what they choose")]
pub enum Action {
    /// A person writes in a tab.
    Write { tab: u32, what: u32, value: u32 },
    /// A person decides on a proposal.
    Decide {
        tab: u32,
        proposal: u32,
        approve: bool,
    },
    /// A person takes back a step that was carried out.
    Undo { tab: u32, step: u32 },
    /// A tab begins to sync.
    Sync { tab: u32, server: u32 },
    /// A task of a tab goes on to its next wait.
    Go { task: u32 },
    /// A packet comes to its end.
    Deliver { packet: u32, fate: Fate },
    /// A tab is gone and opened again.
    Crash { tab: u32 },
    /// A connection is cut.
    Cut {
        device: u32,
        server: u32,
        direction: Direction,
    },
    /// All connections of a device are mended.
    Mend { device: u32 },
    /// Time goes by, in microseconds.
    Wait { us: i64 },
    /// A device's clock is set, relative to the true time.
    SetClock { device: u32, us: i64 },
    /// A server's clock is set, relative to the true time.
    SetServerClock { server: u32, us: i64 },
    /// A server plans what is due. `hangs`: its model doesn't answer.
    Tick { server: u32, hangs: bool },
    /// The models that hang on a server answer after all.
    Answer { server: u32 },
    /// A server's process is gone and started again.
    Restart { server: u32 },
    /// A person asks for a run.
    Run {
        mission: u32,
        slot: u32,
        server: u32,
    },
    /// From now on the servers refuse some changes, or no longer.
    Refuse { on: bool },
    /// The log is compacted, up to a while ago.
    Compact { ago_us: i64 },
    /// A device's data are copied to another machine, where they are used from then on.
    Copy { device: u32 },
    /// A person sends the refused changes again.
    Retry { tab: u32 },
    /// The database is copied.
    Backup,
    /// The database is put back to its last copy. `restored`: its operator says so; else a file was copied underneath.
    PutBack { restored: bool },
    /// The person does something at a device of an older version: writes, approves, or syncs. `lost`: the answer of
    /// the push does not arrive.
    OldDevice {
        what: u32,
        value: u32,
        server: u32,
        lost: bool,
    },
}

const DAY_US: i64 = 86_400_000_000;

/// The history of a seed.
pub fn generate(seed: u64) -> Vec<Action> {
    let mut rng = Rng::new(seed);
    let mut actions = Vec::new();
    // Some devices have had the wrong time for ever.
    for device in 0..4 {
        if rng.below(2) == 0 {
            actions.push(Action::SetClock {
                device,
                us: skew(&mut rng),
            });
        }
    }
    for server in 0..3 {
        actions.push(Action::SetServerClock {
            server,
            us: rng.around(200_000),
        });
    }
    let length = 100 + rng.below(350);
    for _ in 0..length {
        let action = draw(&mut rng);
        actions.push(action);
    }
    // Drawn by themselves, so that the rest of a history is as it would be without an older device.
    let mut rng = Rng::new(seed ^ OLDER);
    for _ in 0..rng.below(3) * 8 {
        let at = rng.below(actions.len() as u64) as usize;
        let action = Action::OldDevice {
            what: rng.pick(),
            value: rng.pick(),
            server: rng.pick(),
            lost: rng.below(4) == 0,
        };
        actions.insert(at, action);
    }
    actions
}

/// Makes the numbers of an older device others than those of its history.
const OLDER: u64 = 0x6f6c_6465_7221;

/// The number in [`Action::Write`] that makes a mission.
pub const MISSION: u32 = 7;

fn draw(rng: &mut Rng) -> Action {
    match rng.below(1000) {
        0..110 => Action::Write {
            tab: rng.pick(),
            what: rng.pick(),
            value: rng.pick(),
        },
        110..165 => Action::Decide {
            tab: rng.pick(),
            proposal: rng.pick(),
            approve: rng.below(3) > 0,
        },
        165..250 => Action::Sync {
            tab: rng.pick(),
            server: rng.pick(),
        },
        250..598 => Action::Go { task: rng.pick() },
        598..605 => Action::Backup,
        605..610 => Action::PutBack {
            restored: rng.below(2) == 0,
        },
        610..840 => Action::Deliver {
            packet: rng.pick(),
            fate: match rng.below(20) {
                0..14 => Fate::Arrives,
                14..16 => Fate::Doubled,
                16..18 => Fate::Lost,
                18 => Fate::Late,
                _ => Fate::Busy,
            },
        },
        840..850 => Action::Undo {
            tab: rng.pick(),
            step: rng.pick(),
        },
        850..870 => Action::Crash { tab: rng.pick() },
        870..885 => Action::Cut {
            device: rng.pick(),
            server: rng.pick(),
            direction: match rng.below(3) {
                0 => Direction::Up,
                1 => Direction::Down,
                _ => Direction::Both,
            },
        },
        885..905 => Action::Mend { device: rng.pick() },
        905..930 => Action::Wait {
            us: match rng.below(4) {
                0 => rng.below(1_000) as i64,
                1 => rng.below(1_000_000) as i64,
                2 => rng.below(120_000_000) as i64,
                _ => rng.below(4 * 3_600_000_000) as i64,
            },
        },
        930..938 => Action::SetClock {
            device: rng.pick(),
            us: skew(rng),
        },
        938..946 => Action::SetServerClock {
            server: rng.pick(),
            us: rng.around(2_000_000),
        },
        946..972 => Action::Tick {
            server: rng.pick(),
            hangs: rng.below(4) == 0,
        },
        972..978 => Action::Answer { server: rng.pick() },
        978..982 => Action::Restart { server: rng.pick() },
        982..989 => Action::Run {
            mission: rng.pick(),
            slot: rng.pick(),
            server: rng.pick(),
        },
        989..991 => Action::Compact {
            ago_us: match rng.below(2) {
                0 => 0,
                _ => rng.below(3_600_000_000) as i64,
            },
        },
        991..995 => Action::Refuse {
            on: rng.below(2) == 0,
        },
        995..998 => Action::Retry { tab: rng.pick() },
        _ => Action::Copy { device: rng.pick() },
    }
}

fn skew(rng: &mut Rng) -> i64 {
    match rng.below(4) {
        0 => rng.around(1_000_000),
        1 => rng.around(90_000_000),
        _ => rng.around(DAY_US),
    }
}
