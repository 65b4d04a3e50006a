//! The meanings of words, whatever the language.

use crate::recurrence::Frequency;

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// A part of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayPart {
    Morning,
    Forenoon,
    Noon,
    Afternoon,
    Evening,
    Night,
    Midnight,
}

impl DayPart {
    /// The hour that stands for it where no other is told.
    pub(super) fn hour(self) -> u32 {
        match self {
            DayPart::Morning => 9,
            DayPart::Forenoon => 10,
            DayPart::Noon => 12,
            DayPart::Afternoon => 15,
            DayPart::Evening => 19,
            DayPart::Night => 21,
            DayPart::Midnight => 24,
        }
    }

    /// An hour of a clock of twelve hours in this part of the day.
    pub(super) fn place(self, hour: u32) -> u32 {
        match self {
            DayPart::Afternoon | DayPart::Evening if hour < 12 => hour + 12,
            DayPart::Noon if hour < 3 => hour + 12,
            DayPart::Night if (6..12).contains(&hour) => hour + 12,
            DayPart::Night | DayPart::Midnight if hour == 12 => 24,
            DayPart::Morning if hour == 12 => 0,
            _ => hour,
        }
    }
}

/// The meaning of a word where it speaks of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lex {
    /// A weekday, from Monday, 0.
    Weekday(i8),
    /// A weekday's short form, which is often another word: "sun", "So".
    ShortWeekday(i8),
    /// Every such weekday: "mondays", "montags".
    Weekdays(i8),
    /// A month from 1.
    Month(i64),
    /// A month's name that is often another word: "may", "march", "mar".
    WeakMonth(i64),
    /// A number from "two", "zwei"; "a", "einer" is 1.
    Number(i64),
    /// An article that counts as 1 before a unit.
    Article,
    /// "first", "zweiten".
    Ordinal(i16),
    Last,
    /// The one before the last: "vorletzter".
    NextToLast,
    Next,
    /// The next one that comes, in this week or in the next: "kommenden".
    Coming,
    This,
    Every,
    /// "other" of "every other".
    Other,
    Unit(Unit),
    /// Monday to Friday: "weekday", "Werktag".
    Workday,
    /// "werktags".
    Workdays,
    Weekend,
    /// Days from today.
    Relative(i64),
    /// "tonight".
    Tonight,
    Part(DayPart),
    /// A part of the day that repeats or qualifies an hour: "abends".
    PartAdverb(DayPart),
    /// German "morgen", in lower case: tomorrow, or after a day the morning.
    Morgen,
    Half,
    Quarter,
    ThreeQuarters,
    /// "past", "nach".
    Past,
    /// "to", as in "quarter to" and "9 to 11".
    To,
    OClock,
    Am,
    Pm,
    /// Before a day: "on", "am".
    On,
    /// Before a time: "at", "um".
    At,
    In,
    /// "by", "due", "until", "bis".
    Until,
    /// "since", "from", "starting", "ab", "von".
    Since,
    Between,
    For,
    /// "ago"; German "vor" stands before.
    Ago,
    Before,
    And,
    Of,
    The,
    /// "daily", "monatlich", with the interval.
    Adverb(Frequency, u32),
    Times,
    /// "fünfmal".
    SoManyTimes(u32),
    After,
    Completion,
    End,
    /// "Monatsende".
    EndOf(Unit),
    /// A dash between two things.
    Dash,
}
