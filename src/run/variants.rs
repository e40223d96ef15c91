use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::quota::Quota;
use crate::record::{Query, Style, Tone};
use crate::rng::Stream;
use crate::settings::RunSpec;

/// The products that fit a question, found before the conversations are planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryProducts {
    /// [`Query::id`].
    pub query: String,
    pub page: String,
    /// Of the recipe's, in its order.
    pub products: Vec<String>,
    /// Why they could not be found, so that there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a plan of all variants is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Questions by page.
    pub queries: BTreeMap<String, Vec<Query>>,
    /// Products by [`Query::id`].
    pub products: BTreeMap<String, Vec<String>>,
}

/// How many places a plan of all variants has, stage by stage; each stage keeps what the one before it had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VariantCounts {
    pub queries: u64,
    /// Questions with and without products.
    pub with_products: u64,
    /// These in every tone.
    pub with_tones: u64,
    /// These in every style: the places.
    pub places: u64,
}

/// A question, as it is or with a product.
#[derive(Clone, Debug)]
struct Item {
    /// Among the page's.
    query: usize,
    product: Option<String>,
}

/// Every variant of every question, in an order of which any prefix is balanced over pages, tones and styles.
///
/// Which page is next is decided by the pages' numbers of variants, as exactly as whole numbers allow. Which tone and style it
/// gets is decided by what is behind its share, over all and on the page. Which of the page's questions follows goes round.
#[derive(Clone, Debug)]
pub(super) struct Variants {
    pub(super) pages: Vec<String>,
    pub(super) tones: Vec<Tone>,
    pub(super) styles: Vec<Style>,
    shelves: Vec<Shelf>,
    quota: Option<Quota>,
    /// Of every combination of tone and style over all pages.
    combinations: Served,
    of_tones: Served,
    of_styles: Served,
    counts: VariantCounts,
    draw: Stream,
    next: u64,
}

/// What one page has.
#[derive(Clone, Debug)]
struct Shelf {
    items: Vec<Item>,
    /// By combination (tone times styles, and style): the items that come in it, in the order of their coming.
    lists: Vec<Vec<usize>>,
    served: Served,
}

/// How many of each of some values there are in all, and how many have come.
#[derive(Clone, Debug, Default)]
struct Served {
    all: Vec<u64>,
    come: Vec<u64>,
    total: u64,
    step: u64,
}

impl Served {
    fn new(all: Vec<u64>) -> Self {
        Self {
            come: vec![0; all.len()],
            total: all.iter().sum(),
            all,
            step: 0,
        }
    }

    fn left(&self, value: usize) -> u64 {
        self.all[value] - self.come[value]
    }

    /// How far behind its share a value would be after the next step if it did not come.
    #[expect(
        clippy::cast_precision_loss,
        reason = "plans are far shorter than 2^53"
    )]
    fn deficit(&self, value: usize) -> f64 {
        (self.step + 1) as f64 * self.all[value] as f64 / self.total.max(1) as f64
            - self.come[value] as f64
    }

    fn serve(&mut self, value: usize) {
        self.come[value] += 1;
        self.step += 1;
    }
}

/// How often values come in all: of pages, tones and styles by index.
pub(super) struct Totals {
    pub(super) pages: Vec<u64>,
    pub(super) tones: Vec<u64>,
    pub(super) styles: Vec<u64>,
    pub(super) products: BTreeMap<Option<String>, u64>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    /// Indices of page, tone and style.
    pub(super) page: usize,
    pub(super) tone: usize,
    pub(super) style: usize,
    /// Among the page's questions.
    pub(super) query: usize,
    pub(super) product: Option<String>,
}

