use std::path::PathBuf;

use crate::cli::failure::{Code, Failure};
use crate::cli::workshop::Workshop;
use crate::run::{RunDir, RunError, set_aside};
use crate::settings::Stage;

/// The folder of the run that a workshop is for. Where a stage is to be made anew, the run that is there makes room, and the
/// workshop is for one like it with other draws in that stage; the records of earlier stages are taken over from it. Where
/// that was done before, it is so still.
pub fn prepare(workshop: &mut Workshop, redo: Option<Stage>) -> Result<PathBuf, Failure> {
    // By a name that says nothing of it, so that the same command finds it.
    let path = workshop.spec.out.join(workshop.manifest.folder_name());
    let there = match RunDir::open(&path) {
        Ok(dir) => Some(dir),
        Err(RunError::NoRun { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(stage) = redo {
        check(workshop, stage)?;
    }
    let Some(there) = there else {
        return match redo {
            None => Ok(path),
            Some(stage) => Err(Failure::new(
                Code::Missing,
                format!(
                    "--redo {stage}: there is no run yet in {} to make {stage} of anew",
                    path.display()
                ),
            )
            .hint(
                "leave out --redo; or name the recipe, model and settings of the run that is meant",
            )),
        };
    };
    let mut counts = there.manifest().spec.redo.clone();
    if let Some(stage) = redo {
        let aside = set_aside(&path)?;
        *counts.entry(stage).or_default() += 1;
        eprintln!(
            "{stage} anew, and what is made from them; the run as it was is {}",
            aside.display()
        );
    }
    if !counts.is_empty() {
        workshop.redone(counts);
    }
    Ok(path)
}

/// Refuses a stage that the recipe has no work for.
fn check(workshop: &Workshop, stage: Stage) -> Result<(), Failure> {
    let (spec, stages) = (&workshop.spec, &workshop.manifest.stages);
    let given = match stage {
        Stage::Queries => spec.queries.from.as_deref(),
        Stage::Experiences => spec.experiences.from.as_deref(),
        Stage::Products | Stage::Conversations => None,
    };
    let why = match given {
        Some(file) => format!("they are given by {}", file.display()),
        None if !stages.contains_key(&stage) => "the recipe has none".to_owned(),
        None => return Ok(()),
    };
    let others: Vec<&str> = stages.keys().map(|stage| stage.name()).collect();
    Err(Failure::new(Code::Usage, format!("--redo {stage}: {why}"))
        .hint(format!("stages of this recipe: {}", others.join(", "))))
}
