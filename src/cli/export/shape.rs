//! What the flags of `export` mean: a format, and what is asked of it.

use crate::cli::args::ExportArgs;
use crate::cli::failure::{Code, Failure};
use crate::export::{
    AsynthRules, Format, MessageRules, Perspective, PreferenceRules, Roles, Shape, Side, StopWord,
    SystemDepth, SystemRule, TrainOn,
};

/// The format that is asked for.
pub fn format(args: &ExportArgs) -> Format {
    let mut all = Format::ALL.iter().copied();
    all.find(|format| format.name() == args.format)
        .unwrap_or_default()
}

/// How much system message is asked for.
pub fn depth(args: &ExportArgs) -> SystemDepth {
    let mut all = SystemDepth::ALL.iter().copied();
    all.find(|depth| Some(depth.name()) == args.system.as_deref())
        .unwrap_or_default()
}

/// Refuses flags that say nothing about the format.
pub fn check_flags(args: &ExportArgs) -> Result<(), Failure> {
    use Format::{Asynth, Convogen, Messages, Preference, ShareGpt};
    let format = format(args);
    let conversations = &[Messages, ShareGpt, Preference, Asynth, Convogen];
    let given: [(&str, bool, &[Format]); 10] = [
        (
            "--perspective",
            args.perspective.is_some(),
            &[Messages, ShareGpt],
        ),
        ("--links", args.links, &[Messages]),
        (
            "--system",
            args.system.is_some(),
            &[Messages, ShareGpt, Preference],
        ),
        ("--train-on", args.train_on.is_some(), &[Messages, ShareGpt]),
        ("--side", args.side.is_some(), &[Preference]),
        ("--stop-word", args.stop_word.is_some(), &[Asynth]),
        ("--roles", args.roles.is_some(), &[Asynth]),
        ("--with-rejected", args.with_rejected, &[Asynth]),
        ("--opening", args.opening, &[Convogen]),
        ("--where", args.r#where.is_some(), conversations),
    ];
    for (flag, given, of) in given {
        if given && !of.contains(&format) {
            let of: Vec<&str> = of.iter().map(|format| format.name()).collect();
            return Err(Failure::new(
                Code::Usage,
                format!(
                    "{flag} says nothing about --format {}; it belongs to --format {}",
                    format.name(),
                    of.join(", ")
                ),
            )
            .hint(format!("leave out {flag}")));
        }
    }
    if args.with_rejected && args.r#where.is_some() {
        return Err(Failure::new(
            Code::Usage,
            "--with-rejected is about places that stayed empty, --where about conversations",
        )
        .hint("conversations that were turned down: --where verdict=any"));
    }
    Ok(())
}

/// The format with what is asked of it, but for what a run knows.
pub fn shape(args: &ExportArgs, system: SystemRule) -> Shape {
    let rules = |system| MessageRules {
        perspective: match args.perspective.as_deref() {
            None => Perspective::Busiest,
            Some("each") => Perspective::Each,
            Some(name) => Perspective::Of(name.to_owned()),
        },
        links: None,
        system,
        train: args.train_on.as_deref().and_then(|on| {
            let mut all = TrainOn::ALL.iter().copied();
            all.find(|one| one.name() == on)
        }),
    };
    match format(args) {
        Format::Messages => Shape::Messages(rules(system)),
        Format::ShareGpt => Shape::ShareGpt(rules(system)),
        Format::Preference => Shape::Preference(PreferenceRules {
            side: Side::ALL
                .iter()
                .copied()
                .find(|side| Some(side.name()) == args.side.as_deref())
                .unwrap_or_default(),
            system,
        }),
        Format::Asynth => Shape::Asynth(AsynthRules {
            stop_word: match args.stop_word.as_deref() {
                Some("append") => StopWord::Append,
                _ => StopWord::Omit,
            },
            roles: match args.roles.as_deref() {
                Some("original") => Roles::Original,
                _ => Roles::Standard,
            },
        }),
        Format::Convogen => Shape::Convogen {
            opening: args.opening,
        },
        Format::Experiences => Shape::Experiences,
    }
}
