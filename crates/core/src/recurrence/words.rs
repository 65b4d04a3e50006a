//! A recurrence in words, English and German: "every second Monday until 30 June".

use super::rule::{End, Frequency, Rule};
use super::series::{RepeatsFrom, Series};
use crate::calendar::Day;
use crate::language::Language;
use crate::zone::Utc;

/// The most exceptions that the words name.
const NAMED_EXCEPTIONS: usize = 3;

/// The words for a series: its rule, how it goes on, its end and its exceptions. A date in the year of `today` is told
/// without its year.
pub fn words(series: &Series, language: Language, today: Day) -> String {
    let rule = &series.rule;
    let words = Words(language);
    let mut text = words.repetition(rule);
    let mut add = |part: String| {
        text.push(' ');
        text.push_str(&part);
    };
    if series.from == RepeatsFrom::Completion {
        add(words.pick("after completion", "nach Erledigung").to_owned());
    }
    match (rule.end, series.last_local(&Utc)) {
        (End::Count(1), _) => add(words.pick("once", "einmal").to_owned()),
        (End::Count(count), _) => add(match language {
            Language::English => format!("{count} times"),
            Language::German => format!("{count}-mal"),
        }),
        (_, Some(last)) => {
            let until = words.pick("until", "bis");
            add(format!("{until} {}", words.date(last.day, today)));
        }
        (_, None) => {}
    }
    if !series.exdates.is_empty() {
        let named = series.exdates.iter().take(NAMED_EXCEPTIONS);
        let mut named: Vec<String> = named.map(|date| words.date(date.day, today)).collect();
        let more = series.exdates.len() - named.len();
        if more > 0 {
            named.push(words.pick(format!("{more} more"), format!("{more} weiteren")));
        }
        let except = words.pick("except on", "außer am");
        add(format!("{except} {}", words.list(named.into_iter())));
    }
    text
}

/// The words of a language. Lists are English first, then German.
struct Words(Language);

impl Words {
    fn pick<T>(&self, english: T, german: T) -> T {
        match self.0 {
            Language::English => english,
            Language::German => german,
        }
    }

    fn repetition(&self, rule: &Rule) -> String {
        let every_day = rule.days.iter().all(|day| day.ordinal == 0);
        let weekdays: Vec<i8> = rule.days.iter().map(|day| day.weekday).collect();
        let by_weekday = rule.frequency <= Frequency::Weekly
            && rule.positions.is_empty()
            && rule.month_days.is_empty();
        let named = match (rule.interval, weekdays.as_slice()) {
            (1, []) => None,
            (1, [0, 1, 2, 3, 4]) => Some(
                self.pick("every weekday", "montags bis freitags")
                    .to_owned(),
            ),
            (1, [0, 1, 2, 3, 4, 5, 6]) => Some(self.pick("every day", "jeden Tag").to_owned()),
            (1, days) => Some(format!(
                "{} {}",
                self.pick("every", "jeden"),
                self.weekdays(days)
            )),
            (2, [day]) if rule.frequency == Frequency::Weekly => Some(format!(
                "{} {}",
                self.pick("every second", "jeden zweiten"),
                self.weekday(*day)
            )),
            _ => None,
        };
        if let Some(mut text) = named.filter(|_| by_weekday && every_day) {
            text.push_str(&self.in_months(rule));
            return text;
        }
        let mut text = self.every(rule.frequency, rule.interval);
        if rule.frequency == Frequency::Yearly
            && rule.months.len() == 1
            && self.on_date(rule, &mut text)
        {
            return text;
        }
        text.push_str(&self.in_weeks(rule));
        text.push_str(&self.on_days(rule));
        text.push_str(&self.in_months(rule));
        text
    }

    /// "every day", "every second week", "every 3 months".
    fn every(&self, frequency: Frequency, interval: u32) -> String {
        let unit = frequency as usize;
        match (self.0, interval) {
            (Language::English, 1) => format!("every {}", UNITS[unit]),
            (Language::English, 2) => format!("every second {}", UNITS[unit]),
            (Language::English, n) => format!("every {n} {}s", UNITS[unit]),
            (Language::German, 1) => EACH[unit].to_owned(),
            (Language::German, 2) => EACH_SECOND[unit].to_owned(),
            (Language::German, n) => format!("alle {n} {}", EINHEITEN[unit]),
        }
    }

