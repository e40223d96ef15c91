//! `colloquy init`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::InitArgs;
use super::failure::{Code, Failure};
use super::workshop::groups;
use super::{recipes, shipped};
use crate::prompt::{Pack, embedded};
use crate::record::Kind;
use crate::settings::{self, Embedded, Environment, Overrides, RecipeText, starter};

/// Pages that show what a page looks like.
const SAMPLES: &[&str] = &["delivery.md", "returns.md"];

const README_HEAD: &str = "# A dataset of conversations

- `recipe.toml` says what is made; every key is explained in it. Name a chat model there (`model = …`).
";
const README_PAGES: &str = "- `pages/` holds the help pages that the agent answers from. The two samples are from a made-up shop: replace them.
";
const README_PEOPLE: &str = "- `seeds.jsonl` holds examples of experiences, `personas.jsonl` people in a line each: yours to change, once the recipe names
  them (`[experiences] seeds`, `[personas] from`).
";
const README_TAIL: &str = "- `prompts/full/` holds the prompts as the program has them, to be changed. A file that is deleted counts as unchanged.
  They are for instruct models; the demo model keeps its own short ones, which `prompts/compact/` would replace.

In this folder:

    colloquy validate .                 # every setting, the plan, a sample of each prompt
    colloquy preview . -n 5             # a few conversations; nothing is kept
    colloquy generate .                 # the dataset, in runs/; the same command goes on after an interruption
    colloquy preview . --model demo     # without a model of your own, to see it move
";

pub fn run(args: &InitArgs) -> Result<ExitCode, Failure> {
    let recipe = recipes::find(&args.recipe)?;
    let dir = &args.dir;
    let there = check(dir)?;
    let name = std::path::absolute(dir)
        .ok()
        .and_then(|path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        })
        .unwrap_or_else(|| args.recipe.clone());
    let files = files(recipe, &name)?;
    if there {
        fill(dir, &files)?;
    } else {
        make(dir, &files)?;
    }
    super::print(&next_steps(dir, &files))?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the folder is there already, empty. Anything else in its place is refused.
fn check(dir: &Path) -> Result<bool, Failure> {
    let refuse = |what: String| {
        Err(Failure::new(
            Code::Usage,
            format!(
                "{}: {what}; expected an empty folder or none",
                dir.display()
            ),
        )
        .hint("choose another name"))
    };
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(true),
            Some(Ok(entry)) => refuse(format!(
                "the folder holds {}",
                entry.file_name().to_string_lossy()
            )),
            Some(Err(error)) => Err(Failure::read(dir, &error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory && dir.is_file() => {
            refuse("it is a file".into())
        }
        Err(error) => Err(Failure::write(dir, &error)),
    }
}

/// Paths below the folder, and their texts.
fn files(recipe: &Embedded, name: &str) -> Result<Vec<(PathBuf, String)>, Failure> {
    let text = starter(recipe, name);
    let spec = settings::resolve(
        &RecipeText::embedded(recipe),
        &Overrides::default(),
        &Environment::from_lookup(|_| None),
    )?
    .spec;
    let (support, group) = (spec.has(Kind::Support), spec.has(Kind::Group));
    let mut readme = README_HEAD.to_owned();
    readme.push_str(if support { README_PAGES } else { "" });
    readme.push_str(if group { README_PEOPLE } else { "" });
    readme.push_str(README_TAIL);
    let mut files = vec![
        (PathBuf::from("recipe.toml"), text),
        (PathBuf::from("README.md"), readme),
    ];
    // Only the pack for instruct models: prompts in the folder itself would also replace those that the demo model was
    // trained on.
    for prompt in embedded() {
        let used = match prompt.template.kind() {
            Some(Kind::Support) => support,
            Some(Kind::Group) => group,
            None => true,
        };
        if prompt.pack == Pack::Full && used {
            let folder = Path::new("prompts").join(prompt.pack.name());
            files.push((
                folder.join(prompt.template.file()),
                prompt.source.to_owned(),
            ));
        }
    }
    for page in shipped::PAGES {
        if support && SAMPLES.contains(&page.name) {
            files.push((Path::new("pages").join(page.name), page.text.to_owned()));
        }
    }
    if group {
        let (seeds, personas) = (groups::SEEDS, groups::PERSONAS);
        files.push((PathBuf::from("seeds.jsonl"), seeds.to_owned()));
        files.push((PathBuf::from("personas.jsonl"), personas.to_owned()));
    }
    Ok(files)
}

/// Makes a folder that is there whole or not at all.
fn make(dir: &Path, files: &[(PathBuf, String)]) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::write(dir, &error);
    let parent = dir
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(failed)?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let stage = parent.join(format!(".{name}.{}.tmp", std::process::id()));
    let result = write_all(&stage, files).and_then(|()| fs::rename(&stage, dir));
    if result.is_err() {
        let _ = fs::remove_dir_all(&stage);
    }
    result.map_err(failed)
}

/// Fills an empty folder: everything is written aside first, then moved in; what was moved is taken back on failure.
fn fill(dir: &Path, files: &[(PathBuf, String)]) -> Result<(), Failure> {
    let stage = dir.join(format!(".init.{}.tmp", std::process::id()));
    let mut moved = Vec::new();
    let result = write_all(&stage, files).and_then(|()| {
        for entry in fs::read_dir(&stage)? {
            let entry = entry?;
            let target = dir.join(entry.file_name());
            fs::rename(entry.path(), &target)?;
            moved.push(target);
        }
        fs::remove_dir(&stage)
    });
    if result.is_err() {
        for path in moved {
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
        let _ = fs::remove_dir_all(&stage);
    }
    result.map_err(|error| Failure::write(dir, &error))
}

fn write_all(stage: &Path, files: &[(PathBuf, String)]) -> io::Result<()> {
    fs::create_dir(stage)?;
    for (path, text) in files {
        let path = stage.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

fn next_steps(dir: &Path, files: &[(PathBuf, String)]) -> String {
    let dir = dir.display();
    let pages = files.iter().any(|(path, _)| path.starts_with("pages"));
    let people = files
        .iter()
        .any(|(path, _)| path == Path::new("personas.jsonl"));
    let mut made = "recipe.toml, prompts".to_owned();
    made.push_str(if pages { ", two sample pages" } else { "" });
    made.push_str(if people { ", examples, personas" } else { "" });
    let own_pages = if pages {
        format!(
            "  put your help pages into {dir}/pages (*.md, *.txt or <Title>/t.txt) and take the samples out\n"
        )
    } else {
        String::new()
    };
    let without = if people { "scripted" } else { "demo" };
    format!(
        "made {dir}: {made}
next:
{own_pages}  name a chat model in {dir}/recipe.toml: model = \"org/name\" or a folder
  colloquy validate {dir}
  colloquy preview {dir} -n 5        (--model {without} to try it without a model)
  colloquy generate {dir}
"
    )
}
