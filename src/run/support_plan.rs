use serde::{Deserialize, Serialize};

use super::case::draw_case;
use super::causes::Causes;
use super::quota::{Quota, share_weights, weights};
use super::variants::{Sources, Totals, VariantCounts, Variants};
use crate::augment::products;
use crate::record::{Case, Cell, Cooperation, FirstLanguage, Outcome, Query, Style, Tone};
use crate::rng::Stream;
use crate::settings::{Axis, RunSpec, Shares};

/// A place for a support conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupportPlace {
    pub cell: Cell,
    /// How many earlier places use the same page; [`query_of`](super::query_of) turns it into a query.
    pub page_use: u64,
    /// Which of the page's questions it is, where the plan is of all variants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<usize>,
    pub case: Case,
    /// Whether the customer has a second question of the page.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub second_question: bool,
}

impl SupportPlace {
    /// The same for a question that says its own tone or style.
    #[must_use]
    pub fn asking(&self, query: &Query, languages: &Shares<FirstLanguage>, seed: u64) -> Self {
        let mut place = self.clone();
        let cell = &mut place.cell;
        cell.tone = query.tone.unwrap_or(cell.tone);
        cell.style = query.style.unwrap_or(cell.style);
        if cell.style != Style::NonNative {
            cell.first_language = None;
        } else if cell.first_language.is_none() {
            let of = Stream::root(seed)
                .child("first language")
                .child(&query.id)
                .at(self.page_use);
            cell.first_language = Some(drawn(languages, of.unit(0)));
        }
        place
    }
}

/// The value at a point from 0 to 1 of a table of shares.
fn drawn(shares: &Shares<FirstLanguage>, at: f64) -> FirstLanguage {
    let entries = shares.entries();
    let mut left = at * entries.iter().map(|(_, share)| share).sum::<f64>();
    let found = entries.iter().find(|(_, share)| {
        left -= share;
        left < 0.0
    });
    found.unwrap_or(&entries[entries.len() - 1]).0
}

/// The endless plan of a run's support conversations: what each place asks for.
///
/// Any prefix is balanced. On each axis every value is within less than one of its exact share; crossed axes are so
/// jointly, and then nearly so one by one; every pair of axes is kept as even as that allows; what is still open is drawn
/// from the place's stream. Causes are shared out among the places planned unresolved, see [`Causes`]. A place depends on the earlier ones and never on how many follow.
#[derive(Clone, Debug)]
pub(super) struct SupportPlan {
    pages: Vec<String>,
    tones: Vec<Tone>,
    styles: Vec<Style>,
    products: Vec<Option<String>>,
    outcomes: Vec<Outcome>,
    cooperations: Vec<Cooperation>,
    causes: Causes,
    first_languages: Vec<FirstLanguage>,
    /// Over the places whose style is `non_native`.
    language_quota: Quota,
    /// One per axis, in the order of [`Axis::ALL`].
    quotas: Vec<Quota>,
    units: Vec<Unit>,
    pairs: Pairs,
    page_uses: Vec<u64>,
    /// Of places with and without a second question; none where all or none have one.
    seconds: Option<Quota>,
    all_second: bool,
    /// Where the plan is of all variants: they say page, tone, style and product.
    all: Option<All>,
    seed: u64,
    next: u64,
}

/// All variants, and what their places take from the questions.
#[derive(Clone, Debug)]
struct All {
    variants: Variants,
    /// By page and question: the item it speaks of.
    items: Vec<Vec<Option<String>>>,
    /// What to draw an item from where there is none.
    table: Vec<String>,
}

/// Axes whose values are chosen together.
#[derive(Clone, Debug)]
struct Unit {
    axes: Vec<usize>,
    /// Over the joint values; the axis' own when it is alone.
    quota: Quota,
    /// Values per axis, to take a joint value apart.
    sizes: Vec<usize>,
}

impl Unit {
    /// The axis values of a joint value.
    fn split(&self, mut joint: usize) -> impl Iterator<Item = (usize, usize)> {
        self.axes.iter().zip(&self.sizes).map(move |(axis, size)| {
            let value = joint % size;
            joint /= size;
            (*axis, value)
        })
    }
}

