//! The device's clock and the form of times (T1, T5, T6).

use mana_core::{Clock, Micros};
use proptest::prelude::*;

fn at(text: &str) -> Micros {
    Micros::parse(text).expect("a time")
}

#[test]
fn sync_t1_times_are_read_at_any_offset_and_precision_and_written_one_way() {
    let cases = [
        ("2026-01-31T08:00:00Z", "2026-01-31T08:00:00.000000Z"),
        ("2026-01-31t08:00:00.5z", "2026-01-31T08:00:00.500000Z"),
        (
            "2026-01-31 08:00:00.1234567899Z",
            "2026-01-31T08:00:00.123456Z",
        ),
        ("2026-01-31T00:30:00+01:00", "2026-01-30T23:30:00.000000Z"),
        ("2026-01-31T23:30:00-00:45", "2026-02-01T00:15:00.000000Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-30T22:00:00Z", "9999-12-30T22:00:00.000000Z"),
    ];
    for (text, written) in cases {
        assert_eq!(at(text).to_string(), written);
        assert_eq!(
            serde_json::to_string(&at(text)).unwrap(),
            format!("\"{written}\"")
        );
    }
    assert_eq!(at("1969-12-31T23:59:59.999999Z"), Micros(-1));
    assert_eq!(Micros(-1).millis(), -1);
}

#[test]
fn sync_t1_what_is_no_time_is_refused() {
    let cases = [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T08:00:00",
        "2026-01-31T08:00Z",
        "2026-01-31T08:00:00.Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T08:61:00Z",
        "2026-01-31T08:00:61Z",
        "2023-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-31T08:00:00+0100",
        "2026-01-31T08:00:00+24:00",
        "2026-01-31T08:00:00Z[UTC]",
        "2026-01-31T08:00:00Zz",
        "+002026-01-31T08:00:00Z",
        "２026-01-31T08:00:00Z",
    ];
    for text in cases {
        assert!(Micros::parse(text).is_err(), "{text:?} is no time");
    }
}

#[test]
fn sync_t5_the_clock_never_gives_a_stamp_twice_or_one_before() {
    let mut clock = Clock::default();
    assert_eq!(clock.tick(Micros(100)), Micros(100));
    assert_eq!(clock.tick(Micros(100)), Micros(101));
    assert_eq!(clock.tick(Micros(50)), Micros(102));
    assert_eq!(clock.tick(Micros(200)), Micros(200));
}

#[test]
fn sync_t6_the_clock_follows_the_servers_and_forgets_stamps_from_the_future() {
    let mut clock = Clock::default();
    clock.tick(Micros(1_000_000_000));
    clock.observe(Micros(500_000), Micros(1_000_000_000));
    assert_eq!(clock.tick(Micros(1_000_000_010)), Micros(500_010));
    // Within the tolerance nothing was set back, so nothing may repeat.
    clock.tick(Micros(1_000_000_010 + 30_000_000));
    let last = clock.last;
    clock.observe(Micros(500_020), Micros(1_000_000_020));
    assert_eq!(clock.tick(Micros(1_000_000_030)), last.plus(1));
}

proptest! {
    #[test]
    fn sync_t1_text_and_integer_sort_alike(
        a in -62_135_596_800_000_000_i64..253_402_200_000_000_000,
        d in 0..3_000_000_i64,
    ) {
        let (a, b) = (Micros(a), Micros(a + d));
        prop_assert_eq!(at(&a.to_string()), a);
        prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
    }
}
