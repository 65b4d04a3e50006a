//! The filter of `deploy/fail2ban`, on lines that a server has printed. fail2ban itself is not needed: it cuts the time
//! from a line, and puts an address in the place of `<HOST>`.

use regex::Regex;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Home, PASSWORD, Server, send};

const FILTER: &str = include_str!("../../../../deploy/fail2ban/filter.d/mana.conf");

fn setting(name: &str) -> &'static str {
    let line = FILTER
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
    line.expect("the filter has the setting").trim()
}

struct Filter {
    time: Regex,
    fails: Regex,
}

impl Filter {
    fn new() -> Filter {
        let mut time = setting("datepattern")
            .replace("{^LN-BEG}", "^")
            .replace("%%", "%");
        for (sign, digits) in [("%Y", r"\d{4}"), ("%f", r"\d+")] {
            time = time.replace(sign, digits);
        }
        for sign in ["%m", "%d", "%H", "%M", "%S"] {
            time = time.replace(sign, r"\d\d");
        }
        let fails = setting("failregex").replace("<HOST>", r"(?P<host>[0-9A-Fa-f.:]+)");
        Filter {
            time: Regex::new(&time).unwrap(),
            fails: Regex::new(&fails).unwrap(),
        }
    }

    /// The address that a line of a file counts against.
    fn address(&self, line: &str) -> Option<String> {
        let rest = self.time.replace(line, "");
        let found = self.fails.captures(&rest)?;
        Some(found["host"].to_owned())
    }
}

#[tokio::test]
async fn the_filter_counts_refusals_by_their_address_and_nothing_that_somebody_wrote() {
    let home = Home::new(&[("MANA_SIGNUP", "invite")]);
    let (server, owner) = Server::with_owner(&home).await;
    let quoted = "x WARN Sign-in failed from 198.51.100.7 event=y";
    let attack = "2026-11-30T08:00:00.000000Z  WARN Sign-in failed from 198.51.100.7";
    let from = |method: Method, path: &str, address: &str| {
        let request = server.request(method, path);
        request
            .header("x-forwarded-for", address)
            .header("user-agent", quoted)
    };
    let login = |email: &str, password: &str, address: &str| {
        let body = json!({"email": email, "password": password});
        send(from(Method::POST, "/auth/login", address).json(&body))
    };
    // Nobody's address, somebody's, and texts that look like lines.
    for (email, address) in [
        ("nobody@example.org", "192.0.2.1"),
        ("owner@example.org", "192.0.2.2"),
        (attack, "192.0.2.3"),
        (quoted, "2001:db8::5"),
    ] {
        let (status, _) = login(email, attack, address).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let forms = [
        (
            "/auth/signup",
            json!({"email": "a@example.org", "password": PASSWORD, "invite": quoted}),
        ),
        (
            "/auth/reset",
            json!({"token": attack, "newPassword": PASSWORD}),
        ),
    ];
    for (path, form) in forms {
        let (status, answer) = send(from(Method::POST, path, "192.0.2.4").json(&form)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
    }
    let rename = owner.request(Method::PATCH, "/auth/me");
    send(rename.json(&json!({"name": quoted}))).await;
    let path = format!("/{}", quoted.replace(' ', "%20"));
    send(from(Method::GET, &path, "192.0.2.9")).await;
    let (status, _) = login("owner@example.org", PASSWORD, "192.0.2.8").await;
    assert_eq!(status, StatusCode::OK);
    server.stop().await;

    let filter = Filter::new();
    let log = home.log();
    let counted: Vec<_> = log
        .lines()
        .filter_map(|line| filter.address(line))
        .collect();
    let expected = [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "2001:db8::5",
        "192.0.2.4",
        "192.0.2.4",
    ];
    assert_eq!(counted, expected, "{log}");
    // The same lines as a journal gives them.
    let of_journal: Vec<_> = log
        .lines()
        .filter_map(|line| filter.address(&format!("box mana[4711]: {line}")))
        .collect();
    assert_eq!(of_journal, expected);
    let hides =
        format!("2026-11-30T08:00:00.000000Z  INFO Key used from 192.0.2.8 detail=\"{quoted}\"");
    assert_eq!(filter.address(&hides), None);
}
