use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::show;
use crate::record::{Marks, Sample};
use crate::report::{Material, Report, page};
use crate::run::RunDir;

/// `report.html`. Of a run it also shows what pages say and what was marked before.
pub fn html(report: &Report, material: &Material, paths: &[PathBuf]) -> Result<String, Failure> {
    let run = match paths {
        [path] if path.is_dir() => Some(RunDir::open(path)?),
        _ => None,
    };
    let samples: Vec<&Sample> = material.samples.iter().collect();
    Ok(page::html(&page::Book {
        report,
        // A run's name outlives a folder that is moved; marks stay with it.
        key: &run.as_ref().map_or_else(
            || report.source.name.clone(),
            |run| run.manifest().folder_name(),
        ),
        samples: &samples,
        pages: &run.as_ref().map(show::pages).unwrap_or_default(),
        marks: &run
            .as_ref()
            .map_or_else(|| Ok(Marks::default()), RunDir::marks)?,
    }))
}
