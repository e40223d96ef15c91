use crate::record::Case;
use crate::rng::Stream;

const NAMES: &[&str] = &[
    "Ada", "Adrian", "Agnes", "Aisha", "Amir", "Anita", "Anton", "Ayo", "Bea", "Ben", "Bianca",
    "Bruno", "Camille", "Carmen", "Cem", "Clara", "Colin", "Dalia", "Daniel", "Derek", "Diana",
    "Edith", "Elif", "Emil", "Erik", "Farah", "Felix", "Flora", "Frank", "Gemma", "George",
    "Gloria", "Hana", "Hassan", "Heidi", "Imani", "Iris", "Isaac", "Jada", "Jan", "Jasmin", "Joel",
    "Jonas", "Judith", "Kamal", "Karin", "Kenji", "Lara", "Leila", "Leon", "Lucy", "Magnus",
    "Maria", "Mateo", "Maya", "Mina", "Nadia", "Nils", "Nina", "Olive", "Oscar", "Paul", "Petra",
    "Rafael", "Ravi", "Rita", "Rosa", "Ruth", "Samira", "Selma", "Simon", "Sofia", "Tara", "Tom",
    "Ursula", "Vera", "Viktor", "Wanda", "Yara", "Zain",
];

const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What things cost, in pounds.
const PRICES: &[(&str, usize, usize)] = &[
    ("smartphone", 149, 999),
    ("laptop", 329, 1499),
    ("washing machine", 249, 799),
    ("microwave oven", 59, 249),
    ("smart watch", 79, 449),
    ("camera", 129, 1299),
    ("tablet", 119, 799),
    ("television", 179, 1399),
    ("dishwasher", 249, 749),
    ("fridge", 199, 999),
    ("freezer", 149, 699),
    ("oven", 199, 899),
    ("tumble dryer", 229, 799),
    ("vacuum cleaner", 49, 399),
    ("coffee machine", 39, 599),
    ("kettle", 19, 99),
    ("toaster", 19, 89),
    ("printer", 49, 349),
    ("monitor", 89, 599),
    ("headset", 19, 249),
];

/// Of things not in the list.
const OTHER_PRICES: (usize, usize) = (25, 399);

/// The facts of a customer's case, drawn from the stream of its place in the plan.
#[must_use]
pub(super) fn draw_case(item: &str, draw: Stream) -> Case {
    let (low, high) = PRICES
        .iter()
        .find(|(name, ..)| *name == item)
        .map_or(OTHER_PRICES, |(_, low, high)| (*low, *high));
    Case {
        name: (*draw.pick(0, NAMES)).to_owned(),
        item: item.to_owned(),
        order_id: format!("LK-{}", 10_000 + draw.below(1, 90_000)),
        // Every month has 28 days.
        order_date: format!("{} {}", 1 + draw.below(2, 28), draw.pick(3, MONTHS)),
        price: format!("£{}", low + draw.below(4, high - low + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_sensible_and_differ() {
        let cases: Vec<Case> = (0..500)
            .map(|slot| draw_case("kettle", Stream::root(1).at(slot)))
            .collect();
        for case in &cases {
            let price: usize = case.price.strip_prefix('£').unwrap().parse().unwrap();
            assert!((19..=99).contains(&price));
            assert_eq!(case.order_id.len(), 8);
            let (day, month) = case.order_date.split_once(' ').unwrap();
            assert!((1..=28).contains(&day.parse::<u32>().unwrap()) && MONTHS.contains(&month));
        }
        let orders: std::collections::BTreeSet<_> =
            cases.iter().map(|case| &case.order_id).collect();
        assert!(orders.len() > 480);
        assert_eq!(
            draw_case("teapot", Stream::root(1)),
            draw_case("teapot", Stream::root(1))
        );
    }

    #[test]
    fn names_are_unique() {
        let unique: std::collections::BTreeSet<_> = NAMES.iter().collect();
        assert_eq!(unique.len(), NAMES.len());
    }
}