impl SupportPlan {
    /// The plan of a recipe over its pages. The order of `pages` does not matter; there must be one at least.
    pub(super) fn new(spec: &RunSpec, pages: &[String]) -> Self {
        let mut pages = pages.to_vec();
        pages.sort_unstable();
        pages.dedup();
        assert!(!pages.is_empty(), "a plan needs a page");
        let given = [
            vec![1; pages.len()],
            share_weights(&spec.customer.tone),
            share_weights(&spec.customer.style),
            share_weights(&spec.customer.product),
        ];
        let products = spec.customer.product.values().cloned().map(Some);
        Self::over(
            spec,
            pages,
            spec.customer.tone.values().copied().collect(),
            spec.customer.style.values().copied().collect(),
            products.collect(),
            given,
            &[],
        )
    }

    /// The plan of all variants of the questions; it ends.
    pub(super) fn all(spec: &RunSpec, sources: &Sources) -> Self {
        let variants = Variants::new(spec, sources);
        let table: Vec<String> = spec.customer.product.values().cloned().collect();
        let item = |query: &Query| {
            let text = query.text.to_lowercase();
            let own = table
                .iter()
                .find(|name| text.contains(&name.to_lowercase()));
            let known = || {
                products::named(&query.text)
                    .first()
                    .map(|name| (*name).to_owned())
            };
            own.cloned().or_else(known)
        };
        let items = variants.pages.iter().map(|page| {
            let queries = sources.queries[page].iter();
            queries.map(item).collect()
        });
        let items = items.collect();
        let Totals {
            pages,
            tones,
            styles,
            products,
        } = variants.totals();
        let given = [pages, tones, styles, products.values().copied().collect()];
        let mut plan = Self::over(
            spec,
            variants.pages.clone(),
            variants.tones.clone(),
            variants.styles.clone(),
            products.into_keys().collect(),
            given,
            &[Axis::Page, Axis::Tone, Axis::Style, Axis::Product],
        );
        plan.all = Some(All {
            variants,
            items,
            table,
        });
        plan
    }

    /// How many places there are, where the plan ends.
    pub(super) fn counts(&self) -> Option<VariantCounts> {
        self.all.as_ref().map(|all| all.variants.counts())
    }

    /// A plan over the values of the first four axes with their weights; nothing is chosen on the axes that are `told`.
    fn over(
        spec: &RunSpec,
        pages: Vec<String>,
        tones: Vec<Tone>,
        styles: Vec<Style>,
        products: Vec<Option<String>>,
        given: [Vec<u64>; 4],
        told: &[Axis],
    ) -> Self {
        let [of_pages, of_tones, of_styles, of_products] = given;
        let axis_weights = [
            of_pages,
            of_tones,
            of_styles,
            of_products,
            share_weights(&spec.plan.outcome),
            share_weights(&spec.customer.cooperation),
        ];
        let told: Vec<usize> = told.iter().map(|axis| place(*axis)).collect();
        let mut units = Vec::new();
        let crossed: Vec<usize> = spec.plan.cross.iter().map(|axis| place(*axis)).collect();
        if !crossed.is_empty() {
            units.push(unit(crossed.clone(), &axis_weights));
        }
        units.extend(
            (0..axis_weights.len())
                .filter(|axis| !crossed.contains(axis) && !told.contains(axis))
                .map(|axis| unit(vec![axis], &axis_weights)),
        );
        let share = spec.customer.second_question;
        // The widest first: the narrow ones find their place around it.
        units.sort_by_key(|unit| std::cmp::Reverse(unit.quota.values().len()));
        Self {
            page_uses: vec![0; pages.len()],
            seconds: (share > 0.0 && share < 1.0)
                .then(|| Quota::new(weights(&[share, 1.0 - share]))),
            all_second: share >= 1.0,
            pages,
            tones,
            styles,
            products,
            all: None,
            outcomes: spec.plan.outcome.values().copied().collect(),
            cooperations: spec.customer.cooperation.values().copied().collect(),
            causes: Causes::new(&spec.plan.cause, axis_weights.each_ref().map(Vec::len)),
            first_languages: spec.customer.first_language.values().copied().collect(),
            language_quota: Quota::new(share_weights(&spec.customer.first_language)),
            pairs: Pairs::new(axis_weights.each_ref().map(Vec::len)),
            quotas: axis_weights.into_iter().map(quota).collect(),
            units,
            seed: spec.seed,
            next: 0,
        }
    }

