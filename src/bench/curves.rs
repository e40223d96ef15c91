//! Line charts side by side on logarithmic axes, as one SVG file that needs nothing else: how something grows.

use std::fmt::Write;

use super::chart::{colour, count, escape, head, short};

/// A line through measured points.
#[derive(Clone, Debug)]
pub struct Curve {
    pub name: String,
    /// Curves of one place have one colour.
    pub place: usize,
    /// What is compared with, not what was measured: drawn with dashes, without marks.
    pub is_reference: bool,
    /// Points by x; those that a logarithm cannot show are left out.
    pub points: Vec<(f64, f64)>,
}

/// One chart.
#[derive(Clone, Debug)]
pub struct Panel {
    pub title: String,
    /// What the axes measure, with the unit.
    pub x: String,
    pub y: String,
    pub curves: Vec<Curve>,
}

const PANEL_WIDTH: f64 = 300.0;
const LEFT: f64 = 58.0;
const GAP: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 92.0;
const PANEL: f64 = 210.0;
const LINE: f64 = 18.0;
/// Characters of a label on the x axis need about this much.
const LABEL: f64 = 34.0;

/// The picture. `about` is the line below the title: machine and settings.
#[must_use]
pub fn svg(title: &str, about: &str, panels: &[Panel]) -> String {
    let width = LEFT + RIGHT + count(panels.len().max(1)) * (PANEL_WIDTH + GAP) - GAP;
    let lines = panels.iter().map(|panel| panel.curves.len()).max();
    let height = TOP + PANEL + 62.0 + LINE * count(lines.unwrap_or(0));
    let titles: Vec<&str> = panels.iter().map(|panel| panel.title.as_str()).collect();
    let mut out = head(
        width,
        height,
        title,
        &format!("Line charts: {}.", titles.join("; ")),
    );
    let _ = writeln!(
        out,
        r#"<text x="{LEFT}" y="26" class="strong" font-size="17" font-weight="600">{}</text>
<text x="{LEFT}" y="46" font-size="12">{}</text>"#,
        escape(title),
        escape(about)
    );
    for (at, panel) in panels.iter().enumerate() {
        draw(&mut out, LEFT + count(at) * (PANEL_WIDTH + GAP), panel);
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, left: f64, panel: &Panel) {
    let shown = |&(x, y): &(f64, f64)| x > 0.0 && y > 0.0 && x.is_finite() && y.is_finite();
    let points = || panel.curves.iter().flat_map(|c| &c.points);
    let (x_axis, y_axis) = (
        Axis::over(points().filter(|p| shown(p)).map(|p| p.0), false),
        Axis::over(points().filter(|p| shown(p)).map(|p| p.1), true),
    );
    let (bottom, middle) = (TOP + PANEL, left + PANEL_WIDTH / 2.0);
    let x_of = |x: f64| left + x_axis.share(x) * PANEL_WIDTH;
    let y_of = |y: f64| bottom - y_axis.share(y) * PANEL;
    let _ = writeln!(
        out,
        r#"<text x="{left:.0}" y="{:.0}" class="strong" font-size="14" font-weight="600">{}</text>"#,
        TOP - 14.0,
        escape(&panel.title)
    );
    for tick in y_axis.ticks() {
        let y = y_of(tick);
        let _ = writeln!(
            out,
            r##"<line x1="{left:.0}" y1="{y:.1}" x2="{:.0}" y2="{y:.1}" class="grid" stroke="#767676" stroke-opacity="0.35"/><text x="{:.0}" y="{:.1}" font-size="11" text-anchor="end">{}</text>"##,
            left + PANEL_WIDTH,
            left - 8.0,
            y + 4.0,
            label(tick),
        );
    }
    // The places on the x axis are those that were measured, as far as their labels have room.
    let mut places: Vec<f64> = points().filter(|p| shown(p)).map(|p| p.0).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let mut free_from = f64::NEG_INFINITY;
    for x in places.into_iter().filter(|x| {
        let room = x_of(*x) >= free_from;
        free_from = if room { x_of(*x) + LABEL } else { free_from };
        room
    }) {
        let _ = writeln!(
            out,
            r##"<line x1="{0:.1}" y1="{bottom:.0}" x2="{0:.1}" y2="{1:.0}" class="grid" stroke="#767676"/><text x="{0:.1}" y="{2:.0}" font-size="11" text-anchor="middle">{x:.0}</text>"##,
            x_of(x),
            bottom + 4.0,
            bottom + 18.0,
        );
    }
    let (centre, side) = (f64::midpoint(TOP, bottom), left - 44.0);
    let _ = writeln!(
        out,
        r#"<text x="{middle:.0}" y="{:.0}" font-size="12" text-anchor="middle">{}</text>
<text x="{side:.0}" y="{centre:.0}" font-size="12" text-anchor="middle" transform="rotate(-90 {side:.0} {centre:.0})">{}</text>"#,
        bottom + 36.0,
        escape(&panel.x),
        escape(&panel.y)
    );
    for (at, curve) in panel.curves.iter().enumerate() {
        let (fill, dash) = (
            colour(curve.place),
            if curve.is_reference {
                r#" stroke-dasharray="5 4" stroke-opacity="0.75""#
            } else {
                ""
            },
        );
        let path: Vec<String> = curve
            .points
            .iter()
            .filter(|p| shown(p))
            .map(|&(x, y)| format!("{:.1},{:.1}", x_of(x), y_of(y)))
            .collect();
        let _ = writeln!(
            out,
            r#"<polyline points="{}" fill="none" stroke="{fill}" stroke-width="2"{dash}/>"#,
            path.join(" ")
        );
        for &(x, y) in curve.points.iter().filter(|p| shown(p)) {
            if !curve.is_reference {
                let _ = writeln!(
                    out,
                    r#"<circle cx="{:.1}" cy="{:.1}" r="3" fill="{fill}"><title>{}, {x:.0}: {}</title></circle>"#,
                    x_of(x),
                    y_of(y),
                    escape(&curve.name),
                    short(y),
                );
            }
        }
        let y = bottom + 58.0 + LINE * count(at);
        let _ = writeln!(
            out,
            r#"<line x1="{left:.0}" y1="{:.0}" x2="{:.0}" y2="{:.0}" stroke="{fill}" stroke-width="2"{dash}/><text x="{:.0}" y="{y:.0}" font-size="12">{}</text>"#,
            y - 4.0,
            left + 22.0,
            y - 4.0,
            left + 30.0,
            escape(&curve.name)
        );
    }
}

/// A logarithmic axis.
struct Axis {
    least: f64,
    most: f64,
}

impl Axis {
    /// Reaches over all values; a round one to round numbers, at least one power of ten.
    fn over(values: impl Iterator<Item = f64>, round: bool) -> Self {
        let (least, most) = values.fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), v| {
            (least.min(v), most.max(v))
        });
        let (least, most) = if most > 0.0 {
            (least, most)
        } else {
            (1.0, 10.0)
        };
        if !round {
            let most = if most > least { most } else { least * 2.0 };
            return Self { least, most };
        }
        let bounds = rounds(least / 10.0, most * 10.0);
        let below = bounds.iter().rfind(|&&b| b <= least * 1.000_001);
        let least = *below.unwrap_or(&least);
        let enough = |&&b: &&f64| b >= most * 0.999_999 && b >= least * 9.999_999;
        let most = *bounds.iter().find(enough).unwrap_or(&most);
        Self { least, most }
    }

    fn share(&self, value: f64) -> f64 {
        (value / self.least).ln() / (self.most / self.least).ln()
    }

    /// Round numbers on the axis: 1, 2 and 5 times powers of ten, or these powers alone where there are many.
    fn ticks(&self) -> Vec<f64> {
        let all = rounds(self.least * 0.999_999, self.most * 1.000_001);
        if all.len() <= 9 {
            return all;
        }
        let is_power = |tick: &f64| (tick.log10() - tick.log10().round()).abs() < 1e-6;
        all.into_iter().filter(is_power).collect()
    }
}

