//! Finds out what a template does by rendering small conversations and looking at what is left of them.

use super::shape::{SystemRole, TemplateShape, ThinkingShape};
use super::{ChatTemplate, Day, TemplateError};

const SYSTEM: &str = "system";
const USER: &str = "user";
const ASSISTANT: &str = "assistant";

/// Variables that published templates switch thinking with.
const SWITCHES: [&str; 3] = ["enable_thinking", "thinking", "think"];

/// What opens and closes thoughts in published models.
pub const MARKS: [[&str; 2]; 6] = [
    ["<think>", "</think>"],
    ["<seed:think>", "</seed:think>"],
    ["<thinking>", "</thinking>"],
    ["<thought>", "</thought>"],
    ["[THINK]", "[/THINK]"],
    ["<|START_THINKING|>", "<|END_THINKING|>"],
];

/// No template knows it, and it is not the run's.
const OTHER_DAY: Day = Day {
    year: 1987,
    month: 4,
    day: 26,
};

type Pair = (&'static str, &'static str);

/// What is known of thinking before any other probe: its prompts differ with it.
pub(super) fn thinking(
    template: &ChatTemplate,
    marks: Option<[String; 2]>,
) -> Result<ThinkingShape, TemplateError> {
    let prompt = |moment: &[(&str, minijinja::Value)]| {
        let messages = ChatTemplate::messages([(USER, "quva")].into_iter());
        template.render_with(template.env(), messages, true, moment)
    };
    let in_source = |[_, close]: &&[&str; 2]| template.source().contains(close);
    let known = MARKS.iter().find(in_source);
    let marks = marks.or_else(|| known.map(|marks| marks.map(str::to_owned)));
    let Some([open, close]) = &marks else {
        return Ok(ThinkingShape::default());
    };
    let switches = |name: &&&str| {
        let on = prompt(&[(**name, true.into())]);
        let off = prompt(&[(**name, false.into())]);
        template.reads(name) && matches!((on, off), (Ok(on), Ok(off)) if on != off)
    };
    let switch = SWITCHES
        .iter()
        .find(switches)
        .map(|name| (*name).to_owned());
    let thought = format!("{open}\nkuzo\n{close}\n\nrelo");
    let turns = [
        (USER, "quva"),
        (ASSISTANT, thought.as_str()),
        (USER, "simu"),
    ];
    let history = template.render_with(
        template.env(),
        ChatTemplate::messages(turns.into_iter()),
        true,
        &[],
    );
    Ok(ThinkingShape {
        opens: is_open(&prompt(&[])?, open),
        drops_old: history.is_ok_and(|text| !text.contains("kuzo") && text.contains("relo")),
        switch,
        marks,
    })
}

/// Whether a prompt ends in an opened thought. What stands before may spell marks out, as users do.
pub(super) fn is_open(prompt: &str, open: &str) -> bool {
    prompt.trim_end().ends_with(open)
}

