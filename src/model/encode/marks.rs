/// Private characters that no one wrote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    base: u32,
}

impl Marks {
    /// Starts of private-use ranges: planes 16 and 15, and the one in the basic plane.
    const RANGES: [u32; 3] = [0x10_0000, 0xF_0000, 0xE000];
    /// Characters used of a range; the smallest has 6,400.
    const WIDTH: u32 = 6_000;
    const NUMBERS: u32 = 2;

    pub(super) fn first() -> Self {
        Self {
            base: Self::RANGES[0],
        }
    }

    pub(super) fn unused_in(texts: &[&str]) -> Option<Self> {
        let mut ranges = Self::RANGES.into_iter().map(|base| Self { base });
        ranges.find(|marks| {
            !texts
                .iter()
                .any(|text| text.chars().any(|c| marks.is_mark(c)))
        })
    }

    pub(super) fn is_mark(self, c: char) -> bool {
        (self.base..self.base + Self::WIDTH).contains(&u32::from(c))
    }

    pub(super) fn char(self, offset: u32) -> char {
        char::from_u32(self.base + offset).expect("the private-use ranges are characters")
    }

    /// Stands inside a control word.
    pub(super) fn cut(self) -> char {
        self.char(0)
    }

    /// Stands after a content.
    pub(super) fn end(self) -> char {
        self.char(1)
    }

    /// A content between its number and the end mark; unmarked where there are more messages than numbers.
    pub(super) fn around(self, index: usize, content: &str) -> String {
        match u32::try_from(index) {
            Ok(number) if number < Self::WIDTH - Self::NUMBERS => format!(
                "{}{content}{}",
                self.char(Self::NUMBERS + number),
                self.end()
            ),
            _ => content.to_owned(),
        }
    }

    /// The first content marked from start to end: what is before it, its number, itself, and what is after.
    pub(super) fn next_content(self, text: &str) -> Option<(&str, usize, &str, &str)> {
        let numbered = |c: char| self.is_mark(c) && u32::from(c) >= self.base + Self::NUMBERS;
        let (start, number) = text.char_indices().find(|(_, c)| numbered(*c))?;
        let inside = start + number.len_utf8();
        let length = text[inside..].find(self.end())?;
        let after = inside + length + self.end().len_utf8();
        Some((
            &text[..start],
            (u32::from(number) - self.base - Self::NUMBERS) as usize,
            &text[inside..inside + length],
            &text[after..],
        ))
    }

    pub(super) fn without(self, text: &str) -> String {
        text.chars().filter(|c| !self.is_mark(*c)).collect()
    }
}
