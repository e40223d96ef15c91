use super::{Context, Section, augmentation, dialogue, grounding, lexical, redundancy, semantic};
use crate::record::{Kind, Sample};

/// What the texts of a corpus are like, in the order in which it is shown. Each kind of conversation is measured by itself;
/// where there are several, keys end in the kind's name, as in `lexical.mtld.group`. Nothing is left out that the
/// conversations given have, so choose before which of them count.
#[must_use]
pub fn corpus_sections(samples: &[&Sample], context: &Context<'_>) -> Vec<Section> {
    let kinds: Vec<(Kind, Vec<&Sample>)> = [Kind::Support, Kind::Group]
        .into_iter()
        .map(|kind| {
            let some = samples.iter().filter(|sample| sample.kind == kind);
            (kind, some.copied().collect::<Vec<_>>())
        })
        .filter(|(_, some)| !some.is_empty())
        .collect();
    let alone = kinds.len() == 1;
    let mut sections = Vec::new();
    for (kind, some) in kinds {
        let found = [
            Some(lexical(&some, context)),
            Some(redundancy(&some, context)),
            Some(semantic(&some, context)),
            Some(dialogue(&some, context)),
            grounding(&some, context),
            augmentation(&some, context),
        ];
        let found = found.into_iter().flatten();
        sections.extend(found.map(|section| {
            if alone {
                section
            } else {
                section.of_kind(kind)
            }
        }));
    }
    sections
}

impl Section {
    /// The same under keys and a title that name the kind.
    fn of_kind(mut self, kind: Kind) -> Self {
        let name = kind.name();
        self.title = format!("{} ({name})", self.title);
        let metrics = self.metrics.iter_mut().map(|metric| &mut metric.key);
        let charts = self.charts.iter_mut().map(|chart| &mut chart.key);
        for key in metrics.chain(charts).chain([&mut self.key]) {
            *key = format!("{key}.{name}");
        }
        self
    }
}
