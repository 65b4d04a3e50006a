//! Times of day: "3pm", "15:30 Uhr", "halb vier", "from 9 to 11".

use super::lexicon::{DayPart, Lex};
use super::parser::{Found, Parser, digits};
use crate::language::Language;

/// A time of day, or a span of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeItem {
    /// Seconds since midnight; 24:00 is a whole day of them.
    pub(super) start: u32,
    /// The end, by the clock.
    pub(super) end: Option<u32>,
    /// Whether the words can mean nothing else.
    pub(super) sure: bool,
}

/// A reading of a clock.
#[derive(Clone, Copy)]
struct Clock {
    hour: u32,
    minute: u32,
    /// Whether a unit, a colon or a part of the day says that it is a time.
    sure: bool,
    /// Whether nothing says in which half of the day the hour lies.
    open: bool,
    pm: bool,
}

impl Clock {
    fn sure(hour: u32, minute: u32) -> Option<Clock> {
        (hour < 24 && minute < 60 || hour == 24 && minute == 0).then_some(Clock {
            hour,
            minute,
            sure: true,
            open: false,
            pm: false,
        })
    }

    /// Of an open hour, one to seven lies after noon.
    fn second(self) -> u32 {
        let hour = match self.open && (1..=7).contains(&self.hour) {
            true => self.hour + 12,
            false => self.hour,
        };
        (hour * 60 + self.minute) * 60
    }

    fn with_pm(mut self, pm: bool) -> Option<Clock> {
        if self.hour > 12 || self.hour == 0 {
            return None;
        }
        self.hour = self.hour % 12 + if pm { 12 } else { 0 };
        self.sure = true;
        self.open = false;
        self.pm = pm;
        Some(self)
    }
}