/// 1, 2 and 5 times powers of ten between two numbers.
fn rounds(from: f64, to: f64) -> Vec<f64> {
    let mut power = 10f64.powf(from.log10().floor());
    let mut all = Vec::new();
    while power <= to {
        all.extend([1.0, 2.0, 5.0].map(|n| n * power));
        power *= 10.0;
    }
    all.retain(|n| (from..=to).contains(n));
    all
}

/// A round number, without the dust of its making.
fn label(tick: f64) -> String {
    if tick >= 1.0 {
        short(tick.round())
    } else {
        let text = format!("{tick:.6}");
        text.trim_end_matches('0').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::chart::tests::is_well_formed;
    use super::*;

    fn panel(points: &[(f64, f64)]) -> Panel {
        let curve = |name: &str, is_reference| Curve {
            name: name.into(),
            place: 0,
            is_reference,
            points: points.to_vec(),
        };
        Panel {
            title: "Turns & \"more\"".into(),
            x: "conversations <alive>".into(),
            y: "turns/s".into(),
            curves: vec![curve("tiny", false), curve("expected", true)],
        }
    }

    #[test]
    fn the_picture_is_well_formed_and_shows_every_point() {
        let picture = svg(
            "Growth",
            "a & b",
            &[panel(&[(1.0, 10.0), (512.0, 4000.0)]), panel(&[])],
        );
        is_well_formed(&picture).unwrap();
        assert_eq!(picture.matches("<circle").count(), 2);
        assert_eq!(picture.matches("<polyline").count(), 4);
        for text in ["tiny, 512: 4000", "conversations &lt;alive&gt;", ">5000<"] {
            assert!(picture.contains(text), "{text}\n{picture}");
        }
        assert!(!picture.contains("href") && !picture.contains("NaN") && !picture.contains("inf"));
    }

    #[test]
    fn what_a_logarithm_cannot_show_is_left_out() {
        let points = [(0.0, 1.0), (1.0, 0.0), (2.0, f64::NAN), (4.0, 3.0)];
        let picture = svg("", "", &[panel(&points)]);
        is_well_formed(&picture).unwrap();
        assert_eq!(picture.matches("<circle").count(), 1);
        assert!(!picture.contains("NaN") && !picture.contains("inf"));
        is_well_formed(&svg("", "", &[])).unwrap();
    }

    #[test]
    fn equal_factors_are_equal_lengths() {
        let axis = Axis::over([3.0, 470.0].into_iter(), true);
        assert!((axis.least - 2.0).abs() < 1e-9 && (axis.most - 500.0).abs() < 1e-6);
        let step = |a: f64, b: f64| axis.share(b) - axis.share(a);
        assert!((step(2.0, 20.0) - step(20.0, 200.0)).abs() < 1e-9);
        assert!(axis.share(2.0).abs() < 1e-9 && (axis.share(500.0) - 1.0).abs() < 1e-9);
        let ticks: Vec<String> = axis.ticks().into_iter().map(label).collect();
        assert_eq!(
            ticks,
            ["2", "5", "10", "20", "50", "100", "200", "500"].map(String::from)
        );
    }

    #[test]
    fn an_axis_of_one_value_is_still_an_axis() {
        for round in [true, false] {
            let axis = Axis::over([0.3].into_iter(), round);
            let share = axis.share(0.3);
            assert!(axis.most > axis.least && (0.0..=1.0).contains(&share));
        }
        assert_eq!(label(0.2), "0.2");
    }
}
