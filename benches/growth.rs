//! Nothing grows faster than its work: turns per second against conversations alive at once and against the pool's size,
//! time per turn against the transcript's length.
//!
//!     cargo bench --bench growth -- [--shape mite,tiny] [--most 512] [--threads N] [--json] [--svg FILE]
//!
//! Weights are random, profile int8, pages f16. Shapes are small, so that what is not the model's arithmetic shows:
//! scheduler, prefix tree, memory, sampler; `--shape smollm2-135m --most 128` shows a real one. The last line with `--json`
//! is one JSON object.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a bench prints figures"
)]

#[path = "growth/load.rs"]
mod load;
#[path = "support/random_model.rs"]
mod random_model;
#[path = "growth/series.rs"]
mod series;

use std::path::PathBuf;

use colloquy::bench::curves::{self, Curve, Panel};
use colloquy::kernels::InstructionSet;
use serde_json::json;

use load::{LONG_TURN_TOKENS, Model, REPLY_TOKENS, SYSTEM_TOKENS, TURNS};
use series::{Series, WAITING};

struct Options {
    shapes: Vec<String>,
    most: usize,
    threads: usize,
    json: bool,
    svg: Option<PathBuf>,
}

fn options() -> Result<Options, String> {
    let mut o = Options {
        shapes: vec!["mite".into(), "tiny".into()],
        most: 512,
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        json: false,
        svg: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--shape" => o.shapes = value()?.split(',').map(str::to_owned).collect(),
            "--most" => o.most = value()?.parse().map_err(|_| "--most takes a number")?,
            "--threads" => o.threads = value()?.parse().map_err(|_| "--threads takes a number")?,
            "--json" => o.json = true,
            "--svg" => o.svg = Some(value()?.into()),
            "--bench" => {}
            other => return Err(format!("unknown option {other}")),
        }
    }
    let unknown = |shape: &&String| random_model::config(shape).is_none();
    if let Some(shape) = o.shapes.iter().find(unknown) {
        return Err(format!("no shape {shape}"));
    }
    Ok(o)
}

/// One shape's three series.
struct Measured {
    shape: String,
    alive: Series,
    length: Series,
    pool: Series,
}

fn main() {
    let o = options().unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(2);
    });
    // Named before minutes of work, not after.
    if let Some(path) = &o.svg
        && let Err(error) = std::fs::write(path, "")
    {
        eprintln!("{}: {error}", path.display());
        std::process::exit(1);
    }
    let mut all = Vec::new();
    for shape in &o.shapes {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let model =
            Model::write(shape, folder.path(), o.threads).expect("random weights can be written");
        all.push(measure(&model, o.most));
    }
    let set = InstructionSet::detect().name();
    if let Some(path) = &o.svg {
        let about = format!(
            "{} · int8, f16 pages · {} threads · {set}",
            o.shapes.join(", "),
            o.threads
        );
        let picture = curves::svg("Growth with the work", &about, &panels(&all));
        std::fs::write(path, picture).expect("the file could be written before");
    }
    for m in &all {
        println!(
            "{}: worst growth {:.2} with conversations alive, {:.2} with transcript length, {:.2} with the pool's size",
            m.shape,
            m.alive.worst(),
            m.length.worst(),
            m.pool.worst()
        );
    }
    if o.json {
        let shapes = all.iter().map(|m| {
            json!({
                "shape": m.shape,
                "alive": m.alive.json("conversations"),
                "length": m.length.json("transcript_tokens"),
                "pool": m.pool.json("pool_conversations"),
            })
        });
        let shapes: Vec<_> = shapes.collect();
        let report = json!({
            "profile": "int8", "kv": "f16", "kernels": set, "threads": o.threads,
            "system_tokens": SYSTEM_TOKENS, "reply_tokens": REPLY_TOKENS, "turns": TURNS,
            "shapes": shapes,
        });
        println!("{report}");
    }
}