    /// Chooses the next place's value on every axis where none is `told`.
    fn choose(&mut self, draw: Stream, told: [Option<usize>; AXES]) -> [usize; AXES] {
        let mut chosen = told;
        let mut safe: Vec<Vec<usize>> = vec![Vec::new(); self.units.len()];
        for (unit, safe) in self.units.iter_mut().zip(&mut safe) {
            unit.quota.safe(safe);
        }
        // A second round lets the first choices answer to the later ones.
        for round in 0..2 {
            for (at, unit) in self.units.iter().enumerate() {
                unit.axes.iter().for_each(|axis| chosen[*axis] = None);
                let scores: Vec<f64> = safe[at]
                    .iter()
                    .map(|value| self.score(unit, *value, &chosen))
                    .collect();
                let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let ties: Vec<usize> = safe[at]
                    .iter()
                    .zip(&scores)
                    .filter(|(_, score)| **score > best - 1e-9)
                    .map(|(value, _)| *value)
                    .collect();
                let joint = *draw.pick(round * AXES as u64 + at as u64, &ties);
                unit.split(joint)
                    .for_each(|(axis, value)| chosen[axis] = Some(value));
            }
        }
        let chosen = chosen.map(|value| value.expect("every axis is in a unit"));
        for unit in &mut self.units {
            let joint = unit
                .axes
                .iter()
                .zip(&unit.sizes)
                .rev()
                .fold(0, |joint, (axis, size)| joint * size + chosen[*axis]);
            unit.quota.serve(joint);
        }
        for (quota, value) in self.quotas.iter_mut().zip(chosen) {
            quota.serve(value);
        }
        self.pairs.count(&chosen);
        chosen
    }

    /// Whether the next place has a second question: so many of every prefix as the recipe says, within less than one.
    fn has_second(&mut self, draw: Stream) -> bool {
        let Some(quota) = &mut self.seconds else {
            return self.all_second;
        };
        let mut safe = Vec::new();
        quota.safe(&mut safe);
        let value = *draw.pick(0, &safe);
        quota.serve(value);
        value == 0
    }

    /// The first language of a customer who writes in a style.
    fn first_language(&mut self, style: Style, draw: Stream) -> Option<FirstLanguage> {
        (style == Style::NonNative).then(|| {
            let mut safe = Vec::new();
            self.language_quota.safe(&mut safe);
            let language = *draw.child("first language").pick(0, &safe);
            self.language_quota.serve(language);
            self.first_languages[language]
        })
    }

    /// How much a value of a unit is wanted beside what is chosen on the other axes.
    fn score(&self, unit: &Unit, joint: usize, chosen: &[Option<usize>; AXES]) -> f64 {
        let crossed = unit.axes.len() > 1;
        let mut score = if crossed {
            CROSSED_JOINT * unit.quota.deficit(joint)
        } else {
            0.0
        };
        for (axis, value) in unit.split(joint) {
            for (other, held) in chosen.iter().enumerate() {
                let Some(held) = *held else { continue };
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a plan is far shorter than 2^53"
                )]
                let expected = (self.next + 1) as f64
                    * self.quotas[axis].share(value)
                    * self.quotas[other].share(held);
                score += expected - f64::from(self.pairs.seen(axis, value, other, held));
            }
            if crossed {
                score += CROSSED_AXIS * self.quotas[axis].deficit(value);
            }
        }
        score
    }
}

impl Iterator for SupportPlan {
    type Item = SupportPlace;

