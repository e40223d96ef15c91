//! The pipeline's own work: turns per second on one core when the model takes no time.
//!
//!     cargo bench --bench host -- [--count 12000] [--rounds 3]
//!
//! Runs the program with the scripted model on recipes of this repository, from an empty folder to the finished dataset:
//! planning, prompts, dialogue, guards, facts, journal, reading it back and export are all in the time. Turns of
//! conversations that were turned down count; replies that a guard turned down do not.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints figures"
)]

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Recipes, and how many of `--count` conversations each makes: group chats are longer.
const RECIPES: &[(&str, u64)] = &[
    ("support", 1),
    ("support-lite", 1),
    ("groupchat-personas", 4),
];
const TARGET: f64 = 20_000.0;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut count, mut rounds) = (12_000u64, 3usize);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().ok_or(format!("{word} needs a number"));
        match word.as_str() {
            "--count" => count = number()?.parse()?,
            "--rounds" => rounds = number()?.parse()?,
            "--bench" => {}
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    on_one_core()?;
    println!("| recipe | conversations | turns | turns/s | of {TARGET:.0} |");
    println!("|---|---|---|---|---|");
    for (recipe, part) in RECIPES {
        let mut best: Option<(u64, f64)> = None;
        for _ in 0..rounds.max(1) {
            let (turns, seconds) = run(recipe, count / part)?;
            if best.is_none_or(|(_, other)| seconds < other) {
                best = Some((turns, seconds));
            }
        }
        let (turns, seconds) = best.ok_or("no round")?;
        let speed = turns as f64 / seconds;
        println!(
            "| {recipe} | {} | {turns} | {speed:.0} | {:.2} |",
            count / part,
            speed / TARGET
        );
    }
    Ok(())
}

/// Turns made, and seconds taken.
fn run(recipe: &str, count: u64) -> Result<(u64, f64), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_colloquy"));
        command
            .current_dir(place.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    if !program()
        .args(["init", "bench", "--recipe", recipe])
        .status()?
        .success()
    {
        return Err(format!("cannot copy the recipe {recipe}").into());
    }
    let start = Instant::now();
    let done = program()
        .args(["generate", "bench", "--model", "scripted", "--threads", "1"])
        .args(["--set", &format!("count={count}")])
        .status()?;
    let seconds = start.elapsed().as_secs_f64();
    if !done.success() {
        return Err(format!("the run of {recipe} failed: {done}").into());
    }
    Ok((turns(place.path())?, seconds))
}

/// Turns in the journals below a folder.
fn turns(folder: &Path) -> Result<u64, Box<dyn Error>> {
    let mut found = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found += turns(&path)?;
        } else if path.parent().is_some_and(|dir| dir.ends_with("journal")) {
            let text = std::fs::read_to_string(&path)?;
            found += text.matches("\"speaker\":").count() as u64;
        }
    }
    Ok(found)
}

/// Keeps this process and what it starts on the first core it may use.
#[cfg(target_os = "linux")]
fn on_one_core() -> Result<(), Box<dyn Error>> {
    // SAFETY: both calls read and write `set` alone, which is as large as they are told.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let size = std::mem::size_of_val(&set);
        if libc::sched_getaffinity(0, size, &raw mut set) != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        let most = usize::try_from(libc::CPU_SETSIZE)?;
        let first = (0..most).find(|&core| libc::CPU_ISSET(core, &set));
        libc::CPU_ZERO(&mut set);
        libc::CPU_SET(first.ok_or("no core to run on")?, &mut set);
        if libc::sched_setaffinity(0, size, &raw const set) != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the shape of its twin")]
fn on_one_core() -> Result<(), Box<dyn Error>> {
    println!("cannot choose a core here: all may be used\n");
    Ok(())
}
