//! `colloquy models verify`

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use console::Style;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::sizes::size;
use crate::cli::failure::{Code, Failure};
use crate::cli::workshop::cache_places;
use crate::hub::{self, Checked, Finding, HubError, ModelRef};
use crate::settings::Environment;

pub fn verify(reference: &str, as_json: bool) -> Result<ExitCode, Failure> {
    if reference == "demo" {
        return Err(Failure::new(
            Code::Usage,
            "the demo model is part of the program: there are no files to check",
        ));
    }
    let places = cache_places(&Environment::from_process());
    let (folder, blobs, missing) = match hub::resolve(reference, &places) {
        Ok(files) => {
            let blobs = files.repository.as_ref().and_then(|_| blobs_of(&files.dir));
            (files.dir, blobs, None)
        }
        // What is there is worth a look all the same.
        Err(error @ HubError::Incomplete { .. }) => {
            let HubError::Incomplete { folder, .. } = &error else {
                return Err(error.into());
            };
            let cached = matches!(ModelRef::parse(reference), Ok(ModelRef::Repo { .. }));
            let blobs = cached.then(|| blobs_of(folder)).flatten();
            let told = error.to_string();
            let told = told.lines().next().unwrap_or_default().to_owned();
            (folder.clone(), blobs, Some(told))
        }
        Err(error) => return Err(error.into()),
    };
    let findings = check(&folder, blobs.as_deref())?;
    // A GGUF file is a model by itself.
    let ends = |ending: &str| {
        findings
            .iter()
            .any(|finding| finding.name.ends_with(ending))
    };
    let missing = missing.filter(|_| ends(".safetensors") || !ends(".gguf"));
    let unfinished = blobs.as_deref().map_or(0, unfinished_bytes);
    let facts = json!({
        "reference": reference,
        "folder": folder,
        "files": findings.iter().map(row).collect::<Vec<_>>(),
        "missing": missing,
        "unfinished_bytes": unfinished,
    });
    crate::cli::print(&if as_json {
        format!("{facts}\n")
    } else {
        table(&facts)
    })?;
    judge(reference, &findings, missing, blobs.is_some())
}

/// `blobs` beside the `snapshots` that a folder of the cache lies in, at whatever depth.
fn blobs_of(folder: &Path) -> Option<PathBuf> {
    let is = |above: &&Path| above.file_name().is_some_and(|name| name == "snapshots");
    Some(folder.ancestors().find(is)?.with_file_name("blobs"))
}

fn check(folder: &Path, blobs: Option<&Path>) -> Result<Vec<Finding>, Failure> {
    let bar = if std::io::stderr().is_terminal() {
        super::bytes_bar("checked")
    } else {
        ProgressBar::hidden()
    };
    bar.set_length(files_bytes(folder));
    let findings = hub::verify(folder, blobs, &mut |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    Ok(findings?)
}

/// Bytes of the files in a folder, links followed.
fn files_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| std::fs::metadata(entry.path()).ok())
        .filter(std::fs::Metadata::is_file)
        .map(|found| found.len())
        .sum()
}

/// Bytes of downloads that were cut.
fn unfinished_bytes(blobs: &Path) -> u64 {
    let entries = std::fs::read_dir(blobs).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|end| end == "incomplete")
        })
        .filter_map(|entry| entry.metadata().ok())
        .map(|found| found.len())
        .sum()
}

fn row(finding: &Finding) -> Value {
    let (state, detail) = match &finding.checked {
        Checked::Right(kind) => ("right", Some(*kind)),
        Checked::Unknown => ("unknown", None),
        Checked::Wrong(why) => ("wrong", Some(why.as_str())),
        Checked::Missing => ("missing", None),
    };
    json!({ "name": finding.name, "bytes": finding.bytes, "state": state, "detail": detail })
}

fn table(facts: &Value) -> String {
    let rows = facts["files"].as_array().map_or(&[][..], Vec::as_slice);
    let name = |row: &Value| row["name"].as_str().unwrap_or_default().to_owned();
    let widest = rows.iter().map(|row| name(row).chars().count()).max();
    let widest = widest.unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let detail = row["detail"].as_str().unwrap_or_default();
        let (mark, told) = match row["state"].as_str() {
            Some("right") => (Style::new().green().apply_to("✔"), detail.to_owned()),
            Some("unknown") => (
                Style::new().dim().apply_to("·"),
                "no hash is known of it".to_owned(),
            ),
            Some("missing") => (Style::new().red().apply_to("✘"), "not there".to_owned()),
            _ => (Style::new().red().apply_to("✘"), detail.to_owned()),
        };
        let bytes = size(row["bytes"].as_u64().unwrap_or(0));
        let _ = writeln!(text, "{mark} {:<widest$}  {bytes:>9}  {told}", name(row));
    }
    if let Some(missing) = facts["missing"].as_str() {
        let _ = writeln!(text, "{} {missing}", Style::new().red().apply_to("✘"));
    }
    match facts["unfinished_bytes"].as_u64() {
        Some(bytes) if bytes > 0 => {
            let _ = writeln!(
                text,
                "· {} of downloads that were cut lie beside it; `colloquy models pull` goes on with them",
                size(bytes)
            );
        }
        _ => {}
    }
    text
}

/// The exit code, and what to do.
fn judge(
    reference: &str,
    findings: &[Finding],
    missing: Option<String>,
    cached: bool,
) -> Result<ExitCode, Failure> {
    let count = |is: fn(&Checked) -> bool| findings.iter().filter(|f| is(&f.checked)).count();
    let again = if cached {
        format!("`colloquy models pull {reference}` fetches what is not there")
    } else {
        "copy the folder again from where it is whole".to_owned()
    };
    let wrong: Vec<&Finding> = findings
        .iter()
        .filter(|finding| matches!(finding.checked, Checked::Wrong(_)))
        .collect();
    if !wrong.is_empty() {
        let names: Vec<String> = wrong
            .iter()
            .map(|finding| {
                let path = finding.path.canonicalize().unwrap_or(finding.path.clone());
                if cached { path } else { finding.path.clone() }
                    .display()
                    .to_string()
            })
            .collect();
        return Err(Failure::new(
            Code::Data,
            format!("{} of {} files are not right", wrong.len(), findings.len()),
        )
        .hint(format!("delete {}; then {again}", names.join(", "))));
    }
    if missing.is_some() || count(|checked| *checked == Checked::Missing) > 0 {
        return Err(Failure::new(
            Code::Missing,
            missing.unwrap_or_else(|| "files are not there".into()),
        )
        .hint(again));
    }
    Ok(ExitCode::SUCCESS)
}