    /// "on 24 December": a yearly rule of a month and days of it.
    fn on_date(&self, rule: &Rule, text: &mut String) -> bool {
        let plain =
            rule.days.is_empty() && rule.week_numbers.is_empty() && rule.year_days.is_empty();
        let positive = !rule.month_days.is_empty() && rule.month_days.iter().all(|day| *day > 0);
        if !plain || !positive || !rule.positions.is_empty() {
            return false;
        }
        let month = self.month(rule.months[0]);
        let days = rule.month_days.iter().map(|day| match self.0 {
            Language::English => day.to_string(),
            Language::German => format!("{day}."),
        });
        let days = self.list(days);
        text.push_str(&format!(" {} {days} {month}", self.pick("on", "am")));
        true
    }

    /// " on the first Monday and the 15th".
    fn on_days(&self, rule: &Rule) -> String {
        let mut parts: Vec<String> = Vec::new();
        let article = self.pick("the ", "");
        let on = self.pick("on", "am");
        let ordinals = rule.days.iter().any(|day| day.ordinal != 0);
        let mut weekdays = Vec::new();
        for day in &rule.days {
            let name = self.weekday(day.weekday);
            match day.ordinal {
                0 if ordinals => parts.push(format!("{} {name}", self.pick("every", "jedem"))),
                0 => weekdays.push(day.weekday),
                n => parts.push(format!("{article}{} {name}", self.place(n))),
            }
        }
        let month_days: Vec<String> = rule.month_days.iter().map(|n| self.month_day(*n)).collect();
        let year_days = rule.year_days.iter().map(|n| match (self.0, *n) {
            (Language::English, n) => format!("the {} day of the year", self.place(n)),
            (Language::German, n) => format!("{} Tag des Jahres", self.place(n)),
        });
        let mut dates = month_days;
        dates.extend(year_days);
        let weekdays = match weekdays.as_slice() {
            [] => String::new(),
            [0, 1, 2, 3, 4] if !rule.positions.is_empty() => self
                .pick("weekday", "Tag von Montag bis Freitag")
                .to_owned(),
            [0, 1, 2, 3, 4] => self.pick("weekdays", "Montag bis Freitag").to_owned(),
            days => self.weekdays(days),
        };
        if !rule.positions.is_empty() {
            // The positions count among all the days that the other parts name.
            let places = self.list(rule.positions.iter().map(|n| self.place(*n)));
            let mut among = parts;
            among.extend(dates);
            if !weekdays.is_empty() {
                among.push(weekdays);
            }
            let among = self.list(among.into_iter());
            let of = match rule.days.len() == 5
                && rule.month_days.is_empty()
                && rule.year_days.is_empty()
                && !ordinals
            {
                true => " ".to_owned(),
                false => self.pick(" of: ", " von: ").to_owned(),
            };
            return format!(" {on} {article}{places}{of}{among}");
        }
        parts.extend(dates);
        let listed = self.list(parts.into_iter());
        match (weekdays.is_empty(), listed.is_empty()) {
            (true, true) => String::new(),
            (false, true) => format!(" {on} {weekdays}"),
            (true, false) => format!(" {on} {listed}{}", self.of_year(rule, ordinals)),
            (false, false) => {
                let only_if = self.pick("if it is a", "falls es ein");
                format!(
                    " {on} {listed}, {only_if} {} {}",
                    weekdays,
                    self.pick("", "ist")
                )
                .trim_end()
                .to_owned()
            }
        }
    }

