//! The languages in which the core itself reads and writes sentences.

/// A language of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
}

impl Language {
    /// The language of a locale such as `de-AT`; English where it is another one.
    pub fn of(locale: &str) -> Language {
        match locale.split(['-', '_']).next() {
            Some("de") => Language::German,
            _ => Language::English,
        }
    }

    /// The days of the week, from Monday.
    pub fn weekdays(self) -> [&'static str; 7] {
        match self {
            Language::English => [
                "Monday",
                "Tuesday",
                "Wednesday",
                "Thursday",
                "Friday",
                "Saturday",
                "Sunday",
            ],
            Language::German => [
                "Montag",
                "Dienstag",
                "Mittwoch",
                "Donnerstag",
                "Freitag",
                "Samstag",
                "Sonntag",
            ],
        }
    }

    /// The months.
    pub fn months(self) -> [&'static str; 12] {
        match self {
            Language::English => [
                "January",
                "February",
                "March",
                "April",
                "May",
                "June",
                "July",
                "August",
                "September",
                "October",
                "November",
                "December",
            ],
            Language::German => [
                "Januar",
                "Februar",
                "März",
                "April",
                "Mai",
                "Juni",
                "Juli",
                "August",
                "September",
                "Oktober",
                "November",
                "Dezember",
            ],
        }
    }
}