impl Parser<'_> {
    /// A time of day with what leads it in: "at 9", "um halb vier", "from 9 to 11", "in the evening".
    pub(super) fn time(&self, at: usize) -> Found<TimeItem> {
        if let Some(found) = self.part_of_day(at) {
            return Some(found);
        }
        let led = self.is(at, Lex::At);
        let spans = matches!(self.lex(at), Some(Lex::Since | Lex::Between));
        let (start, next) = self.clock(at + usize::from(led || spans), led)?;
        let joined = match self.lex(next) {
            Some(Lex::Dash | Lex::To | Lex::Until) => true,
            Some(Lex::And) => self.is(at, Lex::Between),
            _ => false,
        };
        if let Some((end, after)) = joined.then(|| self.clock(next + 1, false)).flatten() {
            let sure = start.sure || end.sure || led;
            if sure || spans && self.may_end(after) {
                return Some((span(start, end), after));
            }
        }
        if spans {
            return None;
        }
        let item = TimeItem {
            start: start.second(),
            end: None,
            sure: true,
        };
        (start.sure || led && self.may_end(next)).then_some((item, next))
    }

    /// Whether an hour without a unit may end here: what follows is no noun that it counts.
    fn may_end(&self, at: usize) -> bool {
        self.is_end(at) || self.date(at).is_some() || self.repeat(at).is_some()
    }

    /// "in the morning", "am Abend": it needs a day beside it.
    fn part_of_day(&self, at: usize) -> Found<TimeItem> {
        let next = match (self.language, self.lex(at)) {
            (Language::English, Some(Lex::In)) if self.is(at + 1, Lex::The) => at + 2,
            (Language::English, Some(Lex::At)) => at + 1,
            (Language::German, Some(Lex::On)) if self.word(at) == "am" => at + 1,
            (Language::German, Some(Lex::PartAdverb(_))) => at,
            _ => return None,
        };
        let part = match self.lex(next) {
            Some(Lex::Part(part)) if !matches!(part, DayPart::Noon | DayPart::Midnight) => part,
            Some(Lex::PartAdverb(part)) => part,
            Some(Lex::Morgen) => DayPart::Morning,
            _ => return None,
        };
        let item = TimeItem {
            start: part.hour() * 3600,
            end: None,
            sure: false,
        };
        Some((item, next + 1))
    }

    fn hour(&self, at: usize) -> Option<u32> {
        let hour = match self.lex(at) {
            Some(Lex::Number(hour)) => hour,
            Some(Lex::Article) if matches!(self.word(at), "eins" | "ein") => 1,
            _ => digits(self.word(at), 2)?,
        };
        (hour <= 24).then_some(hour as u32)
    }

    fn clock(&self, at: usize, led: bool) -> Found<Clock> {
        let (clock, next) = self.clock_face(at, led)?;
        // "3 in the afternoon", "8 Uhr abends".
        match self.part_of_day(next) {
            Some((_, after)) if clock.hour <= 12 && clock.hour > 0 => {
                let part = match self.lex(after - 1) {
                    Some(Lex::Part(part) | Lex::PartAdverb(part)) => part,
                    _ => DayPart::Morning,
                };
                let hour = part.place(clock.hour);
                Some((Clock::sure(hour, clock.minute)?, after))
            }
            _ => Some((clock, next)),
        }
    }

    fn clock_face(&self, at: usize, led: bool) -> Found<Clock> {
        let open = |hour: u32, minute: u32| {
            let clock = Clock::sure(hour, minute)?;
            Some(Clock {
                open: true,
                ..clock
            })
        };
        let before = |hour: u32| if hour > 1 { hour - 1 } else { hour + 11 };
        match self.lex(at) {
            Some(Lex::Part(part @ (DayPart::Noon | DayPart::Midnight))) => {
                let there = led || self.language == Language::English;
                return there.then(|| Some((Clock::sure(part.hour(), 0)?, at + 1)))?;
            }
            Some(Lex::Half) if self.language == Language::English => {
                let hour = self.is(at + 1, Lex::Past).then(|| self.hour(at + 2))??;
                return Some((open(hour, 30)?, at + 3));
            }
            Some(Lex::Half) => return Some((open(before(self.hour(at + 1)?), 30)?, at + 2)),
            Some(Lex::ThreeQuarters) => {
                return Some((open(before(self.hour(at + 1)?), 45)?, at + 2));
            }
            Some(Lex::Quarter) => {
                let hour = self.hour(at + 2)?;
                return match self.lex(at + 1)? {
                    Lex::Past => Some((open(hour, 15)?, at + 3)),
                    Lex::To | Lex::Before => Some((open(before(hour), 45)?, at + 3)),
                    _ => None,
                };
            }
            _ => {}
        }
        let (clock, dotted, mut next) = match self.hour(at) {
            Some(hour) => (
                Clock {
                    sure: false,
                    ..open(hour, 0)?
                },
                false,
                at + 1,
            ),
            None => {
                let (clock, dotted) = written(self.word(at))?;
                (clock, dotted, at + 1)
            }
        };
        let clock = match self.lex(next) {
            Some(Lex::Am) => clock.with_pm(false)?,
            Some(Lex::Pm) => clock.with_pm(true)?,
            Some(Lex::OClock) => {
                let open = self.language == Language::English && clock.open;
                let mut minute = clock.minute;
                // "15 Uhr 30".
                if let Some(more) =
                    digits(self.word(next + 1), 2).filter(|n| *n < 60 && self.is_end(next + 2))
                {
                    minute = more as u32;
                    next += 1;
                }
                Clock {
                    open,
                    ..Clock::sure(clock.hour, minute)?
                }
            }
            _ if dotted => return None,
            _ => return Some((clock, next)),
        };
        Some((clock, next + 1))
    }
}

/// A span of two times; an open hour follows the half of the day that the end names.
fn span(mut start: Clock, mut end: Clock) -> TimeItem {
    if start.open && end.pm {
        start.open = false;
        if start.hour < 12 && start.hour + 12 <= end.hour {
            start.hour += 12;
        }
    } else if start.open && end.sure && !end.open {
        start.open = false;
    } else if end.open && !start.open {
        end.open = false;
        if end.hour <= start.hour && end.hour < 12 && start.pm {
            end.hour += 12;
        }
    }
    TimeItem {
        start: start.second(),
        end: Some(end.second()),
        sure: true,
    }
}

/// A time in a single word: `15:30`, `3pm`, `3:30pm`, `14h30`; and `15.30`, which needs its unit.
fn written(word: &str) -> Option<(Clock, bool)> {
    let length = word.bytes().take_while(u8::is_ascii_digit).count();
    let hour = digits(&word[..length], 2)? as u32;
    let rest = &word[length..];
    let separator = rest.chars().next()?;
    let (minute, suffix) = match separator {
        ':' | '.' | 'h' => {
            let minute = rest.get(1..3).and_then(|text| digits(text, 2))?;
            (minute as u32, &rest[3..])
        }
        _ => (0, rest),
    };
    let clock = Clock::sure(hour, minute)?;
    match suffix {
        "am" | "a.m" => Some((clock.with_pm(false)?, false)),
        "pm" | "p.m" => Some((clock.with_pm(true)?, false)),
        "" if separator == '.' => Some((clock, true)),
        "" | "uhr" => Some((clock, false)),
        _ => None,
    }
}
