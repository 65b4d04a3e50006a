//! Generated recurrence rules with their occurrences, a JSON object a line, for `cargo xtask second-opinions`.
//!
//! Arguments: the number of rules, and the seed.

use mana_core::calendar::{Day, LocalTime};
use mana_core::recurrence::Series;
use mana_core::zone::time_zone;
use serde_json::{Value, json};

/// Zones with the changes of the clock that there are: by an hour, by half of it, at midnight, by a whole day, none.
const ZONES: [&str; 10] = [
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Chatham",
];

const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// The most occurrences of a rule that are compared.
const MAX: usize = 40;

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .map(|text| text.parse().expect("a number"));
    let (rules, seed): (u64, u64) = (
        numbers.next().unwrap_or(10_000),
        numbers.next().unwrap_or(1),
    );
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for index in 0..rules {
        println!("{}", case(&mut random, ZONES[(index % 10) as usize]));
    }
}

/// A generator of numbers (xorshift64*): the same seed gives the same rules everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Up to four numbers from 1 to `max`, a third of them from the end.
    fn list(&mut self, max: u64, signed: bool) -> String {
        let length = 1 + self.below(4);
        let number = |random: &mut Random| {
            let number = 1 + random.below(max);
            let sign = if signed && random.one_in(3) { "-" } else { "" };
            format!("{sign}{number}")
        };
        let numbers: Vec<String> = (0..length).map(|_| number(self)).collect();
        numbers.join(",")
    }
}

fn case(random: &mut Random, zone_name: &str) -> Value {
    let zone = time_zone(zone_name).expect("a zone");
    let all_day = random.one_in(4);
    let start_day = Day::new(2005, 1, 1)
        .expect("a day")
        .plus(random.below(9_000) as i64);
    // Hours at which clocks are changed come often.
    let hour = if random.one_in(2) {
        random.below(4)
    } else {
        random.below(24)
    };
    let second = (hour * 60 + random.below(12) * 5) * 60;
    let start = LocalTime {
        day: start_day,
        second: (!all_day).then_some(second as u32),
    };
    let mut rule = rule(random);
    match random.below(3) {
        0 => rule.push_str(&format!(";COUNT={}", 1 + random.below(60))),
        1 => {
            let last = start_day.plus(random.below(4_000) as i64);
            let text = last.to_string().replace('-', "");
            match all_day {
                true => rule.push_str(&format!(";UNTIL={text}")),
                false => rule.push_str(&format!(";UNTIL={text}T{:02}3000Z", random.below(24))),
            }
        }
        _ => {}
    }
    let value = json!({"rule": rule, "start": start.to_string()});
    let series = match Series::parse(&value, start_day) {
        Ok(series) => series,
        Err(problem) => {
            return json!({"rule": rule, "start": start.to_string(), "zone": zone_name, "problem": problem.code});
        }
    };
    // Beyond 2037 some tables of zones end.
    let horizon = LocalTime::day(Day::new(2037, 1, 1).expect("a day"));
    let found: Vec<LocalTime> = series
        .occurrences(&zone, None)
        .take_while(|local| *local < horizon)
        .take(MAX)
        .collect();
    let local: Vec<String> = found.iter().map(LocalTime::to_string).collect();
    let instants: Vec<i64> = found
        .iter()
        .map(|local| local.instant(&zone).0.millis())
        .collect();
    json!({
        "rule": series.rule.to_string(), "start": start.to_string(), "zone": zone_name,
        "occurrences": local, "instants": if all_day { Vec::new() } else { instants },
    })
}

/// A rule that RFC 5545 allows, without its end.
fn rule(random: &mut Random) -> String {
    let frequency = ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"][random.below(4) as usize];
    let mut rule = format!("FREQ={frequency}");
    if random.one_in(2) {
        let max = if random.one_in(4) { 20 } else { 4 };
        rule.push_str(&format!(";INTERVAL={}", 1 + random.below(max)));
    }
    let mut parts = 0;
    let mut add = |rule: &mut String, part: String| {
        rule.push_str(&part);
        parts += 1;
    };
    let yearly = frequency == "YEARLY";
    if random.one_in(4) {
        add(&mut rule, format!(";BYMONTH={}", random.list(12, false)));
    }
    let weeks = yearly && random.one_in(5);
    if weeks {
        add(&mut rule, format!(";BYWEEKNO={}", random.list(53, true)));
    }
    if yearly && random.one_in(6) {
        add(&mut rule, format!(";BYYEARDAY={}", random.list(366, true)));
    }
    if frequency != "WEEKLY" && random.one_in(4) {
        add(&mut rule, format!(";BYMONTHDAY={}", random.list(31, true)));
    }
    if random.one_in(2) {
        let ordinals = (yearly || frequency == "MONTHLY") && !weeks && random.one_in(2);
        let max = if yearly && !rule.contains("BYMONTH=") {
            53
        } else {
            5
        };
        let day = |random: &mut Random| {
            let name = WEEKDAYS[random.below(7) as usize];
            // Numbered and plain weekdays in one rule are a difference that is known; they are tried rarely.
            match ordinals && !random.one_in(40) {
                true => format!(
                    "{}{}{name}",
                    if random.one_in(3) { "-" } else { "" },
                    1 + random.below(max)
                ),
                false => name.to_owned(),
            }
        };
        let days: Vec<String> = (0..1 + random.below(4)).map(|_| day(random)).collect();
        add(&mut rule, format!(";BYDAY={}", days.join(",")));
    }
    if parts > 0 && random.one_in(5) {
        let max = if random.one_in(3) { 30 } else { 3 };
        rule.push_str(&format!(";BYSETPOS={}", random.list(max, true)));
    }
    if random.one_in(3) {
        rule.push_str(&format!(";WKST={}", WEEKDAYS[random.below(7) as usize]));
    }
    rule
}
