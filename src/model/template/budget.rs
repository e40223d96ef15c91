//! What one rendering may cost. Templates come with models, and models come from anywhere: a loop that doubles a text ten
//! times a line must end in an error and not in the machine's last byte.
//!
//! Costs are counted, never timed, so that a conversation is refused on every machine or on none.

use std::cell::Cell;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// Units that one rendering may spend: one per turn of a loop, per element looked at, per few bytes made.
const UNITS: u64 = 20_000_000;
/// Instructions that one rendering may run, in minijinja's count.
pub(super) const INSTRUCTIONS: u64 = 20_000_000;
/// The largest single value, and the longest output, in bytes.
pub(super) const LARGEST_BYTES: usize = 16 << 20;
/// Lists in lists deeper than this are refused: printing or dropping them would take a stack frame each.
const DEEPEST: usize = 64;
/// What an element of a list weighs beside its content, in bytes.
const ELEMENT_BYTES: usize = 16;

/// A rendering went over its budget.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Exhausted(pub(super) &'static str);

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(0) };
    /// The largest value made so far: what an instruction may have to look at.
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// Begins a rendering on this thread; `bytes` is the largest thing it starts with.
pub(super) fn begin(bytes: usize) {
    LEFT.set(UNITS);
    LARGEST.set(bytes);
}

fn exhausted(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what).with_source(Exhausted(what))
}

fn spend(units: usize) -> Result<(), Error> {
    let left = LEFT.get().checked_sub(units as u64);
    LEFT.set(left.unwrap_or(0));
    left.map(drop)
        .ok_or_else(|| exhausted("it does too much work for one conversation"))
}

/// One turn of a loop.
pub(super) fn tick() -> Result<bool, Error> {
    spend(1 + LARGEST.get() / 1024)?;
    Ok(false)
}

/// Some bytes are about to be made.
pub(super) fn make(bytes: Option<usize>) -> Result<(), Error> {
    match bytes {
        Some(bytes) if bytes <= LARGEST_BYTES => {
            LARGEST.set(LARGEST.get().max(bytes));
            spend(1 + bytes / 4)
        }
        _ => Err(exhausted("it makes a value of more than 16 MiB")),
    }
}

/// Looks at a value before it is handed on. What it holds is bounded then, in size and in depth.
pub(super) fn weigh(value: &Value) -> Result<(), Error> {
    measure(value).map(drop)
}

/// Looks at a list or a mapping that the template has put together.
pub(super) fn built(value: &Value) -> Result<(), Error> {
    let bytes = measure(value)?;
    LARGEST.set(LARGEST.get().max(bytes));
    Ok(())
}

/// The bytes a value would take if nothing in it were shared.
pub(super) fn measure(value: &Value) -> Result<usize, Error> {
    weight(value, 0, LARGEST_BYTES)
}

fn weight(value: &Value, depth: usize, room: usize) -> Result<usize, Error> {
    if depth > DEEPEST {
        return Err(exhausted("it puts lists into lists without end"));
    }
    spend(1)?;
    let mut bytes = ELEMENT_BYTES;
    match value.kind() {
        ValueKind::String => {
            let length = value.as_str().map_or(0, str::len);
            spend(length / 4096)?;
            bytes += length;
        }
        // What does not know its length may be read only once.
        ValueKind::Seq | ValueKind::Iterable if value.len().is_some() => {
            for item in value.try_iter()? {
                bytes += weight(&item, depth + 1, room.saturating_sub(bytes))?;
            }
        }
        ValueKind::Map => {
            for key in value.try_iter()? {
                let item = value.get_item(&key).unwrap_or_default();
                bytes += weight(&key, depth + 1, room.saturating_sub(bytes))?;
                bytes += weight(&item, depth + 1, room.saturating_sub(bytes))?;
            }
        }
        _ => {}
    }
    if bytes > room {
        return Err(exhausted("it makes a value of more than 16 MiB"));
    }
    Ok(bytes)
}
