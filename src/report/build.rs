use super::{
    Context, Headline, Material, Part, REPORT_VERSION, Rejects, Report, Section, corpus_sections,
    judge, making, notebook, shape,
};
use crate::import::ForeignFormat;
use crate::record::Verdict;
use crate::run::PROGRAM;

/// Conversations that are named for each reason.
const SAMPLES: usize = 5;

impl Report {
    /// The report of a corpus.
    #[must_use]
    pub fn of(material: &Material, context: &Context<'_>) -> Self {
        let kept = material.kept();
        let asynth = |part: &Part| part.format == ForeignFormat::Asynth;
        let mut sections: Vec<Section> = Vec::new();
        if !material.files.is_empty() && material.files.iter().all(asynth) {
            sections.push(notebook(material));
        }
        sections.push(shape(&kept, context));
        sections.extend(making::sections(material));
        sections.extend(corpus_sections(&kept, context));
        if let Some(judged) = &material.judged {
            let ids = kept.iter().map(|sample| sample.id.as_str());
            sections.extend(judge::section(judged, &ids.collect()));
        }
        let rejects = rejects(material);
        Self {
            version: REPORT_VERSION,
            program: PROGRAM.to_owned(),
            source: material.source.clone(),
            headline: Headline::of(material, &sections, &rejects),
            sections,
            rejects,
            against: None,
        }
    }
}

/// Attempts that came to nothing, by reason: the most frequent first, equals by name.
fn rejects(material: &Material) -> Vec<Rejects> {
    let mut found: Vec<Rejects> = Vec::new();
    let mut add = |reason: &str, id: &str, detail: &str| {
        let at = found.iter().position(|one| one.reason == reason);
        let at = at.unwrap_or(found.len());
        if at == found.len() {
            found.push(Rejects {
                reason: reason.to_owned(),
                count: 0,
                samples: Vec::new(),
            });
        }
        let own = &mut found[at];
        own.count += 1;
        if own.samples.len() < SAMPLES {
            own.samples.push((id.to_owned(), detail.to_owned()));
        }
    };
    for sample in &material.samples {
        if let Verdict::Reject { reason, detail } = &sample.verdict {
            add(reason, &sample.id, detail);
        }
    }
    for failed in material.making.iter().flat_map(|making| &making.failed) {
        add(
            &failed.reason,
            &failed.id,
            "it did not become a conversation",
        );
    }
    found.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    found
}
