//! Lines on logarithmic axes, as SVG.

use std::fmt::Write as _;

/// A line: its name and its points.
pub type Series = (String, Vec<(f64, f64)>);

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 34.0;
const COLOURS: [&str; 4] = ["#1a56b0", "#b0561a", "#3a7d2c", "#777777"];

/// A picture of several charts beside each other: `(title, names of the two axes, lines)`.
pub fn svg(charts: &[(&str, [&str; 2], Vec<Series>)]) -> String {
    let width = charts.len() as f64 * (WIDTH + LEFT + 30.0);
    let height = HEIGHT + TOP + 64.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (index, chart) in charts.iter().enumerate() {
        let x = index as f64 * (WIDTH + LEFT + 30.0);
        let _ = writeln!(out, "<g transform=\"translate({x} 0)\">");
        one(&mut out, chart);
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    out
}

fn one(out: &mut String, (title, axes, lines): &(&str, [&str; 2], Vec<Series>)) {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let (x0, x1) = decades(points().map(|point| point.0));
    let (y0, y1) = decades(points().map(|point| point.1));
    let x = |value: f64| LEFT + (value.log10() - x0) / (x1 - x0) * WIDTH;
    let y = |value: f64| TOP + HEIGHT - (value.log10() - y0) / (y1 - y0) * HEIGHT;
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"18\" font-size=\"14\">{title}</text>"
    );
    let mut decade = x0;
    while decade <= x1 {
        let (at, label) = (x(10_f64.powf(decade)), name(decade));
        let _ = writeln!(
            out,
            "<path d=\"M{at:.1} {TOP}V{:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            TOP + HEIGHT,
            TOP + HEIGHT + 18.0
        );
        decade += 1.0;
    }
    let mut decade = y0;
    while decade <= y1 {
        let (at, label) = (y(10_f64.powf(decade)), name(decade));
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT + WIDTH,
            LEFT - 6.0,
            at + 4.0
        );
        decade += 1.0;
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text x=\"{LEFT}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
        LEFT + WIDTH / 2.0,
        TOP + HEIGHT + 36.0,
        axes[0],
        TOP - 4.0,
        axes[1]
    );
    for ((name, points), colour) in lines.iter().zip(COLOURS) {
        let path: Vec<String> = points
            .iter()
            .map(|point| format!("{:.1} {:.1}", x(point.0), y(point.1)))
            .collect();
        let _ = writeln!(
            out,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join("L")
        );
        for point in points {
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(point.0),
                y(point.1)
            );
        }
        if let Some(last) = points.last() {
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>",
                x(last.0),
                y(last.1) - 8.0
            );
        }
    }
}

/// The powers of ten around all values.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| *value > 0.0)
        .map(f64::log10)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    if low > high {
        return (0.0, 1.0);
    }
    let low = low.floor();
    (low, high.ceil().max(low + 1.0))
}

fn name(decade: f64) -> String {
    match decade {
        d if d >= 6.0 => format!("{} M", 10_f64.powf(d - 6.0)),
        d if d >= 3.0 => format!("{} k", 10_f64.powf(d - 3.0)),
        d if d >= 0.0 => format!("{}", 10_f64.powf(d)),
        d => format!("{:.*}", -d as usize, 10_f64.powf(d)),
    }
}
