//! What a model can do on this machine, measured: speed against the physical limit, memory, and how well it plays a
//! support conversation. Measures and counts; printing is the command line's.

pub mod chart;
pub mod curves;
pub mod fitness;
pub mod limit;
pub mod machine;
mod manner;
pub mod speed;

/// What a measurement says while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// What begins now.
    Begins(&'a str),
    /// How far what began has come.
    Done { done: usize, of: usize },
}
