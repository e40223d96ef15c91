use super::{Pack, Template};

/// A template as it is compiled in.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    pub pack: Pack,
    pub template: Template,
    pub source: &'static str,
}

macro_rules! pack {
    ($pack:expr, $folder:literal) => {
        [
            (
                Template::Agent,
                include_str!(concat!("../../prompts/", $folder, "/agent.j2")),
            ),
            (
                Template::Customer,
                include_str!(concat!("../../prompts/", $folder, "/customer.j2")),
            ),
            (
                Template::Status,
                include_str!(concat!("../../prompts/", $folder, "/status.j2")),
            ),
            (
                Template::Steer,
                include_str!(concat!("../../prompts/", $folder, "/steer.j2")),
            ),
            (
                Template::Second,
                include_str!(concat!("../../prompts/", $folder, "/second.j2")),
            ),
            (
                Template::RewriteSystem,
                include_str!(concat!("../../prompts/", $folder, "/rewrite_system.j2")),
            ),
            (
                Template::Rewrite,
                include_str!(concat!("../../prompts/", $folder, "/rewrite.j2")),
            ),
            (
                Template::ProductFit,
                include_str!(concat!("../../prompts/", $folder, "/product_fit.j2")),
            ),
            (
                Template::QueriesSystem,
                include_str!(concat!("../../prompts/", $folder, "/queries_system.j2")),
            ),
            (
                Template::Queries,
                include_str!(concat!("../../prompts/", $folder, "/queries.j2")),
            ),
            (
                Template::ExperiencesSystem,
                include_str!(concat!("../../prompts/", $folder, "/experiences_system.j2")),
            ),
            (
                Template::Experiences,
                include_str!(concat!("../../prompts/", $folder, "/experiences.j2")),
            ),
            (
                Template::Member,
                include_str!(concat!("../../prompts/", $folder, "/member.j2")),
            ),
            (
                Template::Describe,
                include_str!(concat!("../../prompts/", $folder, "/describe.j2")),
            ),
            (
                Template::Opening,
                include_str!(concat!("../../prompts/", $folder, "/opening.j2")),
            ),
            (
                Template::NextSpeaker,
                include_str!(concat!("../../prompts/", $folder, "/next_speaker.j2")),
            ),
            (
                Template::JudgeSystem,
                include_str!(concat!("../../prompts/", $folder, "/judge_system.j2")),
            ),
            (
                Template::JudgeTranscript,
                include_str!(concat!("../../prompts/", $folder, "/judge_transcript.j2")),
            ),
            (
                Template::JudgeQuestion,
                include_str!(concat!("../../prompts/", $folder, "/judge_question.j2")),
            ),
            (
                Template::JudgeHarm,
                include_str!(concat!("../../prompts/", $folder, "/judge_harm.j2")),
            ),
        ]
        .map(|(template, source)| Embedded {
            pack: $pack,
            template,
            source,
        })
    };
}

/// Every template that is compiled in, for `init` to write out and for [`super::Prompts`] to start from.
#[must_use]
pub fn embedded() -> Vec<Embedded> {
    let mut all = Vec::from(pack!(Pack::Full, "full"));
    all.extend(pack!(Pack::Compact, "compact"));
    all
}
