//! The pages of the made-up shop that come with the program.

use crate::knowledge::PageFile;

/// A page, part of the program.
pub struct ShippedPage {
    /// Its file name.
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        /// Every shipped page, by name.
        pub const PAGES: &[ShippedPage] = &[
            $(ShippedPage {
                name: concat!($name, ".md"),
                text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/pages/", $name, ".md")),
            }),+
        ];
    };
}

shipped!(
    "account",
    "cancelling",
    "changing-orders",
    "click-and-collect",
    "contact",
    "delivery",
    "faulty-items",
    "gift-cards",
    "installation",
    "instalments",
    "lark-points",
    "late-delivery",
    "payment-methods",
    "price-promise",
    "protection-plan",
    "recycling",
    "refunds",
    "repairs",
    "returns",
    "spare-parts",
    "tracking",
    "trade-in",
    "warranty",
    "your-data",
);

/// The pages as files.
pub fn pages() -> Vec<PageFile> {
    PAGES.iter().filter_map(ShippedPage::file).collect()
}
