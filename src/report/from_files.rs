use std::path::Path;

use super::{Material, Part, Source};
use crate::import::{ForeignFormat, ImportError, Imported};

impl Material {
    /// What files hold, one after the other. `each` is told the name of every file before it is read.
    ///
    /// # Errors
    /// When one of them cannot be read or used.
    pub fn of_files(
        paths: &[&Path],
        format: Option<ForeignFormat>,
        mut each: impl FnMut(&Path),
    ) -> Result<Self, ImportError> {
        let mut material = Self::default();
        let mut facts = Vec::new();
        for path in paths {
            each(path);
            let Imported {
                samples,
                format,
                skipped,
            } = crate::import::read(path, format)?;
            let start = material.samples.len();
            material.samples.extend(samples);
            let part = Part {
                name: path.display().to_string(),
                format,
                samples: start..material.samples.len(),
            };
            facts.push((
                part.name.clone(),
                format!("{} conversations, as {}", part.samples.len(), format.name()),
            ));
            if !skipped.is_empty() {
                facts.push(("left out".to_owned(), skipped.to_string()));
            }
            material.source.skipped += usize::try_from(skipped.rows).unwrap_or(usize::MAX);
            material.files.push(part);
        }
        let names: Vec<&str> = material
            .files
            .iter()
            .map(|file| file.name.as_str())
            .collect();
        let kept = material.samples.iter().filter(|sample| sample.is_kept());
        let demo = |value: &String| value == "true";
        material.source = Source {
            name: names.join(", "),
            facts,
            conversations: kept.clone().count(),
            turns: kept.map(|sample| sample.turns.len()).sum(),
            demo: material
                .samples
                .iter()
                .any(|sample| sample.fields.get("demo").is_some_and(demo)),
            skipped: material.source.skipped,
        };
        Ok(material)
    }
}