    fn of_year(&self, rule: &Rule, ordinals: bool) -> &'static str {
        match ordinals && rule.frequency == Frequency::Yearly && rule.months.is_empty() {
            true => self.pick(" of the year", " des Jahres"),
            false => "",
        }
    }

    fn month_day(&self, day: i16) -> String {
        match (self.0, day) {
            (Language::English, 1..) => format!("the {}", self.numbered(day)),
            (Language::German, 1..) => format!("{day}."),
            (Language::English, _) => format!("the {} day", self.place(day)),
            (Language::German, _) => format!("{} Tag", self.place(day)),
        }
    }

    fn in_months(&self, rule: &Rule) -> String {
        match rule.months.is_empty() {
            true => String::new(),
            false => format!(
                " {} {}",
                self.pick("in", "im"),
                self.list(rule.months.iter().map(|n| self.month(*n).to_owned()))
            ),
        }
    }

    fn in_weeks(&self, rule: &Rule) -> String {
        if rule.week_numbers.is_empty() {
            return String::new();
        }
        let week = |n: &i16| match *n {
            1.. => format!("{} {n}", self.pick("week", "Woche")),
            _ => format!(
                "{} {}",
                self.pick(
                    format!("the {}", self.place(*n)),
                    format!("der {}", self.place(*n))
                ),
                self.pick("week", "Woche")
            ),
        };
        format!(" in {}", self.list(rule.week_numbers.iter().map(week)))
    }

    /// "first", "last", "second to last", "12th"; German as it stands after "am" or "der".
    fn place(&self, n: i16) -> String {
        let from_end = n < 0;
        let n = n.unsigned_abs();
        let few = match self.0 {
            Language::English => ["first", "second", "third", "fourth", "fifth"],
            Language::German => ["ersten", "zweiten", "dritten", "vierten", "fünften"],
        };
        let plain = few
            .get(usize::from(n) - 1)
            .map_or_else(|| self.numbered(n as i16), |word| (*word).to_owned());
        match (from_end, n, self.0) {
            (false, ..) => plain,
            (true, 1, _) => self.pick("last", "letzten").to_owned(),
            (true, 2, Language::German) => "vorletzten".to_owned(),
            (true, _, Language::English) => format!("{plain} to last"),
            (true, _, Language::German) => {
                // "drittletzten": the stem of the ordinal.
                match few.get(usize::from(n) - 1) {
                    Some(word) => format!("{}letzten", word.trim_end_matches("en")),
                    None => format!("{n}.-letzten"),
                }
            }
        }
    }

    fn numbered(&self, n: i16) -> String {
        match self.0 {
            Language::German => format!("{n}."),
            Language::English => {
                let ending = match (n % 100, n % 10) {
                    (11..=13, _) => "th",
                    (_, 1) => "st",
                    (_, 2) => "nd",
                    (_, 3) => "rd",
                    _ => "th",
                };
                format!("{n}{ending}")
            }
        }
    }

    fn weekdays(&self, days: &[i8]) -> String {
        self.list(days.iter().map(|day| self.weekday(*day).to_owned()))
    }

    fn weekday(&self, day: i8) -> &'static str {
        self.0.weekdays()[day as usize]
    }

    fn month(&self, month: i16) -> &'static str {
        self.0.months()[month as usize - 1]
    }

    fn date(&self, day: Day, today: Day) -> String {
        let (year, month, of_month) = day.date();
        let month = self.month(month as i16);
        let text = match self.0 {
            Language::English => format!("{of_month} {month}"),
            Language::German => format!("{of_month}. {month}"),
        };
        match year == today.year() {
            true => text,
            false => format!("{text} {year}"),
        }
    }

    /// "a, b and c".
    fn list(&self, items: impl Iterator<Item = String>) -> String {
        let mut items: Vec<String> = items.collect();
        let Some(last) = items.pop() else {
            return String::new();
        };
        match items.is_empty() {
            true => last,
            false => format!("{} {} {last}", items.join(", "), self.pick("and", "und")),
        }
    }
}

const UNITS: [&str; 4] = ["day", "week", "month", "year"];
const EINHEITEN: [&str; 4] = ["Tage", "Wochen", "Monate", "Jahre"];
const EACH: [&str; 4] = ["jeden Tag", "jede Woche", "jeden Monat", "jedes Jahr"];
const EACH_SECOND: [&str; 4] = [
    "jeden zweiten Tag",
    "jede zweite Woche",
    "jeden zweiten Monat",
    "jedes zweite Jahr",
];