    fn next(&mut self) -> Option<SupportPlace> {
        let index = self.next;
        let draw = Stream::root(self.seed).child("plan").at(index);
        let mut told = [None; AXES];
        let variant = match &mut self.all {
            Some(all) => Some(all.variants.next()?),
            None => None,
        };
        if let Some(variant) = &variant {
            let product = self.products.iter().position(|own| *own == variant.product);
            for (axis, value) in [
                (Axis::Page, Some(variant.page)),
                (Axis::Tone, Some(variant.tone)),
                (Axis::Style, Some(variant.style)),
                (Axis::Product, product),
            ] {
                told[place(axis)] = value;
            }
        }
        let chosen = self.choose(draw, told);
        let [page, tone, style, product, outcome, cooperation] = chosen;
        self.next += 1;
        let page_use = self.page_uses[page];
        self.page_uses[page] += 1;
        let cell = Cell {
            page: self.pages[page].clone(),
            tone: self.tones[tone],
            style: self.styles[style],
            first_language: self.first_language(self.styles[style], draw),
            product: self.products[product].clone(),
            outcome: self.outcomes[outcome],
            cooperation: self.cooperations[cooperation],
            cause: (self.outcomes[outcome] == Outcome::Unresolved)
                .then(|| self.causes.choose(&chosen, draw.child("cause"))),
        };
        let query = variant.map(|variant| variant.query);
        let of_case = Stream::root(self.seed).child("case").at(index);
        let item = self.item(&cell, page, query, of_case);
        Some(SupportPlace {
            second_question: self.has_second(draw.child("second question")),
            case: draw_case(&item, of_case),
            cell,
            page_use,
            query,
        })
    }
}

impl SupportPlan {
    /// What the customer bought: the product, or what the question speaks of, or anything.
    fn item(&self, cell: &Cell, page: usize, query: Option<usize>, draw: Stream) -> String {
        let spoken_of = || {
            let all = self.all.as_ref()?;
            let own = all.items[page][query?].clone();
            Some(own.unwrap_or_else(|| draw.child("item").pick(0, &all.table).clone()))
        };
        let product = cell.product.clone();
        product
            .or_else(spoken_of)
            .expect("a place without a product has a question")
    }
}

/// Also of values that no question comes in, where all are told.
fn quota(weights: Vec<u64>) -> Quota {
    let some = weights.into_iter().map(|weight| weight.max(1)).collect();
    Quota::new(some)
}

/// Beside a deficit in a pair, what one on a crossed axis and one in a joint value count for. Each axis' own share comes
/// first; without the joint term rare joint values are served too early, and the common ones then come in a rush.
const CROSSED_AXIS: f64 = 8.0;
const CROSSED_JOINT: f64 = 8.0;

/// The axes of a cell.
pub(super) const AXES: usize = Axis::ALL.len();

fn place(axis: Axis) -> usize {
    Axis::ALL
        .iter()
        .position(|other| *other == axis)
        .expect("every axis is listed")
}

fn unit(axes: Vec<usize>, axis_weights: &[Vec<u64>; AXES]) -> Unit {
    let sizes: Vec<usize> = axes.iter().map(|axis| axis_weights[*axis].len()).collect();
    // Joint value = first + size of first * (second + ...), as `split` takes it apart.
    let mut joint = vec![1.0];
    for axis in &axes {
        let total: u64 = axis_weights[*axis].iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "weights are below 2^24")]
        let shares = axis_weights[*axis]
            .iter()
            .map(|weight| *weight as f64 / if total > 1 << 12 { total as f64 } else { 1.0 });
        joint = shares
            .flat_map(|share| joint.iter().map(move |held| held * share))
            .collect();
    }
    Unit {
        quota: Quota::new(weights(&joint)),
        axes,
        sizes,
    }
}

/// How often each two values of two axes have met.
#[derive(Clone, Debug)]
struct Pairs {
    sizes: [usize; AXES],
    /// By the two axes, each pair both ways round: `[a][b][value of a * size of b + value of b]`.
    tables: [[Vec<u32>; AXES]; AXES],
}

impl Pairs {
    fn new(sizes: [usize; AXES]) -> Self {
        let table = |a: usize, b: usize| {
            if a == b {
                Vec::new()
            } else {
                vec![0; sizes[a] * sizes[b]]
            }
        };
        Self {
            sizes,
            tables: std::array::from_fn(|a| std::array::from_fn(|b| table(a, b))),
        }
    }

    fn seen(&self, axis: usize, value: usize, other: usize, held: usize) -> u32 {
        self.tables[axis][other][value * self.sizes[other] + held]
    }

    fn count(&mut self, chosen: &[usize; AXES]) {
        for (a, tables) in self.tables.iter_mut().enumerate() {
            for (b, table) in tables.iter_mut().enumerate().filter(|(b, _)| *b != a) {
                table[chosen[a] * self.sizes[b] + chosen[b]] += 1;
            }
        }
    }
}