/// The other findings; `thinking` is known.
pub(super) fn probe(
    template: &ChatTemplate,
    thinking: ThinkingShape,
) -> Result<TemplateShape, TemplateError> {
    let render =
        |messages: &[Pair], generation| template.render_pairs(messages.iter().copied(), generation);
    let keeps = |messages: &[Pair]| {
        render(messages, true)
            .is_ok_and(|text| messages.iter().all(|(_, content)| text.contains(content)))
    };
    let plain = [(USER, "quva"), (ASSISTANT, "relo"), (USER, "simu")];
    let text = render(&plain, true)?;
    if !plain.iter().all(|(_, content)| text.contains(content)) {
        return Err(TemplateError::Useless(
            "a message is missing from what it renders".to_owned(),
        ));
    }

    let bare = render(&[(USER, "quva")], true)?;
    let ruled = render(&[(SYSTEM, "poxi"), (USER, "quva")], true);
    let system = system_role(&bare, ruled.as_deref().ok());
    let head: &[Pair] = if system.reaches() {
        &[(SYSTEM, "poxi")]
    } else {
        &[]
    };
    let after_head = |messages: &[Pair]| keeps(&[head, messages].concat());
    let alternates = !after_head(&[(USER, "quva"), (USER, "relo")])
        || !after_head(&[(USER, "quva"), (ASSISTANT, "relo"), (ASSISTANT, "simu")]);
    let user_first =
        !after_head(&[(ASSISTANT, "quva"), (USER, "relo")]) || (system.reaches() && !keeps(head));
    let padded = [
        (USER, "\n quva \n"),
        (ASSISTANT, "\n relo \n"),
        (USER, "\n simu \n"),
    ];
    let trims =
        !keeps(&padded) || (system.reaches() && !keeps(&[(SYSTEM, "\n poxi \n"), (USER, "quva")]));

    let mut views = vec![(USER, "quva")];
    views.splice(..0, head.iter().copied());
    let start = render(&views, true)?;
    views.extend([(ASSISTANT, "relo"), (USER, "simu")]);
    let grown = render(&views, true)?;
    views.extend([(ASSISTANT, "tabe"), (USER, "wify")]);
    let grown_again = render(&views, true)?;
    let prefix_stable = grown.starts_with(&format!("{start}relo"))
        && grown_again.starts_with(&format!("{grown}tabe"));

    let default_system = match &ruled {
        Ok(ruled) if system == SystemRole::Supported => default_system(&bare, ruled),
        _ => None,
    };
    let dated = if template.reads("strftime_now") || template.source().contains("strftime_now") {
        let messages = ChatTemplate::messages([(USER, "quva")].into_iter());
        let env = template.on_day(OTHER_DAY)?;
        let there = template.render_with(&env, messages.clone(), true, &[]);
        let here = template.render_with(template.env(), messages, true, &[]);
        matches!((here, there), (Ok(here), Ok(there)) if here != there)
    } else {
        false
    };
    Ok(TemplateShape {
        system,
        alternates,
        user_first,
        trims,
        prefix_stable,
        dated,
        default_system,
        turn_end: turn_end(&render)?,
        generation_prompt: generation_prompt(&render)?,
        thinking,
    })
}

fn system_role(bare: &str, ruled: Option<&str>) -> SystemRole {
    let Some(ruled) = ruled else {
        return SystemRole::Refused;
    };
    let (Some((before, _)), true) = (ruled.split_once("poxi"), ruled.contains("quva")) else {
        return SystemRole::Ignored;
    };
    // In a turn of its own, something else than the user's mark stands before it.
    match bare.split_once("quva") {
        Some((mark, _)) if before.starts_with(mark) => SystemRole::Folded,
        _ => SystemRole::Supported,
    }
}

/// What stands where the system's words would, in a conversation without any.
fn default_system(bare: &str, ruled: &str) -> Option<String> {
    let (head, rest) = ruled.split_once("poxi")?;
    let (between, _) = rest.split_once("quva")?;
    let (said, _) = bare.split_once("quva")?;
    let text = said.strip_prefix(head)?.strip_suffix(between)?;
    (!text.trim().is_empty()).then(|| text.to_owned())
}

type Render<'a> = dyn Fn(&[Pair], bool) -> Result<String, TemplateError> + 'a;

/// What follows an assistant's words whether or not the conversation goes on.
fn turn_end(render: &Render<'_>) -> Result<String, TemplateError> {
    let ended = render(&[(USER, "quva"), (ASSISTANT, "relo")], false)?;
    let gone_on = render(
        &[(USER, "quva"), (ASSISTANT, "relo"), (USER, "simu")],
        false,
    )?;
    let after = |text: &str| {
        text.split_once("relo")
            .map_or("", |(_, after)| after)
            .to_owned()
    };
    Ok(common_start(&after(&ended), &after(&gone_on)).to_owned())
}

/// What is added for an assistant to go on.
fn generation_prompt(render: &Render<'_>) -> Result<String, TemplateError> {
    let asked = render(&[(USER, "quva")], true)?;
    let whole = render(&[(USER, "quva")], false)?;
    Ok(asked[common_start(&asked, &whole).len()..].to_owned())
}

/// The beginning that two texts share, not ending inside a mark like `<|end|>` or `[INST]`.
fn common_start<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    let mut shared = &a[..same.map(|(c, _)| c.len_utf8()).sum()];
    for (open, close) in [('<', '>'), ('[', ']')] {
        if let Some(at) = shared.rfind(open)
            && !shared[at..].contains(close)
        {
            shared = &shared[..at];
        }
    }
    shared
}