/// `first`, then what else a recipe's table has, then what else the questions say; and how many of them are the recipe's.
fn values<T: Copy + PartialEq>(
    first: T,
    table: impl Iterator<Item = T>,
    said: impl Iterator<Item = T>,
) -> (Vec<T>, usize) {
    let mut values = vec![first];
    let mut wanted = 1;
    for value in table {
        if !values.contains(&value) {
            values.push(value);
            wanted += 1;
        }
    }
    for value in said {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    (values, wanted)
}

impl Variants {
    pub(super) fn new(spec: &RunSpec, sources: &Sources) -> Self {
        let all = || sources.queries.values().flatten();
        let (tones, wanted_tones) = values(
            Tone::Neutral,
            spec.customer.tone.values().copied(),
            all().filter_map(|query| query.tone),
        );
        let (styles, wanted_styles) = values(
            Style::Plain,
            spec.customer.style.values().copied(),
            all().filter_map(|query| query.style),
        );
        let draw = Stream::root(spec.seed).child("variants");
        let mut counts = VariantCounts::default();
        let (mut pages, mut shelves) = (Vec::new(), Vec::new());
        for (page, queries) in &sources.queries {
            let mut items = Vec::new();
            for (at, query) in queries.iter().enumerate() {
                let products = sources.products.get(&query.id).into_iter().flatten();
                let with = products.map(|product| Some(product.clone()));
                let before = items.len();
                items.extend(
                    std::iter::once(None)
                        .chain(with)
                        .map(|product| Item { query: at, product }),
                );
                // A question that says its own tone or style is in no other.
                let tones_of_it = query.tone.map_or(wanted_tones, |_| 1) as u64;
                let styles_of_it = query.style.map_or(wanted_styles, |_| 1) as u64;
                let variants = (items.len() - before) as u64;
                counts.queries += 1;
                counts.with_products += variants;
                counts.with_tones += variants * tones_of_it;
                counts.places += variants * tones_of_it * styles_of_it;
            }
            if items.is_empty() {
                continue;
            }
            let order = draw.child(page).shuffle(items.len());
            let mut lists = Vec::new();
            for (tone, tone_value) in tones.iter().enumerate() {
                for (style, style_value) in styles.iter().enumerate() {
                    let comes = |item: &&usize| {
                        let query = &queries[items[**item].query];
                        query
                            .tone
                            .map_or(tone < wanted_tones, |own| own == *tone_value)
                            && query
                                .style
                                .map_or(style < wanted_styles, |own| own == *style_value)
                    };
                    let mut list: Vec<usize> = order.iter().filter(comes).copied().collect();
                    // Each combination begins with another of them.
                    let first = lists.len() % list.len().max(1);
                    list.rotate_left(first);
                    lists.push(list);
                }
            }
            pages.push(page.clone());
            shelves.push(Shelf {
                served: Served::new(lists.iter().map(|list| list.len() as u64).collect()),
                items,
                lists,
            });
        }
        let sum = |combination: usize| {
            shelves
                .iter()
                .map(move |shelf| shelf.served.all[combination])
        };
        let combined: Vec<u64> = (0..tones.len() * styles.len())
            .map(|combination| sum(combination).sum())
            .collect();
        let of = |values: usize, value: &dyn Fn(usize) -> usize| {
            let mut sums = vec![0; values];
            for (combination, count) in combined.iter().enumerate() {
                sums[value(combination)] += count;
            }
            Served::new(sums)
        };
        let width = styles.len();
        let weights: Vec<u64> = shelves.iter().map(|shelf| shelf.served.total).collect();
        Self {
            of_tones: of(tones.len(), &|combination| combination / width),
            of_styles: of(width, &|combination| combination % width),
            combinations: Served::new(combined),
            quota: (!weights.is_empty()).then(|| Quota::new(weights)),
            pages,
            tones,
            styles,
            shelves,
            counts,
            draw,
            next: 0,
        }
    }

    pub(super) fn counts(&self) -> VariantCounts {
        self.counts
    }

    /// How often each value comes in all.
    pub(super) fn totals(&self) -> Totals {
        let pages = self.shelves.iter().map(|shelf| shelf.served.total);
        let mut products = BTreeMap::new();
        for shelf in &self.shelves {
            for item in shelf.lists.iter().flatten() {
                *products
                    .entry(shelf.items[*item].product.clone())
                    .or_default() += 1;
            }
        }
        Totals {
            pages: pages.collect(),
            tones: self.of_tones.all.clone(),
            styles: self.of_styles.all.clone(),
            products,
        }
    }

    /// The page whose turn it is.
    fn page(&mut self, draw: Stream) -> Option<usize> {
        let mut safe = Vec::new();
        self.quota.as_mut()?.safe(&mut safe);
        let left = |page: &usize| {
            let served = &self.shelves[*page].served;
            served.total - served.step
        };
        safe.retain(|page| left(page) > 0);
        if safe.is_empty() {
            // Only where shares are too small for the quota to look ahead to.
            return (0..self.shelves.len())
                .filter(|page| left(page) > 0)
                .max_by_key(|page| (left(page), std::cmp::Reverse(*page)));
        }
        Some(*draw.pick(0, &safe))
    }

    /// The combination that is wanted most of those the page still has.
    fn combination(&self, page: usize, draw: Stream) -> usize {
        let shelf = &self.shelves[page];
        let score = |combination: usize| {
            let (tone, style) = (
                combination / self.styles.len(),
                combination % self.styles.len(),
            );
            ON_AXIS * (self.of_tones.deficit(tone) + self.of_styles.deficit(style))
                + OVER_ALL * self.combinations.deficit(combination)
                + ON_PAGE * shelf.served.deficit(combination)
        };
        let left: Vec<(usize, f64)> = (0..shelf.lists.len())
            .filter(|combination| shelf.served.left(*combination) > 0)
            .map(|combination| (combination, score(combination)))
            .collect();
        let best = left
            .iter()
            .map(|(_, score)| *score)
            .fold(f64::MIN, f64::max);
        let ties: Vec<usize> = left
            .iter()
            .filter(|(_, score)| *score > best - 1e-9)
            .map(|(combination, _)| *combination)
            .collect();
        *draw.pick(1, &ties)
    }
}

/// What a deficit of a tone or style, of a combination over all pages, and of one on the page count for.
const ON_AXIS: f64 = 2.0;
const OVER_ALL: f64 = 2.0;
const ON_PAGE: f64 = 1.5;

impl Iterator for Variants {
    type Item = Variant;

    fn next(&mut self) -> Option<Variant> {
        let draw = self.draw.at(self.next);
        let page = self.page(draw)?;
        let combination = self.combination(page, draw);
        self.next += 1;
        let (tone, style) = (
            combination / self.styles.len(),
            combination % self.styles.len(),
        );
        let shelf = &mut self.shelves[page];
        let nth = usize::try_from(shelf.served.come[combination]).expect("shorter than its list");
        let item = &shelf.items[shelf.lists[combination][nth]];
        let variant = Variant {
            page,
            tone,
            style,
            query: item.query,
            product: item.product.clone(),
        };
        shelf.served.serve(combination);
        self.combinations.serve(combination);
        self.of_tones.serve(tone);
        self.of_styles.serve(style);
        if let Some(quota) = &mut self.quota {
            quota.serve(page);
        }
        Some(variant)
    }
}
