use serde::{Deserialize, Serialize};

/// One help page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Name within the run: the folder of a `leafdirs/<Title>/t.txt`, else the file's stem.
    pub id: String,
    /// The first heading, else the id with separators as spaces.
    pub title: String,
    /// The paragraphs in page order, headings left out.
    pub paragraphs: Vec<Paragraph>,
}

/// A block of text between blank lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paragraph {
    /// The heading it stands under, empty at the top of the page.
    pub heading: String,
    /// Its text: wrapped lines joined, list items and table rows on lines of their own.
    pub text: String,
}