/// Runs the series of a model, with a table each.
fn measure(model: &Model, most: usize) -> Measured {
    println!(
        "{}: conversations alive at once ({} to {} turns of {REPLY_TOKENS} tokens, two agents with system prompts of {SYSTEM_TOKENS})",
        model.shape, TURNS.0, TURNS.1
    );
    let alive = series::alive(model, most);
    turns_table("alive", &alive);

    println!(
        "\n{}: transcript length (one transcript alone, {LONG_TURN_TOKENS} more tokens a turn, {REPLY_TOKENS} of them generated)",
        model.shape
    );
    let length = series::length(model);
    length_table(model, &length);

    println!(
        "\n{}: pool size in conversations ({WAITING} conversations that wait for room)",
        model.shape
    );
    let pool = series::pool(model, &alive);
    turns_table("pool", &pool);
    println!();
    Measured {
        shape: model.shape.clone(),
        alive,
        length,
        pool,
    }
}

fn turns_table(name: &str, series: &Series) {
    println!(
        "| {name} | turns/s | ms/turn | rows/step | prompt tokens/turn | host | between | growth |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for point in &series.points {
        let (run, did) = (&point.run, &point.run.did);
        println!(
            "| {} | {:.1} | {:.3} | {:.1} | {:.1} | {:.1} % | {:.1} % | {:.2} |",
            point.at,
            run.turns_per_s(),
            run.ms_per_turn(),
            (did.prefill + did.turns * (REPLY_TOKENS - 1) as f64) / did.steps,
            did.prefill / did.turns,
            100.0 * run.host(),
            100.0 * run.between(),
            point.growth
        );
    }
}

fn length_table(model: &Model, series: &Series) {
    println!(
        "| tokens | ms/turn | in forward | elsewhere | attention MFLOP/turn | expected ms | prompt tokens/turn | host | growth |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let per_key = 4.0 * (model.spec.layers * model.spec.heads * model.spec.head_dim) as f64;
    for (point, expected) in series.points.iter().zip(&series.reference) {
        let (run, did) = (&point.run, &point.run.did);
        println!(
            "| {} | {:.3} | {:.3} | {:.3} | {:.2} | {:.3} | {:.1} | {:.1} % | {:.2} |",
            point.at,
            run.ms_per_turn(),
            did.forward * 1e3,
            (run.seconds - did.forward) * 1e3,
            per_key * did.keys / 1e6,
            expected.1,
            did.prefill,
            100.0 * run.host(),
            point.growth
        );
    }
}

/// What a chart shows of a shape: its points, and the series that they belong to.
type Values = fn(&Measured) -> (Vec<(f64, f64)>, &Series);

/// Three charts: measured lines of every shape, each with what it is compared with.
fn panels(all: &[Measured]) -> Vec<Panel> {
    let chart = |title: &str, x: &str, y: &str, other: &str, of: Values| {
        let curves = all.iter().enumerate().flat_map(|(place, m)| {
            let (points, series) = of(m);
            let curve = |name: String, is_reference, points| Curve {
                name,
                place,
                is_reference,
                points,
            };
            let measured = curve(m.shape.clone(), false, points);
            let reference = curve(
                format!("{}, {other}", m.shape),
                true,
                series.reference.clone(),
            );
            let has_reference = !reference.points.is_empty();
            [Some(measured), has_reference.then_some(reference)]
        });
        Panel {
            title: title.into(),
            x: x.into(),
            y: y.into(),
            curves: curves.flatten().collect(),
        }
    };
    vec![
        chart(
            "Conversations alive at once",
            "conversations",
            "turns per second",
            "",
            |m| (turns(&m.alive), &m.alive),
        ),
        chart(
            "Length of the transcript",
            "tokens",
            "milliseconds per turn",
            "a constant and its attention",
            |m| {
                let points = m.length.points.iter();
                let time = points.map(|p| (p.at as f64, p.run.ms_per_turn()));
                (time.collect(), &m.length)
            },
        ),
        chart(
            &format!("Size of the pool, {WAITING} conversations"),
            "conversations that the pool holds",
            "turns per second",
            "as many alive",
            |m| (turns(&m.pool), &m.pool),
        ),
    ]
}

fn turns(series: &Series) -> Vec<(f64, f64)> {
    let points = series.points.iter();
    points.map(|p| (p.at as f64, p.run.turns_per_s())).collect()
}
